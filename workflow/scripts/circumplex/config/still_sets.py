"""Options of the sets of still images that backbones are trained on, one model per layout.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from enum import StrEnum
from typing import Annotated, Literal, get_args

from pydantic import Field

from circumplex.config.section import Lax, Section, Seed, Text, Whole, defaults_of

Every = Annotated[int, Field(ge=1, le=1_000_000)]


class Target(StrEnum):
    """What an expression network is trained on (Barsoum et al., 2016, for FER+).

    `MAJORITY`: the label; `PROBABILITY`: a class drawn from the votes, anew in each epoch;
    `CROSS_ENTROPY`: the votes as a distribution.
    """

    MAJORITY = "majority"
    PROBABILITY = "probability"
    CROSS_ENTROPY = "cross_entropy"


class Coding(StrEnum):
    """What BP4D's experts coded: 0 or 1 of many action units, or 0 to 5 of a few."""

    OCCURRENCE = "occurrence"
    INTENSITY = "intensity"


class PeopleFolds(Section):
    """Which people are held out; no person is in two splits."""

    count: int = Field(5, ge=2, le=1000, description="of the folds")
    val: int = Field(1, ge=0, le=1000, description="the validation fold, from 1; 0 for none")
    test: int = Field(2, ge=0, le=1000, description="the test fold; 0 for none")
    seed: Seed = Field(0, description="of the division")


class HeldOutImages(Section):
    """Part of the training images as validation set."""

    share: float = Field(0.0, ge=0, le=0.5, description="of the images")
    seed: Seed = Field(0, description="of the choice")


class StillSet(Section):
    """Options of any set."""

    path: Text = Field(description="folder of the set, or its csv (image_table)")
    drop_duplicates: bool = Field(
        False, description="keep an image that is in several splits in the strictest one alone"
    )

    @property
    def usual_images(self) -> int:
        """Images for training, as the set's authors publish them; 0 where it has no usual size."""
        return 0


class FerPlus(StillSet):
    """FER+: votes of ten people on the images of FER2013."""

    kind: Literal["ferplus"]
    target: Lax[Target] = Field(Target.MAJORITY, description="what is trained on")

    @property
    def usual_images(self) -> int:
        """FER2013's training part."""
        return 28_709


class RafDb(StillSet):
    """RAF-DB, single-label subset."""

    kind: Literal["rafdb"]
    held_out: HeldOutImages = defaults_of(HeldOutImages)

    @property
    def usual_images(self) -> int:
        """The training part."""
        return 12_271


class AffectNet(StillSet):
    """AffectNet, in any of its published layouts."""

    kind: Literal["affectnet"]
    classes: Whole[Literal[7, 8]] = Field(8, description="7 is without contempt")
    held_out: HeldOutImages = defaults_of(HeldOutImages)

    @property
    def usual_images(self) -> int:
        """The training part with eight classes."""
        return 287_651


class Bp4d(StillSet):
    """BP4D: action units of filmed people."""

    kind: Literal["bp4d"]
    images: Text = Field(description="folder of aligned crops, named by the frame's number")
    coding: Lax[Coding] = Field(Coding.OCCURRENCE, description="what to read")
    every: Every = Field(1, description="take one frame of so many; neighbours are nearly the same")
    folds: PeopleFolds = defaults_of(PeopleFolds)

    @property
    def usual_images(self) -> int:
        """All coded frames."""
        return 146_847 // self.every


class Disfa(StillSet):
    """DISFA: intensities of action units of filmed people."""

    kind: Literal["disfa"]
    images: Text = Field(description="folder of aligned crops, named by the frame's number")
    first_frame: Whole[Literal[0, 1]] = Field(
        1, description="number of the crop of the first frame"
    )
    every: Every = Field(1, description="take one frame of so many; neighbours are nearly the same")
    folds: PeopleFolds = defaults_of(PeopleFolds)

    @property
    def usual_images(self) -> int:
        """All coded frames."""
        return 130_815 // self.every


class ImageTable(StillSet):
    """Any set as a csv of the user's own, one row per image."""

    kind: Literal["image_table"]
    images: Text | None = Field(None, description="folder of the images; by default the csv's")
    classes: Whole[Literal[0, 7, 8]] = Field(
        8, description="7 is without contempt, 0 without expressions"
    )
    present_from: float = Field(
        1.0,
        ge=1e-6,
        le=1000,
        description="least value of an action unit that is present",
    )
    folds: PeopleFolds = defaults_of(PeopleFolds)


Kinds = FerPlus | RafDb | AffectNet | Bp4d | Disfa | ImageTable
AnyStillSet = Annotated[Kinds, Field(discriminator="kind")]


def kinds() -> list[str]:
    """Names of the layouts that are known."""
    return [get_args(model.model_fields["kind"].annotation)[0] for model in get_args(Kinds)]
