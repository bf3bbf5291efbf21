"""What a backbone is trained on and how: a recipe of the config as typed values.

Section 3.2.1 of the paper names the sets and the networks; `config.yaml` says which of a recipe's
values are published and which are our choice.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from circumplex.config.augmentation import DenseNetAugmentation, IResNetAugmentation, Share
from circumplex.config.densenet_blocks import BLOCKS, check_blocks
from circumplex.config.feature_options import WeightChoice
from circumplex.config.network_sizes import densenet_size, iresnet_size
from circumplex.config.precision import Precision
from circumplex.config.section import Lax, Section, Seed, Text, Unique, Whole, check_part

Layers = Annotated[int, Field(ge=1, le=1000)]
Unit = Annotated[int, Field(ge=1, le=99)]
Phase = Lax[Annotated[tuple[Text, ...], Field(min_length=1)]]


class Task(StrEnum):
    """What a backbone learns to tell: one of the expression classes, or each action unit."""

    EXPRESSION = "expression"
    ACTION_UNITS = "action_units"


class Architecture(StrEnum):
    """Networks of `circumplex.networks` that can be trained."""

    DENSENET = "densenet"
    IRESNET = "iresnet"


class Optimiser(StrEnum):
    """Update rule."""

    ADAM = "adam"
    ADAMW = "adamw"
    SGD = "sgd"


class Decay(StrEnum):
    """Course of the learning rate after the warm-up, in each phase anew.

    `HALVING`: halved every ``halve_every`` epochs; `COSINE`: to 0 at the last epoch.
    """

    CONSTANT = "constant"
    HALVING = "halving"
    COSINE = "cosine"


AUGMENTATION: Mapping[Architecture, type[DenseNetAugmentation | IResNetAugmentation]] = {
    Architecture.DENSENET: DenseNetAugmentation,
    Architecture.IRESNET: IResNetAugmentation,
}
"""Changes to the images that the input of a network knows."""


class Recipe(Section):
    """How one backbone is trained."""

    task: Lax[Task] = Field(description="classes of expression or action units")
    network: Lax[Architecture] = Field(description="that is trained")
    phases: Lax[Annotated[tuple[Phase, ...], Field(min_length=1)]] = Field(
        description="names of the sets of still images, trained on phase after phase; those of a "
        "phase together, each with a head of its own. The DenseNet has its one classifier for all"
    )
    start: WeightChoice | None = Field(
        None,
        description="weights to start from: a file, or published:<name>; random weights by default",
    )
    paper: dict[Text, Share] = Field({}, description="published accuracy by set")
    depth: Whole[Literal[18, 34, 50, 100]] = Field(100, description="layers of an iresnet")
    channels: int = Field(
        64, ge=1, le=4096, description="of the first stage of an iresnet; 64 in ArcFace's"
    )
    blocks: Lax[tuple[Layers, Layers, Layers]] = Field(
        BLOCKS, description="layers of each block of a densenet"
    )
    units: Unique[tuple[Unit, ...]] = Field((), description="action units to learn, by number")
    max_positive_weight: float = Field(
        10.0,
        ge=1,
        le=1e6,
        description="most that an image that shows an action unit counts, in images that do not; "
        "the weight is their ratio in the training images",
    )
    optimiser: Lax[Optimiser] = Field(Optimiser.ADAM, description="update rule")
    learning_rate: float = Field(1e-3, ge=1e-12, le=100, description="after the warm-up")
    weight_decay: float = Field(0.0, ge=0, le=100, description="of all weights")
    momentum: float = Field(0.9, ge=0, le=0.999999, description="of sgd")
    batch_size: int = Field(64, ge=2, le=65_536, description="images per step, over all GPUs")
    epochs: int = Field(200, ge=1, le=100_000, description="most of a phase")
    epoch_size: int | None = Field(
        None,
        ge=1,
        le=1_000_000_000,
        description="images per epoch; as many as the sets hold by default",
    )
    patience: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="epochs without a better score after which a phase ends; never by default",
    )
    warm_up: float = Field(
        0.0, ge=0, le=100_000, description="epochs in which the rate rises from 0"
    )
    decay: Lax[Decay] = Field(
        Decay.CONSTANT, description="course of the learning rate after the warm-up"
    )
    halve_every: int = Field(40, ge=1, le=100_000, description="epochs, of decay halving")
    clip_norm: float | None = Field(
        None, ge=1e-12, le=1e12, description="most of the gradient's norm; any by default"
    )
    dropout: float = Field(0.0, ge=0, le=0.999999, description="before the heads")
    set_balance: Share = Field(
        0.0, description="0 draws a set's images by its size, 1 all sets equally often"
    )
    class_balance: Share = Field(0.0, description="the same for the classes of a set")
    ema: float | None = Field(
        None,
        ge=0,
        le=0.9999999,
        description="decay of the exponential moving average of the weights, which is then what is "
        "scored and kept; the weights themselves by default",
    )
    precision: Lax[Precision] = Field(Precision.FLOAT32, description="of the network's arithmetic")
    augmentation: DenseNetAugmentation | IResNetAugmentation = Field(
        default_factory=dict,
        validate_default=True,
        description="changes at random to the images, by the keys that its network knows",
    )
    seed: Seed = Field(0, description="of initial weights, draws and augmentation")

    @field_validator("augmentation", mode="before")
    @classmethod
    def _read_augmentation(cls, values: Any, info: ValidationInfo) -> Any:
        if isinstance(values, Section):
            return values
        if not isinstance(values, Mapping):
            raise ValueError(f"is {values!r}: must be a mapping")
        if "network" not in info.data:  # which is refused
            return DenseNetAugmentation.read({})
        return check_part(AUGMENTATION[info.data["network"]], values)

    @field_validator("blocks")
    @classmethod
    def _fit(cls, blocks: tuple[int, int, int]) -> tuple[int, int, int]:
        check_blocks(blocks)
        return blocks

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        for phase in self.phases:
            if len(set(phase)) < len(phase):
                raise ValueError("names a set twice in one phase")
        if self.network is Architecture.DENSENET and self.task is not Task.EXPRESSION:
            raise ValueError(
                "the DenseNet learns expressions; action units are for network: iresnet"
            )
        if (self.task is Task.ACTION_UNITS) != bool(self.units):
            raise ValueError("units are named where, and only where, the task is action_units")
        return self

    @classmethod
    def parse(cls, name: str, values: Mapping[str, Any]) -> "Recipe":
        """Read a recipe of the config.

        Raises:
            RequestError: a line for each problem.
        """
        return cls.read(values, f"backbones.recipes.{name}")

    @property
    def sets(self) -> tuple[str, ...]:
        """Every set of still images, once, in the order of the phases."""
        return tuple(dict.fromkeys(name for phase in self.phases for name in phase))

    @property
    def products(self) -> int:
        """Multiplications of one image forward."""
        return self._size[0]

    @property
    def size(self) -> int:
        """Numbers in the network's weights."""
        return self._size[1]

    @property
    def _size(self) -> tuple[int, int]:
        if self.network is Architecture.DENSENET:
            return densenet_size(self.blocks)
        return iresnet_size(self.depth, self.channels)
