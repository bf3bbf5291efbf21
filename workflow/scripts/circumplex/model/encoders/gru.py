"""A GRU in the LSTM's place; not in the paper."""

from torch import Tensor, nn

from circumplex.config.encoders.gru import Options
from circumplex.model.encoders.base import State, TemporalEncoder


class Encoder(TemporalEncoder):
    """Gated recurrent unit (Cho et al., 2014) in the LSTM's place; not in the paper."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.gru = nn.GRU(options.hidden, options.hidden, options.layers, batch_first=True)

    def forward(
        self,
        fused: Tensor,
        padding: Tensor | None,  # noqa: ARG002 - part of the interface
        state: State | None,
    ) -> tuple[Tensor, State | None]:
        """See `TemporalEncoder.forward`; the state is (h,)."""
        hidden, carried = self.gru(fused, None if state is None else state[0])
        return hidden, (carried,)
