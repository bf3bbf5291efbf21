"""What a backbone is trained on and how: a recipe of the config as typed values.

Section 3.2.1 of the paper names the sets and the networks; `config.yaml` says which of a recipe's
values are published and which are ours. Imported while the workflow is parsed: standard library
only.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from circumplex.config.densenet_blocks import BLOCKS, check_blocks
from circumplex.errors import RequestError


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


class Precision(StrEnum):
    """Arithmetic of the network; weights, optimiser and loss are float32 in both."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


@dataclass(frozen=True)
class Recipe:
    """How one backbone is trained.

    Attributes:
        task: see `Task`.
        network: see `Architecture`.
        phases: names of the sets of still images, trained on phase after phase; the sets of a phase
            together, each with a head of its own. The DenseNet has its one classifier for all.
        depth: layers of an IResNet.
        channels: of the first stage of an IResNet; 64 in ArcFace's.
        blocks: layers of each of the DenseNet's three.
        units: action units to learn, by number.
        max_positive_weight: most that an image that shows an action unit may count, in images that
            do not; the weight is their ratio in the training images.
        optimiser: see `Optimiser`.
        learning_rate: after the warm-up.
        weight_decay: of all weights.
        momentum: of SGD.
        batch_size: images a step, over all GPUs.
        epochs: most of a phase.
        epoch_size: images an epoch; none for as many as the sets hold.
        patience: epochs without a better score after which a phase ends; none for never.
        warm_up: epochs in which the rate rises from 0.
        decay: see `Decay`.
        halve_every: epochs, for `Decay.HALVING`.
        clip_norm: most of the gradient's norm; none for any.
        dropout: before the heads.
        set_balance: 0 draws a set's images by its size, 1 all sets equally often.
        class_balance: the same for the classes of a set.
        ema: decay of the exponential moving average of the weights, which is then what is scored
            and kept; none for the weights themselves.
        precision: see `Precision`.
        augmentation: changes of `circumplex.backbones.inputs` to its defaults.
        seed: of initial weights, draws and augmentation.
    """

    task: Task
    network: Architecture
    phases: tuple[tuple[str, ...], ...]
    depth: int = 100
    channels: int = 64
    blocks: tuple[int, int, int] = BLOCKS
    units: tuple[int, ...] = ()
    max_positive_weight: float = 10.0
    optimiser: Optimiser = Optimiser.ADAM
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    momentum: float = 0.9
    batch_size: int = 64
    epochs: int = 200
    epoch_size: int | None = None
    patience: int | None = None
    warm_up: float = 0.0
    decay: Decay = Decay.CONSTANT
    halve_every: int = 40
    clip_norm: float | None = None
    dropout: float = 0.0
    set_balance: float = 0.0
    class_balance: float = 0.0
    ema: float | None = None
    precision: Precision = Precision.FLOAT32
    augmentation: Mapping[str, float] | None = None
    seed: int = 0

    @classmethod
    def parse(cls, name: str, values: Mapping[str, Any]) -> "Recipe":
        """Read a recipe of the config, which its schema has checked key by key.

        Raises:
            RequestError: values that do not go together.
        """
        known = {field.name for field in fields(cls)}
        chosen = {key: value for key, value in values.items() if key in known}
        enums = {
            "task": Task,
            "network": Architecture,
            "optimiser": Optimiser,
            "decay": Decay,
            "precision": Precision,
        }
        for key, enum in enums.items():
            if key in chosen:
                chosen[key] = enum(chosen[key])
        chosen["phases"] = tuple(tuple(phase) for phase in chosen["phases"])
        for key in ("units", "blocks"):
            if key in chosen:
                chosen[key] = tuple(chosen[key])
        recipe = cls(**chosen)
        for phase in recipe.phases:
            if len(set(phase)) < len(phase):
                raise RequestError(f"config: recipe {name} names a set twice in one phase")
        check_blocks(recipe.blocks, f"recipe {name}")
        if recipe.network is Architecture.DENSENET and recipe.task is not Task.EXPRESSION:
            raise RequestError(
                f"config: recipe {name}: the DenseNet learns expressions; action units are for "
                "network: iresnet"
            )
        if (recipe.task is Task.ACTION_UNITS) != bool(recipe.units):
            raise RequestError(
                f"config: recipe {name}: units are named where, and only where, the task is "
                "action_units"
            )
        return recipe

    @property
    def sets(self) -> tuple[str, ...]:
        """Every set of still images, once, in the order of the phases."""
        return tuple(dict.fromkeys(name for phase in self.phases for name in phase))

    def rate(self, done: float) -> float:
        """Learning rate of a step.

        Args:
            done: epochs of the phase before the step, with the part of the running one.
        """
        rate = self.learning_rate * min(1.0, done / self.warm_up if self.warm_up else 1.0)
        match self.decay:
            case Decay.HALVING:
                rate *= 0.5 ** (int(done) // self.halve_every)
            case Decay.COSINE:
                past = max(0.0, done - self.warm_up) / max(self.epochs - self.warm_up, 1e-9)
                rate *= 0.5 * (1 + math.cos(math.pi * min(1.0, past)))
            case Decay.CONSTANT:
                pass
        return rate
