"""Expression feature of the DenseNet (section 3.2.1): 342 values per face.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from typing import Annotated

from pydantic import Field, field_validator

from circumplex.config.densenet_blocks import BLOCKS, check_blocks
from circumplex.config.feature_options import ImageOptions, WeightChoice, weights_field
from circumplex.config.features import Environment, Feature, FeatureText, Need
from circumplex.config.modalities import Modality
from circumplex.config.network_sizes import densenet_size
from circumplex.config.section import Lax

FEATURE = Feature(
    "densenet",
    Modality.VISUAL,
    342,
    order=1,
    environment=Environment.TORCH,
    deep=True,
    weight_keys=("weights",),
    need=Need(mem_mb=2500, cpu_s=0.3, disk_kb=40, gpu=True, start_s=6, fixed_s=0.02),
    text=FeatureText(
        network="DenseNet-BC, growth 12, blocks of {blocks} layers; its average pool before "
        "the classifier",
        input="aligned face, 112x112, as grey 64x64, less its mean, over its deviation",
        row="a frame",
        address="https://github.com/AIM3-RUC/MEmoBert (code/denseface; ask the authors for "
        "the weights)",
        trained_on="FER+ (published code); the paper's own were trained on FER+ and AffectNet",
        licence="not stated by the authors; ask them",
        citation="Meng et al., CVPR Workshops 2022; Huang et al., Densely Connected "
        "Convolutional Networks, CVPR 2017",
        note="The authors of the paper give these weights on request; a PyTorch state dict.",
    ),
)

Layers = Annotated[int, Field(ge=1, le=1000)]


class Options(ImageOptions):
    """Options of the feature ``densenet``."""

    weights: WeightChoice = weights_field("resources/weights/densenet_ferplus.pth")
    blocks: Lax[tuple[Layers, Layers, Layers]] = Field(
        BLOCKS, description="layers of each of the three blocks; 16 in the paper's DenseNet-BC 100"
    )
    mean: float = Field(
        131.0754,
        ge=0,
        le=255,
        description="of the grey values (0 to 255) of the images that the network was trained on "
        "(the group's published FER+ code)",
    )
    deviation: float = Field(
        47.858177, ge=0.001, le=255, description="standard deviation of the same grey values"
    )

    @field_validator("blocks")
    @classmethod
    def _fit(cls, blocks: tuple[int, int, int]) -> tuple[int, int, int]:
        check_blocks(blocks)
        return blocks

    @property
    def relative_cost(self) -> float:
        """By the multiplications."""
        return densenet_size(self.blocks)[0] / densenet_size(BLOCKS)[0]
