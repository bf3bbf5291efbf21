"""A network of still faces with a head for each set, and what its outputs cost."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from circumplex.backbones.inputs import DenseNetInput, IResNetInput, StillInput
from circumplex.backbones.stills import NO_LABEL, Stills
from circumplex.config.recipes import Architecture, Recipe, Task
from circumplex.config.still_sets import Target
from circumplex.errors import RequestError
from circumplex.networks.densenet import DenseNetBC
from circumplex.networks.iresnet import FACTORIES, FEATURES, Depth, IResNet
from circumplex.networks.iresnet_onnx import read_state
from circumplex.networks.weights import Weights, load_into


class Heads(nn.Module):
    """A backbone with a linear head for each set, all of which see each image.

    Args:
        backbone: (batch, channels, height, width) to (batch, `FEATURES`).
        outputs: number of outputs of each head.
        dropout: probability of dropout before the heads.
    """

    def __init__(self, backbone: IResNet, outputs: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleList(nn.Linear(FEATURES, count) for count in outputs)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Logits (batch, outputs) of each head."""
        features = self.dropout(self.backbone(images))
        return [head(features) for head in self.heads]


class Shared(nn.Module):
    """The DenseNet with its one classifier: a set of seven classes reads its first seven."""

    def __init__(self, backbone: DenseNetBC, outputs: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self._outputs = tuple(outputs)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Logits (batch, outputs) of each set."""
        logits = self.backbone.classifier(self.dropout(self.backbone.embed(images)))
        return [logits[:, :count] for count in self._outputs]


def build_model(recipe: Recipe, sets: Sequence[Stills], start: Weights | None) -> nn.Module:
    """Build the network to train, drawn from PyTorch's generator or started from a checkpoint.

    Args:
        recipe: names the architecture.
        sets: what the heads are for.
        start: weights that the backbone starts from; none to draw them.

    Raises:
        RequestError: the checkpoint is missing or does not fit.
    """
    outputs = [output_count(recipe, stills) for stills in sets]
    model: Shared | Heads
    if recipe.network is Architecture.DENSENET:
        model = Shared(DenseNetBC(recipe.blocks), outputs, recipe.dropout)
    else:
        backbone = FACTORIES[Depth(recipe.depth)](recipe.channels)
        model = Heads(backbone, outputs, recipe.dropout)
    if start is not None:
        read = None if recipe.network is Architecture.DENSENET else read_state
        load_into(model.backbone, start, read)
    return model


def output_count(recipe: Recipe, stills: Stills) -> int:
    """Count the outputs of a set's head.

    Raises:
        RequestError: the set has no expression classes to learn.
    """
    if recipe.task is Task.ACTION_UNITS:
        return len(recipe.units)
    if not stills.description.classes:
        raise RequestError(f"set {stills.description.name} has no expression classes to learn")
    return len(stills.description.classes)


def make_input(recipe: Recipe) -> StillInput:
    """Make the input of the recipe's network, with the recipe's augmentation."""
    is_densenet = recipe.network is Architecture.DENSENET
    kind: type[Any] = DenseNetInput if is_densenet else IResNetInput
    still_input: StillInput = kind(**recipe.augmentation.plain())
    return still_input


def select_labelled(recipe: Recipe, stills: Stills) -> Stills:
    """Select the images of a set that have a label for the task."""
    if recipe.task is Task.EXPRESSION:
        known = stills.labels != NO_LABEL
    else:
        known = ~np.isnan(stills.units(recipe.units)).all(axis=1)
    return replace(stills, rows=stills.rows[known])


@dataclass(frozen=True, eq=False)
class Answers:
    """What the images of a set should come out as.

    Attributes:
        classes: (images,) index of the expression; zeros for action units.
        targets: (images, outputs) distribution over the classes, or 1 and 0 of the units, NaN
            where not annotated.
    """

    classes: NDArray[np.int64]
    targets: NDArray[np.float32]


def make_answers(recipe: Recipe, stills: Stills, rng: np.random.Generator) -> Answers:
    """Make the answers for the images of a set, which are labelled.

    Args:
        recipe: recipe that names the task.
        stills: images of the set; its description says what an image with votes is trained
            towards.
        rng: generator that draws targets.
    """
    if recipe.task is Task.ACTION_UNITS:
        return Answers(np.zeros(len(stills), np.int64), stills.present(recipe.units))
    labels = stills.labels.astype(np.int64)
    targets = np.eye(output_count(recipe, stills), dtype=np.float32)[labels]
    if stills.description.target is not Target.MAJORITY:
        voted = ~np.isnan(stills.votes).any(axis=1)
        votes = stills.votes[voted]
        if stills.description.target is Target.PROBABILITY and len(votes):
            drawn = (rng.random((len(votes), 1)) > votes.cumsum(axis=1)).sum(axis=1)
            votes = np.eye(votes.shape[1], dtype=np.float32)[drawn.clip(max=votes.shape[1] - 1)]
        targets[voted] = votes
    return Answers(labels, targets)


def positive_weights(recipe: Recipe, answers: Sequence[Answers]) -> NDArray[np.float32]:
    """Compute the weight of an image that shows a unit: of those that do not, per one that does.

    One weight of 1 for expressions, which have none.
    """
    if recipe.task is not Task.ACTION_UNITS:
        return np.ones(1, np.float32)
    targets = np.concatenate([of_set.targets for of_set in answers])
    shown, absent = (targets == 1).sum(axis=0), (targets == 0).sum(axis=0)
    ratio = np.where(shown > 0, absent / np.maximum(shown, 1), 1.0)
    return ratio.clip(1.0, recipe.max_positive_weight).astype(np.float32)


def compute_loss(
    recipe: Recipe, logits: Sequence[Tensor], sets: Tensor, targets: Tensor, weights: Tensor
) -> Tensor:
    """Compute the loss of a batch: the mean over its images, or over its annotated action units.

    Args:
        recipe: names the task.
        logits: logits of each set's head, (batch, outputs).
        sets: (batch,) number of the set of each image.
        targets: (batch, widest outputs), see `Answers`; padded with NaN.
        weights: (units,) weights from `positive_weights`.
    """
    total = logits[0].new_zeros(())
    count = logits[0].new_zeros(())
    for number, of_set in enumerate(logits):
        # Every head sees every image, so that each has a gradient on each GPU; most weigh 0.
        mine = (sets == number).unsqueeze(1)
        wanted = targets[:, : of_set.shape[1]]
        known = (mine & ~torch.isnan(wanted)).float()
        wanted = torch.nan_to_num(wanted)
        values = of_set.float()
        if recipe.task is Task.ACTION_UNITS:
            costs = functional.binary_cross_entropy_with_logits(
                values, wanted, reduction="none", pos_weight=weights
            )
            count = count + known.sum()
        else:
            costs = -wanted * functional.log_softmax(values, dim=1)
            count = count + mine.sum()
        total = total + (costs * known).sum()
    return total / count.clamp(min=1)
