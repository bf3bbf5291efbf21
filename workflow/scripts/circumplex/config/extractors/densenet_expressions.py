"""Probabilities of eight expressions by a DenseNet that this project trained.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from typing import Annotated

from pydantic import Field, field_validator

from circumplex.config.augmentation import DenseNetAugmentation
from circumplex.config.densenet_blocks import BLOCKS, check_blocks
from circumplex.config.feature_options import ImageOptions, WeightChoice, weights_field
from circumplex.config.features import Environment, Feature, FeatureText, Need
from circumplex.config.modalities import Modality
from circumplex.config.network_sizes import densenet_size
from circumplex.config.section import Lax

EXPRESSIONS = (
    *("neutral", "happiness", "surprise", "sadness"),
    *("anger", "disgust", "fear", "contempt"),
)

FEATURE = Feature(
    "densenet_expressions",
    Modality.VISUAL,
    len(EXPRESSIONS),
    order=12,
    environment=Environment.TORCH,
    deep=True,
    weight_keys=("weights",),
    columns=EXPRESSIONS,
    need=Need(mem_mb=2500, cpu_s=0.3, disk_kb=3, gpu=True, start_s=6, fixed_s=0.02),
    text=FeatureText(
        network="DenseNet-BC, growth 12, blocks of {blocks} layers; its probabilities of eight "
        "expressions. The paper's DenseNet has blocks of 16, 16 and 16 layers",
        input="aligned face, framed and reduced to 48x48 as FER+'s images are, as grey 64x64, less "
        "its mean, over its deviation; and its mirror image",
        row="a frame",
        address="in the package (config/weights.yaml)",
        trained_on="FER+, by this project",
        licence="Apache-2.0, for research: the licences of FER2013's images bind its use",
        citation="Huang et al., Densely Connected Convolutional Networks, CVPR 2017; Barsoum et "
        "al., Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label "
        "Distribution, ICMI 2016",
        note="A state dict of the network that `circumplex backbone` trains.",
        published="densenet_6_9_22_ferplus",
    ),
)

Layers = Annotated[int, Field(ge=1, le=1000)]
TRAINING = DenseNetAugmentation.read({})


class Options(ImageOptions):
    """Options of the feature ``densenet_expressions``."""

    weights: WeightChoice = weights_field("published:densenet_6_9_22_ferplus")
    blocks: Lax[tuple[Layers, Layers, Layers]] = Field(
        (6, 9, 22), description="layers of each of the three blocks, as the network was trained"
    )
    mean: float = Field(
        TRAINING.mean, ge=0, le=255, description="of the grey values that training took away"
    )
    deviation: float = Field(
        TRAINING.deviation, ge=0.001, le=255, description="by which training divided them"
    )

    @field_validator("blocks")
    @classmethod
    def _fit(cls, blocks: tuple[int, int, int]) -> tuple[int, int, int]:
        check_blocks(blocks)
        return blocks

    @property
    def relative_cost(self) -> float:
        """By the multiplications, beside the paper's network."""
        return densenet_size(self.blocks)[0] / densenet_size(BLOCKS)[0]
