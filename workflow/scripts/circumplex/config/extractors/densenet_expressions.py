"""Probabilities of eight expressions by a DenseNet that this project trained.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from pydantic import Field

from circumplex.config.extractors import densenet
from circumplex.config.feature_options import WeightChoice, weights_field
from circumplex.config.features import Environment, Feature, FeatureText, Need
from circumplex.config.modalities import Modality
from circumplex.config.network_sizes import densenet_size
from circumplex.config.section import Lax

SHIPPED_BLOCKS = (6, 9, 22)
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
    need=Need(mem_mb=2500, cpu_s=0.14, disk_kb=3, gpu=True, start_s=6, fixed_s=0.02),
    text=FeatureText(
        network="DenseNet-BC, growth 12, blocks of {blocks} layers; its probabilities of eight "
        "expressions. The paper's DenseNet has blocks of 16, 16 and 16 layers",
        input="aligned face, framed and reduced to 48x48 as FER+'s images are, as grey 64x64, less "
        "its mean, over its deviation; and its mirror image",
        row="a frame",
        address="in the package (config/weights.yaml)",
        trained_on="FER+, by this project",
        licence="research use alone, as FER2013's images are",
        citation="Huang et al., Densely Connected Convolutional Networks, CVPR 2017; Barsoum et "
        "al., Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label "
        "Distribution, ICMI 2016",
        note="A state dict of the network that `circumplex backbone` trains.",
        published="densenet_6_9_22_ferplus",
    ),
)


class Options(densenet.Options):
    """Options of the feature ``densenet_expressions``."""

    weights: WeightChoice = weights_field("published:densenet_6_9_22_ferplus")
    blocks: Lax[tuple[densenet.Layers, densenet.Layers, densenet.Layers]] = Field(
        SHIPPED_BLOCKS,
        description="layers of each of the three blocks, as the network was trained",
    )

    @property
    def relative_cost(self) -> float:
        """By the multiplications, beside the network that ships."""
        return densenet_size(self.blocks)[0] / densenet_size(SHIPPED_BLOCKS)[0]
