"""Options of the bidirectional LSTM, which is not in the paper."""

from typing import ClassVar

from pydantic import Field

from circumplex.config.encoders.base import EncoderOptions, Frames
from circumplex.errors import RequestError


class Options(EncoderOptions):
    """An LSTM over a segment in both directions; each has half of the width.

    Segments are as long as the paper's Transformer's, the learning rate is its LSTM's.
    """

    carries: ClassVar[bool] = False

    segment_length: Frames = Field(250, description="frames per segment")
    stride: Frames = Field(250, description="frames between the starts of segments")

    @property
    def layer_weights(self) -> int:
        """Four gates in both directions, each of half of the width."""
        return 6 * self.hidden**2

    def check(self) -> None:
        """Check that the options of a whole model go together; see `EncoderOptions.check`."""
        super().check()
        if self.hidden % 2:
            raise RequestError(f"hidden {self.hidden} is odd: each direction has half of it")
