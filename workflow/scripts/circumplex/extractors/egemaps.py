"""eGeMAPS low-level descriptors (section 3.2.2): 23 values every 10 ms."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from circumplex.extractors.opensmile_lld import DescriptorExtractor, Level
from circumplex.extractors.options import OptionReader


class FeatureSet(StrEnum):
    """openSMILE's sets of the paper's dimension (``eGeMAPSv02`` has 25)."""

    V01B = "eGeMAPSv01b"
    V01A = "eGeMAPSv01a"


@dataclass(frozen=True)
class Options:
    """Of the feature ``egemaps``.

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
        reader = OptionReader("egemaps", options)
        parsed = cls(feature_set=reader.choice("feature_set", FeatureSet.V01B))
        reader.finish()
        return parsed


def build(options: Mapping[str, Any], device: str = "cpu") -> DescriptorExtractor:  # noqa: ARG001
    """The extractor of the config's slice; it knows no device.

    Raises:
        RequestError: the options make no sense.
    """
    parsed = Options.parse(options)
    return DescriptorExtractor("egemaps", parsed.feature_set.value, [Level.DESCRIPTORS])
