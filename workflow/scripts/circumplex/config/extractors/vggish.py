"""VGGish feature (section 3.2.2): 128 values per example of 0.96 s.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from enum import StrEnum
from typing import Self

from pydantic import Field, field_validator, model_validator

from circumplex.config.feature_options import BATCH_SIZE, ImageOptions, WeightChoice, weights_field
from circumplex.config.features import Environment, Feature, FeatureText, Need
from circumplex.config.modalities import Framing, Modality
from circumplex.config.section import Lax
from circumplex.config.weights import PUBLISHED

FEATURE = Feature(
    "vggish",
    Modality.AUDIO,
    128,
    Framing.NEAREST,
    order=6,
    environment=Environment.TORCH,
    deep=True,
    weight_keys=("weights", "pca"),
    need=Need(mem_mb=2500, cpu_s=0.02, disk_kb=0.6, gpu=True, start_s=4),
    text=FeatureText(
        network="VGGish; its last layer, 128 values of 0 or more",
        input="sound, 16 kHz mono, log-mel examples of 96 windows of 25 ms, 64 bands from "
        "125 to 7500 Hz",
        row="0.96 s of sound, every hop_s",
        address="https://github.com/harritaylor/torchvggish/releases/tag/v0.1",
        trained_on="AudioSet (YouTube-8M labels)",
        licence="Apache-2.0",
        citation="Hershey et al., CNN Architectures for Large-Scale Audio Classification, "
        "ICASSP 2017",
        note="VGGish in the layout of the common PyTorch port.",
        published="vggish",
    ),
)


class Postprocess(StrEnum):
    """What is done to the network's output.

    `QUANTISED`: whitened, then integers from 0 to 255, as in AudioSet's release.
    """

    NONE = "none"
    QUANTISED = "quantised"


class Options(ImageOptions):
    """Options of the feature ``vggish``."""

    weights: WeightChoice = weights_field("published:vggish")
    hop_s: float = Field(
        0.96,
        ge=0.01,
        le=0.96,
        description="seconds between the starts of examples, a multiple of 0.01; smaller for finer "
        "time",
    )
    postprocess: Lax[Postprocess] = Field(
        Postprocess.NONE,
        description="none, or quantised, with pca: published:vggish_pca: 8 bits, as in AudioSet's "
        "release",
    )
    pca: WeightChoice | None = Field(
        None, description="weights of the post-processor, named where postprocess is quantised"
    )
    batch_size: int = Field(16, ge=1, le=4096, description=f"examples per batch; {BATCH_SIZE}")
    channels_last: bool = Field(False, description="memory layout of spectrograms: pixel by pixel")

    @property
    def relative_cost(self) -> float:
        """By the number of examples."""
        return 0.96 / self.hop_s

    @property
    def relative_rows(self) -> float:
        """A row an example."""
        return 0.96 / self.hop_s

    @field_validator("hop_s")
    @classmethod
    def _is_multiple(cls, hop_s: float) -> float:
        if abs(hop_s * 100 - round(hop_s * 100)) > 1e-6:
            raise ValueError(f"is {hop_s}: must be a multiple of 0.01 s")
        return hop_s

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        quantised = self.postprocess is Postprocess.QUANTISED
        if quantised != (self.pca is not None):
            remedy = f"add pca: {PUBLISHED}vggish_pca" if quantised else "remove pca"
            raise ValueError(f"pca and postprocess: quantised go together: {remedy}")
        return self
