"""ComParE 2016 low-level descriptors and their deltas (section 3.2.2): 130 values every 10 ms."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from circumplex.extractors.opensmile_lld import DescriptorExtractor, Level
from circumplex.extractors.options import OptionReader


class FeatureSet(StrEnum):
    """openSMILE's name of the set."""

    COMPARE_2016 = "ComParE_2016"


@dataclass(frozen=True)
class Options:
    """Of the feature ``compare``.

    Attributes:
        feature_set: openSMILE's.
    """

    feature_set: FeatureSet

    @classmethod
    def parse(cls, options: Mapping[str, Any]) -> Self:
        """Read the config's slice.

        Raises:
            RequestError: an unknown key or set.
        """
        reader = OptionReader("compare", options)
        parsed = cls(feature_set=reader.choice("feature_set", FeatureSet.COMPARE_2016))
        reader.finish()
        return parsed


def build(options: Mapping[str, Any], device: str = "cpu") -> DescriptorExtractor:  # noqa: ARG001
    """The extractor of the config's slice; it knows no device.

    Row k of the deltas belongs to row k of the descriptors. openSMILE 3 computes the deltas of
    pitch, voicing, jitter, shimmer and harmonics-to-noise ratio (the first six) with a divisor
    that grows through the file, so that they fade towards zero. They are kept as openSMILE gives
    them, as the paper's features must have been.

    Raises:
        RequestError: the options make no sense.
    """
    parsed = Options.parse(options)
    levels = [Level.DESCRIPTORS, Level.DELTAS]
    return DescriptorExtractor("compare", parsed.feature_set.value, levels)
