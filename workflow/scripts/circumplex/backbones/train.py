"""Training of a backbone on sets of still images (section 3.2.1): one loop for every recipe.

On a CPU the same arguments give the same bytes, also after a kill: every epoch draws from
generators seeded with (seed, phase, epoch). Several processes (torchrun) train on their shares of
each batch and end with the same weights.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from circumplex.backbones.average import WeightAverage
from circumplex.backbones.forward import ForwardPass, describe_images
from circumplex.backbones.inputs import StillBatch, StillImages
from circumplex.backbones.material import Material
from circumplex.backbones.metrics import Score, json_number
from circumplex.backbones.model import (
    Answers,
    build_model,
    compute_loss,
    make_answers,
    positive_weights,
)
from circumplex.backbones.processes import Processes
from circumplex.backbones.sampling import BalancedBatches
from circumplex.backbones.schedule import compute_rate
from circumplex.backbones.scoring import Scorer
from circumplex.backbones.stills import StillSplit
from circumplex.config.recipes import Optimiser, Recipe, Task
from circumplex.io.digests import value_digest
from circumplex.io.tensors import write_safetensors
from circumplex.networks.reproducible import NonFinite, reproducible, seed_epoch
from circumplex.networks.weights import Weights

logger = logging.getLogger(__name__)
STATE = "state.safetensors"
RECORD = "record"
SEED_BYTES = 4
"""Size of an epoch's seed."""
BACKBONE = "backbone."
"""Prefix of the backbone's tensors in the model, which has heads beside it."""


@dataclass(frozen=True)
class Result:
    """A trained backbone.

    Attributes:
        state: tensors of the backbone, named as the extractors load them.
        log: one row per epoch.
        scores: by split and set; where a split has images.
        untrained: action units that no training image is annotated for.
        kept: ``phase`` and ``epoch`` whose weights these are, both from 1.
    """

    state: Mapping[str, Tensor]
    log: tuple[Mapping[str, Any], ...]
    scores: Mapping[str, Mapping[str, Score]]
    untrained: tuple[int, ...]
    kept: Mapping[str, int]


@dataclass
class Progress:
    """How far a training is; a killed one resumes from it.

    Attributes:
        phase: number of the running phase, from 0.
        epoch: number of its finished epochs.
        best: score of its best epoch.
        since: epochs since the best one.
        updates: steps of the phase.
        log: one row per epoch.
    """

    phase: int = 0
    epoch: int = 0
    best: float = -1.0
    since: int = 0
    updates: int = 0
    log: list[dict[str, Any]] = field(default_factory=list)


def train_backbone(
    recipe: Recipe,
    tables: Mapping[str, Path],
    work: Path,
    *,
    start: Weights | None = None,
    device: str = "cpu",
    workers: int = 0,
    processes: Processes | None = None,
    on_epoch: Callable[[Mapping[str, Any]], object] | None = None,
) -> Result:
    """Train a backbone, or go on with what ``work`` holds of the same training.

    Args:
        recipe: what to train and how.
        tables: by set of the recipe, the table of its stills.
        work: folder of the resumable state; the caller removes it once the result is kept.
        start: checkpoint of the backbone to start from; none for random weights.
        device: PyTorch's name of the device.
        workers: number of processes that load images.
        processes: the processes that train together; by default this one alone.
        on_epoch: called with each epoch's row, after the state is written.

    Raises:
        RequestError: sets or a checkpoint that the recipe cannot use.
        SampleError: an image that is gone since the set was listed.
        NonFinite: a loss or an output that is NaN or infinite.
    """
    processes = processes or Processes()
    material = Material.read(recipe, tables)
    identity = value_digest(
        [
            recipe.plain(),
            {name: hashlib.sha256(tables[name].read_bytes()).hexdigest() for name in tables},
            start.identity() if start else None,
            [torch.__version__, device, processes.count],
        ]
    )
    forward = ForwardPass(recipe, torch.device(device), workers)
    with reproducible(forward.device):
        training = _Training(recipe, material, start, forward, processes)
        training.resume(work, identity)
        for row in training.run():
            if processes.first:
                training.save(work, identity)
            if on_epoch:
                on_epoch(row)
        return training.result()


