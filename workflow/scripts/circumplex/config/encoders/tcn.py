"""Options of the temporal convolutional network, which is not in the paper."""

from typing import ClassVar

from pydantic import Field

from circumplex.config.encoders.base import EncoderOptions, Frames, Rate, Share
from circumplex.errors import RequestError


class Options(EncoderOptions):
    """Dilated temporal convolutions over a segment.

    Six layers see 253 frames, as many as the paper's Transformer, whose learning rate it has.
    """

    carries: ClassVar[bool] = False

    segment_length: Frames = Field(250, description="frames per segment")
    stride: Frames = Field(250, description="frames between the starts of segments")
    layers: int = Field(6, ge=1, le=1000, description="blocks of two convolutions")
    kernel_size: int = Field(3, ge=1, le=10_001, description="frames of a convolution; odd")
    encoder_dropout: Share = Field(0.3, description="after each convolution")
    learning_rate: Rate = Field(2e-4, description="of Adam")

    @property
    def layer_weights(self) -> int:
        """Two convolutions."""
        return 2 * self.kernel_size * self.hidden**2

    def check(self) -> None:
        """Check that the options of a whole model go together; see `EncoderOptions.check`."""
        super().check()
        if self.kernel_size % 2 == 0:
            raise RequestError(f"kernel_size {self.kernel_size} is even: it has no centre")
