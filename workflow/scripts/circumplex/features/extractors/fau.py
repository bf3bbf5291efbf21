"""Facial action unit feature (section 3.2.1): the IResNet's 512 values with other weights.

The paper's network starts from face recognition on Glint360K and is tuned on a set annotated with
15 action units.
"""

from collections.abc import Mapping
from typing import Any

from circumplex.config.extractors.fau import Options
from circumplex.features.extractors.iresnet import IResNetExtractor


def build(options: Mapping[str, Any], device: str = "cpu") -> IResNetExtractor:
    """The extractor of the config's slice.

    Raises:
        RequestError: the options are invalid, or the weights are missing or do not fit.
    """
    return IResNetExtractor("fau", Options.read(options, "features.fau"), device)
