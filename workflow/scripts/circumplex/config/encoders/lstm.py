"""Options of the LSTM, the paper's recurrent encoder (eq. 2)."""

from typing import ClassVar

from circumplex.config.encoders.base import EncoderOptions


class Options(EncoderOptions):
    """An LSTM whose state goes on through the video."""

    carries: ClassVar[bool] = True
    causal: ClassVar[bool] = True
