"""eGeMAPS low-level descriptors (section 3.2.2): 23 values every 10 ms.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from enum import StrEnum

from pydantic import Field

from circumplex.config.feature_options import FeatureOptions
from circumplex.config.features import Environment, Feature, FeatureText, Need
from circumplex.config.modalities import Framing, Modality
from circumplex.config.section import Lax

FEATURE = Feature(
    "egemaps",
    Modality.AUDIO,
    23,
    Framing.MEAN,
    order=4,
    environment=Environment.LIGHT,
    need=Need(mem_mb=1000, cpu_s=0.02, disk_kb=9, scratch_kb=10, start_s=2),
    text=FeatureText(
        network="openSMILE 3, feature set eGeMAPSv01b, low-level descriptors",
        input="sound, 16 kHz mono, windows of 20 and 60 ms",
        row="20 ms of sound, every 10 ms",
        address="https://pypi.org/project/opensmile (installed with the environment; no weights)",
        trained_on="nothing; computed from the signal",
        licence="audEERING Research License of openSMILE (no commercial use without another)",
        citation="Eyben et al., The Geneva Minimalistic Acoustic Parameter Set, IEEE "
        "Transactions on Affective Computing 2016; Eyben et al., openSMILE, ACM "
        "Multimedia 2010",
        note="Nothing to get.",
    ),
)


class FeatureSet(StrEnum):
    """openSMILE's sets of the paper's dimension (``eGeMAPSv02`` has 25)."""

    V01B = "eGeMAPSv01b"
    V01A = "eGeMAPSv01a"


class Options(FeatureOptions):
    """Options of the feature ``egemaps``."""

    feature_set: Lax[FeatureSet] = Field(
        FeatureSet.V01B, description="openSMILE's name of the set; eGeMAPSv02 has 25 values"
    )
