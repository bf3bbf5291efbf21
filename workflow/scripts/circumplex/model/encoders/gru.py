"""The network: fusion of features, temporal encoder, regressor (section 3.2 to 3.4, eq. 1-4)."""

from torch import Tensor, nn

from circumplex.config.encoders import EncoderSpec
from circumplex.model.encoders.base import State, TemporalEncoder


class GruEncoder(TemporalEncoder):
    """Gated recurrent unit (Cho et al., 2014) in the LSTM's place; not the paper's."""

    stateful = True
    clipped_with_fusion = False

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__()
        self.gru = nn.GRU(spec.hidden, spec.hidden, spec.layers, batch_first=True)

    def forward(
        self,
        fused: Tensor,
        padding: Tensor | None,  # noqa: ARG002 - part of the interface
        state: State | None,
    ) -> tuple[Tensor, State | None]:
        """See `TemporalEncoder.forward`; the state is (h,)."""
        hidden, carried = self.gru(fused, None if state is None else state[0])
        return hidden, (carried,)
