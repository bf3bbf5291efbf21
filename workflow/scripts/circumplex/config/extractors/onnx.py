"""Any ONNX network of face crops, run by onnxruntime on the CPU.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from circumplex.config.feature_options import (
    BATCH_SIZE,
    FeatureOptions,
    WeightChoice,
    weights_field,
)
from circumplex.config.features import Environment, Feature, FeatureText, Need
from circumplex.config.modalities import Modality
from circumplex.config.section import Lax, Text, Unique

FEATURE = Feature(
    "onnx",
    Modality.VISUAL,
    None,
    order=11,
    environment=Environment.TORCH,
    deep=True,
    weight_keys=("weights",),
    need=Need(mem_mb=2000, cpu_s=1.5, disk_kb=3, start_s=5),  # of the network in config.yaml
    text=FeatureText(
        network="an ONNX network of face crops ({weights})",
        input="aligned face, in the size, normalisation and order of channels that the config says",
        row="a frame",
        address="https://github.com/sb-ai-lab/EmotiEffLib, or another",
        trained_on="by network",
        licence="by network",
        citation="by network; Savchenko, CVPR Workshops 2022",
        note="One ONNX file, whose input is one batch of images.",
    ),
)

Share = Annotated[float, Field(ge=0, le=1)]
Deviation = Annotated[float, Field(ge=1e-6, le=1)]
Place = Annotated[int, Field(ge=-100_000, le=100_000)]


class Channels(StrEnum):
    """Order of the channels of the network's input."""

    RGB = "rgb"
    BGR = "bgr"


class Options(FeatureOptions):
    """Options of the feature ``onnx``."""

    weights: WeightChoice = weights_field("published:enet_b0_8_va_mtl")
    dimension: int = Field(
        2, ge=1, le=1_000_000, description="values per frame, which must be those that are taken"
    )
    columns: Unique[tuple[Text, ...]] = Field(
        ("valence", "arousal"),
        description="names of the values, which a pretrained model reads; [] for none",
    )
    outputs: Unique[tuple[Text, ...]] = Field(
        (),
        description="outputs of the network by name, whose values stand side by side; the first "
        "by default",
    )
    take: Lax[tuple[Place, ...]] = Field(
        (-2, -1), description="which of these values, from 0, or from -1 at the end; [] for all"
    )
    side: int = Field(224, ge=8, le=2048, description="of the network's square input, in pixels")
    mean: Lax[tuple[Share, Share, Share]] = Field(
        (0.485, 0.456, 0.406),
        description="of the network's training images by channel, in [0, 1]; red first",
    )
    deviation: Lax[tuple[Deviation, Deviation, Deviation]] = Field(
        (0.229, 0.224, 0.225), description="standard deviation of the same; red first"
    )
    channels: Lax[Channels] = Field(Channels.RGB, description="order of the input's channels")
    batch_size: int = Field(16, ge=1, le=4096, description=f"crops per batch; {BATCH_SIZE}")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for key, items in (("columns", self.columns), ("take", self.take)):
            if items and len(items) != self.dimension:
                raise ValueError(
                    f"{key} has {len(items)} items, dimension is {self.dimension}: they must agree"
                )
        return self
