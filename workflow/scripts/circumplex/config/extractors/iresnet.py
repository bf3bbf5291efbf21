"""Expression feature of the IResNet (section 3.2.1): 512 values per face.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from typing import Literal

from pydantic import Field

from circumplex.config.feature_options import ImageOptions, WeightChoice, weights_field
from circumplex.config.features import Environment, Feature, FeatureText, Need
from circumplex.config.modalities import Modality
from circumplex.config.network_sizes import iresnet_size
from circumplex.config.section import Whole

FEATURE = Feature(
    "iresnet",
    Modality.VISUAL,
    512,
    order=2,
    environment=Environment.TORCH,
    deep=True,
    weight_keys=("weights",),
    need=Need(mem_mb=3000, cpu_s=8.6, disk_kb=60, gpu=True, start_s=5, fixed_s=0.02),
    text=FeatureText(
        network="IResNet{depth} of ArcFace, {channels} channels in its first stage "
        "(expressions); its embedding",
        input="aligned face, 112x112, RGB from −1 to 1",
        row="a frame",
        address="the paper's authors, on request",
        trained_on="FER+, RAF-DB, AffectNet",
        licence="research use, by the data sets' licences",
        citation="Meng et al., CVPR Workshops 2022; Deng et al., ArcFace, CVPR 2019",
        note="The authors of the paper give these weights only on request; nothing of "
        "them is published. A PyTorch state dict with ArcFace's names, theirs or "
        "your own, or its public start, ArcFace's Glint360K R100 (face recognition).",
        start="glint360k_r100",
    ),
)


class Options(ImageOptions):
    """Options of the features ``iresnet`` and ``fau``."""

    weights: WeightChoice = weights_field("resources/weights/iresnet100_expression.pth")
    depth: Whole[Literal[18, 34, 50, 100]] = Field(
        100, description="layers; 100 in the paper's network"
    )
    channels: int = Field(
        64,
        ge=1,
        le=4096,
        description="of the first of four stages, each of which has twice those of the one before; "
        "64 in ArcFace's networks",
    )

    @property
    def relative_cost(self) -> float:
        """By the multiplications, of which the paper's network has 12 thousand million."""
        paper = iresnet_size(100, 64)[0]
        return iresnet_size(self.depth, self.channels)[0] / paper
