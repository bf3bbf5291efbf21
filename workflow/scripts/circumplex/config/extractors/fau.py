"""Facial action unit feature (section 3.2.1): an IResNet's 512 values with other weights.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from circumplex.config.extractors import iresnet
from circumplex.config.feature_options import WeightChoice, weights_field
from circumplex.config.features import Environment, Feature, FeatureText, Need
from circumplex.config.modalities import Modality

FEATURE = Feature(
    "fau",
    Modality.VISUAL,
    512,
    order=3,
    environment=Environment.TORCH,
    deep=True,
    weight_keys=("weights",),
    need=Need(mem_mb=3000, cpu_s=8.6, disk_kb=60, gpu=True, start_s=5, fixed_s=0.02),
    text=FeatureText(
        network="IResNet{depth} of ArcFace, {channels} channels in its first stage (action "
        "units); its embedding",
        input="aligned face, 112x112, RGB from −1 to 1",
        row="a frame",
        address="the paper's authors, on request",
        trained_on="Glint360K, then a private action unit set of 15 units",
        licence="research use, by the data sets' licences",
        citation="Meng et al., CVPR Workshops 2022; Deng et al., ArcFace, CVPR 2019",
        note="The authors of the paper give these weights only on request; nothing of "
        "them is published. A PyTorch state dict with ArcFace's names, theirs or "
        "your own, or its public start, ArcFace's Glint360K R100 (face recognition).",
        start="glint360k_r100",
    ),
)


class Options(iresnet.Options):
    """Options of the feature ``fau``."""

    weights: WeightChoice = weights_field("resources/weights/iresnet100_action_units.pth")
