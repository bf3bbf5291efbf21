"""Scores of a backbone on the sets of a split."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from circumplex.backbones.forward import ForwardPass, describe_images
from circumplex.backbones.inputs import StillImages
from circumplex.backbones.material import Material
from circumplex.backbones.metrics import (
    Counts,
    ExpressionScore,
    Score,
    UnitScore,
    confusion,
    unit_counts,
)
from circumplex.backbones.model import Answers, output_count
from circumplex.backbones.processes import Processes
from circumplex.backbones.sampling import OrderedBatches
from circumplex.backbones.stills import Stills, StillSplit
from circumplex.config.recipes import Recipe, Task
from circumplex.networks.reproducible import NonFinite


class Scorer:
    """Scores weights of a backbone on images that they were not trained on.

    Args:
        recipe: recipe of the backbone.
        material: images of all sets.
        answers: by split and set, what is right.
        forward: loads images and computes logits.
        processes: processes that score together.
    """

    def __init__(
        self,
        recipe: Recipe,
        material: Material,
        answers: Mapping[StillSplit, Sequence[Answers]],
        forward: ForwardPass,
        processes: Processes,
    ) -> None:
        self._recipe, self._material, self._answers = recipe, material, answers
        self._forward, self._processes = forward, processes

    def score(
        self,
        model: nn.Module,
        weights: Mapping[str, Tensor],
        split: StillSplit,
        chosen: Sequence[int],
    ) -> dict[str, Score]:
        """Score weights on a split, set by set; sets without images are left out.

        Args:
            model: the network; it keeps its own weights, and is left in evaluation mode.
            weights: the weights to score.
            split: split of the images.
            chosen: numbers of the sets.

        Raises:
            NonFinite: an output that is NaN or infinite.
        """
        own = {k: v.detach().clone() for k, v in model.state_dict().items()}
        model.load_state_dict(weights)
        model.eval()
        scores = {}
        for number in chosen:
            stills = self._material.splits[split][number]
            if len(stills):
                answers = self._answers[split][number]
                counts = self._count(model, number, stills, answers)
                scores[self._material.names[number]] = self._make_score(stills, counts)
        model.load_state_dict(own)
        return scores

    def _make_score(self, stills: Stills, counts: Counts) -> Score:
        if self._recipe.task is Task.EXPRESSION:
            return ExpressionScore(stills.description.classes, counts)
        return UnitScore(self._recipe.units, counts)

    def _count(self, model: nn.Module, number: int, stills: Stills, answers: Answers) -> Counts:
        """Count right and wrong outputs of a set's images, over all processes."""
        recipe, processes = self._recipe, self._processes
        size = max(1, recipe.batch_size // processes.count)
        batches = OrderedBatches(len(stills), size, rank=processes.rank, replicas=processes.count)
        images = StillImages([stills], self._forward.input, augment=False)
        outputs = output_count(recipe, stills)
        shape = (outputs, outputs if recipe.task is Task.EXPRESSION else 4)
        counts = np.zeros(shape, np.int64)
        for batch in self._forward.batches(images, batches):
            with torch.inference_mode():
                logits = self._forward.logits(model, batch)[number].float()
            if not torch.isfinite(logits).all():
                raise NonFinite(
                    "an output is not finite for one of the images "
                    + describe_images(batch, [stills])
                )
            valid = batch.valid.numpy()
            rows, predicted = batch.rows.numpy()[valid], logits.cpu().numpy()[valid]
            if recipe.task is Task.EXPRESSION:
                counts += confusion(answers.classes[rows], predicted.argmax(axis=1), outputs)
            else:
                counts += unit_counts(answers.targets[rows], predicted > 0)
        return processes.total(counts, self._forward.device)
