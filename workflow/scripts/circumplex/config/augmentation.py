"""Changes at random to the images that a backbone is trained on, with their defaults.

Those of the DenseNet are the authors' published FER+ code's; the paper names none for the IResNet,
whose defaults are our choice.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from typing import Annotated

from pydantic import Field

from circumplex.config.section import Section

Share = Annotated[float, Field(ge=0, le=1)]


class DenseNetAugmentation(Section):
    """Changes to the grey images of a recipe with network densenet, and their normalisation."""

    flip: Share = Field(0.5, description="probability of a mirror image")
    rotation_deg: float = Field(
        15.0, ge=0, le=180, description="largest rotation either way, in degrees"
    )
    pad: int = Field(
        8, ge=0, le=64, description="pixels added on each side before the crop: the largest shift"
    )
    mean: float = Field(131.0754, ge=0, le=255, description="mean of the grey values")
    deviation: float = Field(
        47.858177, ge=0.001, le=255, description="standard deviation of the grey values"
    )


class IResNetAugmentation(Section):
    """Changes to the images of a recipe with network iresnet (our choice)."""

    flip: Share = Field(0.5, description="probability of a mirror image")
    rotation_deg: float = Field(
        10.0, ge=0, le=180, description="largest rotation either way, in degrees"
    )
    scale: float = Field(
        0.05, ge=0, le=0.9, description="largest change of size: 0.05 is 0.95 to 1.05"
    )
    shift_px: float = Field(
        4.0, ge=0, le=112, description="largest shift along either axis, in pixels"
    )
    brightness: Share = Field(0.2, description="largest change: 0.2 is a factor of 0.8 to 1.2")
    contrast: Share = Field(0.2, description="the same, about the image's mean grey")
    saturation: Share = Field(0.2, description="the same, about each pixel's grey")
    grey: Share = Field(
        0.1, description="probability of an image without colour, as those of FER+ are"
    )
    blur: Share = Field(0.1, description="probability of a Gaussian blur")
    blur_sigma_px: float = Field(
        1.5, ge=0.1, le=50, description="its largest standard deviation, in pixels"
    )
    erasing: Share = Field(0.0, description="probability that a rectangle turns to noise")
    erasing_area: Share = Field(0.2, description="its largest share of the image")
