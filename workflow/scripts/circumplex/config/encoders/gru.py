"""Options of the GRU, which is not in the paper: those of its LSTM."""

from typing import ClassVar

from circumplex.config.encoders.base import EncoderOptions


class Options(EncoderOptions):
    """A GRU whose state goes on through the video."""

    carries: ClassVar[bool] = True
    causal: ClassVar[bool] = True

    @property
    def layer_weights(self) -> int:
        """Three gates."""
        return 6 * self.hidden**2
