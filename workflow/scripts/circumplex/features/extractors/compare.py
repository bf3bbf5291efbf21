"""ComParE 2016 low-level descriptors and their deltas (section 3.2.2): 130 values every 10 ms."""

from collections.abc import Mapping
from typing import Any

from circumplex.config.extractors.compare import Options
from circumplex.features.extractors.opensmile import DescriptorExtractor, Level


def build(options: Mapping[str, Any], device: str = "cpu") -> DescriptorExtractor:  # noqa: ARG001
    """The extractor of the config's slice; it knows no device.

    Row k of the deltas belongs to row k of the descriptors. openSMILE 3 computes the deltas of
    pitch, voicing, jitter, shimmer and harmonics-to-noise ratio (the first six) with a divisor
    that grows through the file, so that they fade towards zero. They are kept as openSMILE gives
    them, as the paper's features must have been.

    Raises:
        RequestError: the options are invalid.
    """
    feature_set = Options.read(options, "features.compare").feature_set
    return DescriptorExtractor("compare", feature_set, [Level.DESCRIPTORS, Level.DELTAS])
