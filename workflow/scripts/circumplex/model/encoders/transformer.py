"""The network: fusion of features, temporal encoder, regressor (section 3.2 to 3.4, eq. 1-4)."""

from torch import Tensor, nn

from circumplex.config.encoders import EncoderSpec, Positions
from circumplex.model.cpu.dropout import EncoderLayer
from circumplex.model.encoders.base import State, TemporalEncoder, sinusoids


class TransformerEncoder(TemporalEncoder):
    """Transformer encoder over the frames of a segment, post-norm (eq. 3)."""

    stateful = False
    clipped_with_fusion = True

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__()
        # One by one: nn.TransformerEncoder copies a layer, and all would start out equal.
        self.layers = nn.ModuleList(
            EncoderLayer(
                spec.hidden,
                spec.heads,
                spec.feed_forward,
                dropout=spec.encoder_dropout,
                batch_first=True,
            )
            for _ in range(spec.layers)
        )
        self.mask_padding = spec.mask_padding
        table = (
            sinusoids(spec.segment_length, spec.hidden)
            if spec.positions is Positions.SINUSOIDAL
            else None
        )
        self.register_buffer("positions", table, persistent=False)
        self.positions: Tensor | None

    def forward(
        self,
        fused: Tensor,
        padding: Tensor | None,
        state: State | None,  # noqa: ARG002 - part of the interface
    ) -> tuple[Tensor, State | None]:
        """See `TemporalEncoder.forward`; there is no state."""
        if self.positions is not None:
            fused = fused + self.positions[: fused.shape[1]]
        mask = padding if self.mask_padding else None
        for layer in self.layers:
            fused = layer(fused, src_key_padding_mask=mask)
        return fused, None
