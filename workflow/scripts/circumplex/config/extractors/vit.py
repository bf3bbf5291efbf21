"""Any Vision Transformer of transformers, such as DINOv2, on face crops.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from enum import StrEnum

from pydantic import Field

from circumplex.config.feature_options import BatchedOptions, WeightChoice, weights_field
from circumplex.config.features import Environment, Feature, FeatureText, Need
from circumplex.config.modalities import Modality
from circumplex.config.section import Lax
from circumplex.config.weights import RANDOM

FEATURE = Feature(
    "vit",
    Modality.VISUAL,
    None,
    order=9,
    environment=Environment.TORCH,
    deep=True,
    weight_keys=("weights",),
    need=Need(
        mem_mb=4000, cpu_s=6, disk_kb=45, gpu=True, start_s=9, fixed_s=0.02
    ),  # of the network in config.yaml
    text=FeatureText(
        network="any Vision Transformer of transformers; its class token, or the mean of its "
        "patches",
        input="aligned face, RGB, in the size and normalisation of the folder's "
        "preprocessor_config.json",
        row="a frame",
        address="https://huggingface.co/facebook/dinov2-small, or another",
        trained_on="by network",
        licence="by network",
        citation="by network; Oquab et al., DINOv2, TMLR 2024",
        note="A transformers folder, config.json, model.safetensors and preprocessor_config.json.",
    ),
)


class Pooling(StrEnum):
    """How an image's tokens become one vector: the class token, or the mean of the patches."""

    CLS = "cls"
    MEAN = "mean"


class Options(BatchedOptions):
    """Options of the feature ``vit``."""

    weights: WeightChoice = weights_field("published:dinov2-small")
    dimension: int = Field(
        384, ge=1, le=1_000_000, description="values per frame, which must be the network's"
    )
    pooling: Lax[Pooling] = Field(
        Pooling.CLS,
        description="of the tokens of the last layer: the class token, or the mean of the patches",
    )

    @property
    def relative_cost(self) -> float:
        """By the width of 384 squared; random weights are of 2 layers in place of 12."""
        share = 2 / 12 if self.weights.startswith(RANDOM) else 1.0
        return share * (self.dimension / 384) ** 2
