"""Options of the Transformer with an LSTM after it, which the authors' published code has."""

from typing import ClassVar

from pydantic import Field

from circumplex.config.encoders.base import Frames
from circumplex.config.encoders.transformer import Options as TransformerOptions


class Options(TransformerOptions):
    """A Transformer over a segment, then an LSTM whose state goes on through the video.

    Not in the paper: segments are as long as its LSTM's, all else is its Transformer's.
    """

    carries: ClassVar[bool] = True

    segment_length: Frames = Field(100, description="frames per segment")
    stride: Frames = Field(100, description="frames between the starts of segments")
    residual: bool = Field(
        True, description="the fused frames are added to what the Transformer hands to the LSTM"
    )

    def weights(self, width: int) -> int:
        """Those of the Transformer, and the LSTM's."""
        return super().weights(width) + 8 * self.hidden**2
