"""eGeMAPS low-level descriptors (section 3.2.2): 23 values every 10 ms."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from circumplex.features.extractors.opensmile import DescriptorExtractor, Level, read_feature_set


class FeatureSet(StrEnum):
    """openSMILE's sets of the paper's dimension (``eGeMAPSv02`` has 25)."""

    V01B = "eGeMAPSv01b"
    V01A = "eGeMAPSv01a"


def build(options: Mapping[str, Any], device: str = "cpu") -> DescriptorExtractor:  # noqa: ARG001
    """The extractor of the config's slice; it knows no device.

    Raises:
        RequestError: the options make no sense.
    """
    feature_set = read_feature_set("egemaps", options, FeatureSet.V01B)
    return DescriptorExtractor("egemaps", feature_set, [Level.DESCRIPTORS])
