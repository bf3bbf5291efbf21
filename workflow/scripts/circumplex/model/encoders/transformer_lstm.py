"""A Transformer, then an LSTM, as in the authors' published code; not in the paper."""

from torch import Tensor, nn

from circumplex.config.encoders.transformer_lstm import Options
from circumplex.model.encoders.base import State, TemporalEncoder
from circumplex.model.encoders.transformer import Encoder as TransformerEncoder


class Encoder(TemporalEncoder):
    """A Transformer over a segment, then an LSTM that carries its state over the video.

    The authors' published code has it, the paper does not. With ``residual`` the fused frames are
    added to the Transformer's output.
    """

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.transformer = TransformerEncoder(options)
        self.lstm = nn.LSTM(options.hidden, options.hidden, batch_first=True)
        self.residual = options.residual

    def forward(
        self, fused: Tensor, padding: Tensor | None, state: State | None
    ) -> tuple[Tensor, State | None]:
        """See `TemporalEncoder.forward`; the state is (h, c)."""
        attended, _ = self.transformer(fused, padding, None)
        hidden, carried = self.lstm(fused + attended if self.residual else attended, state)
        return hidden, carried
