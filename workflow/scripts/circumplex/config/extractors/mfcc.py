"""Mel-frequency cepstral coefficients of torchaudio, every 10 ms.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from pydantic import Field

from circumplex.config.feature_options import FeatureOptions
from circumplex.config.features import Environment, Feature, FeatureText, Need
from circumplex.config.modalities import Framing, Modality

FEATURE = Feature(
    "mfcc",
    Modality.AUDIO,
    None,
    Framing.MEAN,
    order=9,
    environment=Environment.TORCH,
    need=Need(mem_mb=1000, cpu_s=0.01, disk_kb=8),
    text=FeatureText(
        network="torchaudio's MFCC of log mel energies, 64 bands",
        input="sound, 16 kHz mono, windows of 25 ms",
        row="25 ms of sound, every 10 ms",
        address="https://pypi.org/project/torchaudio (installed with the environment; no weights)",
        trained_on="nothing; computed from the signal",
        licence="BSD-2-Clause (torchaudio)",
        citation="Davis and Mermelstein, IEEE Transactions on Acoustics, Speech, and Signal "
        "Processing 1980; Hwang et al., TorchAudio 2.1, 2023",
        note="Nothing to get.",
    ),
)


class Options(FeatureOptions):
    """Options of the feature ``mfcc``."""

    dimension: int = Field(
        20,
        ge=1,
        le=64,
        description="coefficients, from the zeroth; values per frame. There are 64 bands",
    )
