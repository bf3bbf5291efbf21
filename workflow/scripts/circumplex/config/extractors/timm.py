"""Any image backbone of timm, on face crops.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from pydantic import Field

from circumplex.config.feature_options import ImageOptions, WeightChoice, weights_field
from circumplex.config.features import Environment, Feature, FeatureText, Need
from circumplex.config.modalities import Modality
from circumplex.config.section import Text

FEATURE = Feature(
    "timm",
    Modality.VISUAL,
    None,
    order=8,
    environment=Environment.TORCH,
    deep=True,
    weight_keys=("weights",),
    need=Need(
        mem_mb=4000, cpu_s=5, disk_kb=90, gpu=True, start_s=6, fixed_s=0.02
    ),  # of the network in config.yaml
    text=FeatureText(
        network="any image backbone of timm, by `architecture`; its pooled features",
        input="aligned face, RGB, in the size and normalisation that timm states for the network",
        row="a frame",
        address="https://huggingface.co/timm (model.safetensors of the network that the "
        "config names)",
        trained_on="by network",
        licence="by network",
        citation="Wightman, PyTorch Image Models, and by network",
        note="A state dict, with or without its classifier.",
    ),
)


class Options(ImageOptions):
    """Options of the feature ``timm``."""

    weights: WeightChoice = weights_field("resources/weights/convnext_tiny.fb_in22k.safetensors")
    architecture: Text = Field(
        "convnext_tiny.fb_in22k",
        description="timm's name of the network, with the tag of the weights, which says how "
        "images are normalised",
    )
    dimension: int = Field(
        768, ge=1, le=1_000_000, description="values per frame, which must be the network's"
    )
