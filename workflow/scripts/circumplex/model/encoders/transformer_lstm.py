"""The network: fusion of features, temporal encoder, regressor (section 3.2 to 3.4, eq. 1-4)."""

from torch import Tensor, nn

from circumplex.config.encoders import EncoderSpec
from circumplex.model.encoders.base import State, TemporalEncoder
from circumplex.model.encoders.transformer import TransformerEncoder


class TransformerLstmEncoder(TemporalEncoder):
    """The authors' published Transformer, then LSTM: not in the paper.

    The Transformer sees a segment, the LSTM after it carries its state over the video. With
    ``residual`` the fused frames skip the Transformer.
    """

    stateful = True
    clipped_with_fusion = False

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__()
        self.transformer = TransformerEncoder(spec)
        self.lstm = nn.LSTM(spec.hidden, spec.hidden, batch_first=True)
        self.residual = spec.residual

    def forward(
        self, fused: Tensor, padding: Tensor | None, state: State | None
    ) -> tuple[Tensor, State | None]:
        """See `TemporalEncoder.forward`; the state is (h, c)."""
        attended, _ = self.transformer(fused, padding, None)
        hidden, carried = self.lstm(fused + attended if self.residual else attended, state)
        return hidden, carried
