"""How a feature's network is run."""

from dataclasses import dataclass
from typing import Self

from circumplex.config.feature_options import BatchedOptions, ImageOptions
from circumplex.config.precision import Precision


@dataclass(frozen=True)
class Arithmetic:
    """How a network of fixed-shape batches is run; all three change its last bits.

    Attributes:
        precision: precision of the products.
        compile: whether to compile the network, its weights folded in; needs a C++ compiler.
        channels_last: whether images lie in memory pixel by pixel rather than channel by channel.
    """

    precision: Precision = Precision.FLOAT32
    compile: bool = False
    channels_last: bool = False

    @classmethod
    def of(cls, options: BatchedOptions) -> Self:
        """The arithmetic that an extractor's options ask for."""
        channels_last = isinstance(options, ImageOptions) and options.channels_last
        return cls(options.precision, options.compile, channels_last)