class _Training:
    """A training under way: the network, and how far it is.

    Args:
        recipe: what to train and how.
        material: images of the recipe's sets.
        start: checkpoint of the backbone to start from; none for random weights.
        forward: loads images and computes logits.
        processes: the processes that train together.
    """

    def __init__(
        self,
        recipe: Recipe,
        material: Material,
        start: Weights | None,
        forward: ForwardPass,
        processes: Processes,
    ) -> None:
        self._recipe, self._material = recipe, material
        self._forward, self._processes = forward, processes
        sets = material.splits[StillSplit.TRAIN]
        seed_epoch(recipe.seed, 0, 0, size=SEED_BYTES)
        self._model = build_model(recipe, sets, start).to(forward.device)
        self._model.to(memory_format=torch.channels_last)
        self._kept = {k: v.detach().clone() for k, v in self._model.state_dict().items()}
        self._average = WeightAverage(recipe.ema, self._kept)
        self._optimiser = build_optimiser(recipe, self._model)
        self._progress = Progress()
        drawn = np.random.default_rng(recipe.seed)
        self._answers = {
            split: [make_answers(recipe, stills, drawn) for stills in of_split]
            for split, of_split in material.splits.items()
        }
        weights = positive_weights(recipe, self._answers[StillSplit.TRAIN])
        self._positive_weights = torch.from_numpy(weights).to(forward.device)
        self._scorer = Scorer(recipe, material, self._answers, forward, processes)

    def run(self) -> Iterator[dict[str, Any]]:
        """Train phase after phase, from where the training is; yields the row of each epoch."""
        for phase in range(self._progress.phase, len(self._recipe.phases)):
            if self._progress.phase < phase:
                self._start_phase(phase)
            while not self._ends_phase():
                yield self._run_epoch()

    def _start_phase(self, phase: int) -> None:
        """Go on from the best weights of the phase before, with an optimiser without state."""
        self._model.load_state_dict(self._kept)
        self._average = WeightAverage(
            self._recipe.ema, {k: v.clone() for k, v in self._kept.items()}
        )
        self._optimiser = build_optimiser(self._recipe, self._model)
        self._progress = Progress(phase, log=self._progress.log)

    def _ends_phase(self) -> bool:
        """Whether the phase had its last epoch, or its patience is over."""
        recipe, progress = self._recipe, self._progress
        out_of_patience = recipe.patience is not None and progress.since >= recipe.patience
        return progress.epoch >= recipe.epochs or out_of_patience

    def _run_epoch(self) -> dict[str, Any]:
        """Train an epoch, score it, and keep its weights if none of the phase were better."""
        progress = self._progress
        progress.epoch += 1
        began = time.monotonic()
        chosen = self._chosen_sets()
        loss = self._train_epoch(chosen)
        weights = self._scored_weights()
        scores = self._scorer.score(self._model, weights, StillSplit.VAL, chosen)
        value = float(np.mean([s.value for s in scores.values()])) if scores else float("nan")
        if not scores or value > progress.best:
            progress.best, progress.since = value, 0
            weights = self._scored_weights()
            self._kept = {k: v.detach().clone() for k, v in weights.items()}
        else:
            progress.since += 1
        row = self._describe_epoch(loss, value, scores)
        progress.log.append(row)
        if self._processes.first:
            logger.info("%s, %.0f s", row, time.monotonic() - began)
        return row

    def _describe_epoch(
        self, loss: float, value: float, scores: Mapping[str, Score]
    ) -> dict[str, Any]:
        progress = self._progress
        return {
            "phase": progress.phase + 1,
            "epoch": progress.epoch,
            "learning_rate": compute_rate(self._recipe, progress.epoch - 1),
            "loss": loss,
            "score": json_number(value),
            **{name: json_number(score.value) for name, score in scores.items()},
        }

    def _chosen_sets(self) -> list[int]:
        """Numbers of the sets of the running phase."""
        names = self._recipe.phases[self._progress.phase]
        return [self._material.names.index(name) for name in names]

    def _scored_weights(self) -> Mapping[str, Tensor]:
        """The weights that are scored and kept: their average, where the recipe has one."""
        return self._average.weights if self._average.is_on else self._model.state_dict()

    def _train_epoch(self, chosen: Sequence[int]) -> float:
        """Train on an epoch's batches; the mean loss over all processes."""
        recipe, progress = self._recipe, self._progress
        seed = seed_epoch(recipe.seed, progress.phase + 1, progress.epoch, size=SEED_BYTES)
        answers = self._draw_answers(seed)
        targets = pad_targets(answers)
        batches = self._draw_batches(chosen, answers, seed)
        sets = [self._material.splits[StillSplit.TRAIN][number] for number in chosen]
        images = StillImages(sets, self._forward.input, augment=True, seed=seed)
        model = self._processes.wrap(self._model.train())
        numbers = torch.tensor(list(chosen))
        losses = []
        for step, batch in enumerate(self._forward.batches(images, batches)):
            for group in self._optimiser.param_groups:
                group["lr"] = compute_rate(recipe, progress.epoch - 1 + (step + 1) / len(batches))
            loss = self._compute_loss(model, batch, numbers[batch.sets], targets)
            value = float(loss.detach())
            if not np.isfinite(value):
                where = f"epoch {progress.epoch} of phase {progress.phase + 1}, batch {step + 1}"
                raise NonFinite(
                    f"the loss is {value} in {where}, of images {describe_images(batch, sets)}"
                    "; lower the learning rate or set clip_norm"
                )
            losses.append(value)
            self._update(loss)
        # Statistics of norms are each process's own.
        self._processes.share(list(self._model.state_dict().values()))
        self._processes.share(list(self._average.weights.values()))
        return self._processes.mean(float(np.mean(losses)), self._forward.device)

    def _draw_answers(self, seed: int) -> list[Answers]:
        """Answers of the training images of each set; the recipe may draw them in each epoch."""
        return [
            make_answers(self._recipe, stills, np.random.default_rng((seed, number)))
            for number, stills in enumerate(self._material.splits[StillSplit.TRAIN])
        ]

    def _draw_batches(
        self, chosen: Sequence[int], answers: Sequence[Answers], seed: int
    ) -> BalancedBatches:
        recipe, processes = self._recipe, self._processes
        sets = self._material.splits[StillSplit.TRAIN]
        sizes = np.array([len(sets[number]) for number in chosen], np.float64)
        batches = BalancedBatches(
            [answers[number].classes for number in chosen],
            recipe.batch_size // processes.count,
            seed,
            epoch_size=recipe.epoch_size,
            set_weights=list(sizes ** (1 - recipe.set_balance)),
            balance=recipe.class_balance,
            rank=processes.rank,
            replicas=processes.count,
        )
        batches.set_epoch(self._progress.epoch)
        return batches

    def _compute_loss(
        self, model: nn.Module, batch: StillBatch, sets: Tensor, targets: Sequence[Tensor]
    ) -> Tensor:
        """Compute the loss of a batch; ``sets`` are its images' sets, ``targets`` those of each."""
        device = self._forward.device
        pairs = zip(sets.tolist(), batch.rows.tolist(), strict=True)
        wanted = torch.stack([targets[s][r] for s, r in pairs]).to(device)
        logits = self._forward.logits(model, batch)
        return compute_loss(self._recipe, logits, sets.to(device), wanted, self._positive_weights)

    def _update(self, loss: Tensor) -> None:
        """Move the weights, and their average, by one step."""
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if self._recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(self._model.parameters(), self._recipe.clip_norm)
        self._optimiser.step()
        self._progress.updates += 1
        self._average.update(self._model, self._progress.updates)

    def result(self) -> Result:
        """The best weights of the last phase, and their scores on every set."""
        everything = range(len(self._material.names))
        scores = {
            split.value: self._scorer.score(self._model, self._kept, split, everything)
            for split in (StillSplit.VAL, StillSplit.TEST)
        }
        state = {
            name.removeprefix(BACKBONE): value
            for name, value in self._kept.items()
            if name.startswith(BACKBONE)
        }
        progress = self._progress
        kept = {"phase": progress.phase + 1, "epoch": progress.epoch - progress.since}
        return Result(state, tuple(progress.log), scores, self._find_untrained(), kept)

    def _find_untrained(self) -> tuple[int, ...]:
        """Find the action units that no training image is annotated for."""
        if self._recipe.task is not Task.ACTION_UNITS:
            return ()
        targets = [answers.targets for answers in self._answers[StillSplit.TRAIN]]
        counts = np.isfinite(np.concatenate(targets)).sum(axis=0)
        return tuple(u for u, n in zip(self._recipe.units, counts, strict=True) if not n)

    def save(self, work: Path, identity: str) -> None:
        """Write what a killed training resumes from.

        Args:
            work: folder to write into.
            identity: digest of all that the training depends on.
        """
        tensors = {f"model/{k}": v for k, v in self._model.state_dict().items()}
        tensors |= {f"kept/{k}": v for k, v in self._kept.items()}
        if self._average.is_on:
            tensors |= {f"average/{k}": v for k, v in self._average.weights.items()}
        for k, of_parameter in self._optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser/{k}/{name}": v for name, v in of_parameter.items()}
        record = json.dumps({"identity": identity, **asdict(self._progress)})
        tensors[RECORD] = torch.frombuffer(bytearray(record.encode()), dtype=torch.uint8)
        work.mkdir(parents=True, exist_ok=True)
        write_safetensors(work / STATE, tensors)

    def resume(self, work: Path, identity: str) -> None:
        """Take over what a killed run of the same training has written; another's is ignored."""
        if not (work / STATE).is_file():
            return
        tensors = load_file(work / STATE)
        record = json.loads(bytes(tensors.pop(RECORD).tolist()))
        if record.pop("identity") != identity:
            logger.info("starting anew: the saved state belongs to another training")
            return
        parts: dict[str, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            part, _, name = key.partition("/")
            parts.setdefault(part, {})[name] = value.to(self._forward.device)
        self._model.load_state_dict(parts["model"])
        self._kept = parts["kept"]
        self._average.weights = parts.get("average", self._average.weights)
        self._load_optimiser(parts.get("optimiser", {}))
        self._progress = Progress(**record)
        logger.info("resuming after epoch %d of phase %d", record["epoch"], record["phase"] + 1)

    def _load_optimiser(self, tensors: Mapping[str, Tensor]) -> None:
        """Load the optimiser's state from tensors called ``<parameter>/<name>``."""
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            number, _, name = key.partition("/")
            state.setdefault(int(number), {})[name] = value
        groups = self._optimiser.state_dict()["param_groups"]
        self._optimiser.load_state_dict({"state": state, "param_groups": groups})


def pad_targets(answers: Sequence[Answers]) -> list[Tensor]:
    """Pad the targets of each set with NaN to the width of the widest, as float32 tensors."""
    width = max(of_set.targets.shape[1] for of_set in answers)
    padded = []
    for of_set in answers:
        missing = ((0, 0), (0, width - of_set.targets.shape[1]))
        values = np.pad(of_set.targets, missing, constant_values=np.nan)
        padded.append(torch.from_numpy(np.ascontiguousarray(values, np.float32)))
    return padded


def build_optimiser(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    """Build the recipe's optimiser, without any state."""
    parameters, rate, decay = model.parameters(), recipe.learning_rate, recipe.weight_decay
    match recipe.optimiser:
        case Optimiser.ADAM:
            return torch.optim.Adam(parameters, lr=rate, weight_decay=decay)
        case Optimiser.ADAMW:
            return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)
        case Optimiser.SGD:
            return torch.optim.SGD(
                parameters, lr=rate, weight_decay=decay, momentum=recipe.momentum
            )
