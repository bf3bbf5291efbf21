"""Options of the LSTM, the paper's recurrent encoder (eq. 2)."""

from typing import ClassVar

from pydantic import Field

from circumplex.config.encoders.base import EncoderOptions, Frames, Rate


class Options(EncoderOptions):
    """An LSTM whose state goes on through the video."""

    carries: ClassVar[bool] = True

    segment_length: Frames = Field(100, description="frames per segment")
    stride: Frames = Field(100, description="frames between the starts of segments")
    layers: int = Field(1, ge=1, le=1000, description="layers of the LSTM")
    learning_rate: Rate = Field(3e-4, description="of Adam")
