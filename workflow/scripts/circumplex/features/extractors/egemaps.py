"""eGeMAPS low-level descriptors (section 3.2.2): 23 values every 10 ms."""

from collections.abc import Mapping
from typing import Any

from circumplex.config.extractors.egemaps import Options
from circumplex.features.extractors.opensmile import DescriptorExtractor, Level


def build(options: Mapping[str, Any], device: str = "cpu") -> DescriptorExtractor:  # noqa: ARG001
    """The extractor of the config's slice; it knows no device.

    Raises:
        RequestError: the options are invalid.
    """
    feature_set = Options.read(options, "features.egemaps").feature_set
    return DescriptorExtractor("egemaps", feature_set, [Level.DESCRIPTORS])
