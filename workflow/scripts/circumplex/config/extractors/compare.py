"""ComParE 2016 low-level descriptors and their deltas (section 3.2.2): 130 values every 10 ms.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from enum import StrEnum

from pydantic import Field

from circumplex.config.feature_options import FeatureOptions
from circumplex.config.features import Environment, Feature, FeatureText, Need
from circumplex.config.modalities import Framing, Modality
from circumplex.config.section import Lax

FEATURE = Feature(
    "compare",
    Modality.AUDIO,
    130,
    Framing.MEAN,
    order=5,
    environment=Environment.LIGHT,
    need=Need(mem_mb=1500, cpu_s=0.025, disk_kb=45, scratch_kb=52, start_s=2),
    text=FeatureText(
        network="openSMILE 3, feature set ComParE_2016, 65 low-level descriptors and their deltas",
        input="sound, 16 kHz mono, windows of 20 and 60 ms",
        row="20 ms of sound, every 10 ms",
        address="https://pypi.org/project/opensmile (installed with the environment; no weights)",
        trained_on="nothing; computed from the signal",
        licence="audEERING Research License of openSMILE (no commercial use without another)",
        citation="Schuller et al., The INTERSPEECH 2016 Computational Paralinguistics "
        "Challenge, 2016; Eyben et al., openSMILE, ACM Multimedia 2010",
        note="Nothing to get.",
    ),
)


class FeatureSet(StrEnum):
    """openSMILE's name of the set."""

    COMPARE_2016 = "ComParE_2016"


class Options(FeatureOptions):
    """Options of the feature ``compare``."""

    feature_set: Lax[FeatureSet] = Field(
        FeatureSet.COMPARE_2016, description="openSMILE's name of the set"
    )
