"""Options of the Transformer, the paper's encoder of segments (eq. 3)."""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from circumplex.config.encoders.base import EncoderOptions, Frames, Rate, Share, Width
from circumplex.config.section import Lax


class Positions(StrEnum):
    """Positional encoding of a Transformer."""

    NONE = "none"
    SINUSOIDAL = "sinusoidal"


class Options(EncoderOptions):
    """A Transformer encoder over the frames of a segment."""

    carries: ClassVar[bool] = False

    segment_length: Frames = Field(250, description="frames per segment")
    stride: Frames = Field(250, description="frames between the starts of segments")
    layers: int = Field(4, ge=1, le=1000, description="layers of the Transformer")
    feed_forward: Width = Field(1024, description="inner width of the Transformer's layers")
    encoder_dropout: Share = Field(0.3, description="within the Transformer's layers")
    positions: Lax[Positions] = Field(Positions.NONE, description="positional encoding")
    mask_padding: bool = Field(
        True, description="attention leaves out the frames after a segment's end"
    )
    learning_rate: Rate = Field(2e-4, description="of Adam")

    @property
    def layer_weights(self) -> int:
        """Attention's four products, and the two of the inner width."""
        return 4 * self.hidden**2 + 2 * self.hidden * self.feed_forward

    def check(self) -> None:
        """Check that the options of a whole model go together; see `EncoderOptions.check`."""
        super().check()
        self.check_heads()
