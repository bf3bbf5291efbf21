"""The Transformer, the paper's encoder of segments (eq. 3)."""

from torch import Tensor, nn

from circumplex.config.encoders.transformer import Options, Positions
from circumplex.model.cpu.dropout import EncoderLayer
from circumplex.model.encoders.base import State, TemporalEncoder, sinusoids


class Encoder(TemporalEncoder):
    """Transformer encoder over the frames of a segment, post-norm (eq. 3)."""

    clipped_with_fusion = True

    def __init__(self, options: Options) -> None:
        super().__init__()
        # One by one: nn.TransformerEncoder copies a layer, and all would start out equal.
        self.layers = nn.ModuleList(
            EncoderLayer(
                options.hidden,
                options.heads,
                options.feed_forward,
                dropout=options.encoder_dropout,
                batch_first=True,
            )
            for _ in range(options.layers)
        )
        self.mask_padding = options.mask_padding
        table = (
            sinusoids(options.segment_length, options.hidden)
            if options.positions is Positions.SINUSOIDAL
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
