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

from circumplex.backbones.inputs import StillBatch, StillImages, StillInput, make_loader
from circumplex.backbones.metrics import (
    ExpressionScore,
    Score,
    UnitScore,
    confusion,
    known,
    unit_counts,
)
from circumplex.backbones.model import (
    Answers,
    answers_of,
    build_model,
    input_of,
    labelled,
    loss_of,
    output_count,
    positive_weights,
)
from circumplex.backbones.processes import Processes
from circumplex.backbones.sampling import BalancedBatches, OrderedBatches
from circumplex.backbones.stills import Stills, StillSplit, read_stills
from circumplex.config.precision import Precision
from circumplex.config.recipes import Optimiser, Recipe, Task
from circumplex.errors import RequestError
from circumplex.io.digests import value_digest
from circumplex.io.tensors import write_safetensors
from circumplex.networks.bfloat16 import warn_of_imitated_bfloat16
from circumplex.networks.reproducible import NonFinite, reproducible, seed_epoch
from circumplex.networks.weights import Weights

logger = logging.getLogger(__name__)
STATE = "state.safetensors"
RECORD = "record"
SEED_BYTES = 4
"""Of the seed of an epoch."""


@dataclass(frozen=True)
class Material:
    """What is trained on and scored by, in the order of the recipe's sets.

    Attributes:
        names: of the sets.
        splits: by split, the labelled images of each set.
    """

    names: tuple[str, ...]
    splits: Mapping[StillSplit, tuple[Stills, ...]]

    @classmethod
    def read(cls, recipe: Recipe, tables: Mapping[str, Path]) -> "Material":
        """Open the tables of the recipe's sets.

        Raises:
            RequestError: a table that is none, or a set without a labelled training image.
        """
        splits = {
            split: tuple(labelled(recipe, read_stills(tables[s], split)) for s in recipe.sets)
            for split in StillSplit
        }
        for name, stills in zip(recipe.sets, splits[StillSplit.TRAIN], strict=True):
            if not len(stills):
                raise RequestError(f"set {name} has no training image with a label for the task")
        return cls(recipe.sets, splits)


@dataclass(frozen=True)
class Result:
    """A trained backbone.

    Attributes:
        state: the backbone's tensors, named as the extractors load them.
        log: one row an epoch.
        scores: by split and set; where a split has images.
        untrained: action units that no training image is annotated for.
    """

    state: Mapping[str, Tensor]
    log: tuple[Mapping[str, Any], ...]
    scores: Mapping[str, Mapping[str, Score]]
    untrained: tuple[int, ...]


@dataclass
class Progress:
    """How far a training has come; what a killed one resumes from.

    Attributes:
        phase: running one, from 0.
        epoch: finished ones of that phase.
        best: score of the phase's best epoch.
        since: epochs since the best one.
        updates: steps of the phase.
        log: one row an epoch.
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
        tables: of the recipe's sets.
        work: folder of the resumable state; the caller removes it once the result is kept.
        start: checkpoint of the backbone to start from; none for random weights.
        device: PyTorch's name of it.
        workers: processes that load images.
        processes: that train together; by default this one alone.
        on_epoch: called with each epoch's row, after the state is written.

    Raises:
        RequestError: sets or a checkpoint that the recipe cannot use.
        SampleError: an image that is gone since the set was listed.
        NonFinite: a loss or an output that is NaN or infinite.
    """
    processes = processes or Processes()
    material = Material.read(recipe, tables)
    with reproducible(torch.device(device)):
        training = _Training(recipe, material, start, device, workers, processes)
        training.identity = value_digest(
            [
                recipe.plain(),
                {name: hashlib.sha256(tables[name].read_bytes()).hexdigest() for name in tables},
                start.identity() if start else None,
                [torch.__version__, device, processes.count],
            ]
        )
        training.resume(work)
        for phase in range(training.progress.phase, len(recipe.phases)):
            training.run_phase(phase, work, on_epoch)
        return training.result()


class _Training:
    """A training under way: networks, and where it stands."""

    def __init__(
        self,
        recipe: Recipe,
        material: Material,
        start: Weights | None,
        device: str,
        workers: int,
        processes: Processes,
    ) -> None:
        self.recipe, self.material, self.processes = recipe, material, processes
        self.device, self.workers = torch.device(device), workers
        self.half = recipe.precision is Precision.BFLOAT16
        if self.half:
            warn_of_imitated_bfloat16(self.device)
        self.input: StillInput = input_of(recipe)
        sets = material.splits[StillSplit.TRAIN]
        seed_epoch(recipe.seed, 0, 0, size=SEED_BYTES)
        self.model = build_model(recipe, sets, start).to(self.device)
        self.model.to(memory_format=torch.channels_last)
        self.kept = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.average = dict(self.kept)
        self.optimiser = optimiser_of(recipe, self.model)
        self.progress = Progress()
        self.identity = ""
        drawn = np.random.default_rng(recipe.seed)
        self.answers = {
            split: [answers_of(recipe, stills, drawn) for stills in of_split]
            for split, of_split in material.splits.items()
        }
        self.weights = torch.from_numpy(
            positive_weights(recipe, self.answers[StillSplit.TRAIN])
        ).to(self.device)

    def run_phase(
        self, phase: int, work: Path, on_epoch: Callable[[Mapping[str, Any]], object] | None
    ) -> None:
        """Train on the sets of a phase until its last epoch or its patience ends."""
        recipe, progress = self.recipe, self.progress
        chosen = [self.material.names.index(name) for name in recipe.phases[phase]]
        if progress.phase < phase:
            # On from the best weights of the phase before, with an optimiser that knows nothing.
            self.model.load_state_dict(self.kept)
            self.average = {k: v.clone() for k, v in self.kept.items()}
            self.optimiser = optimiser_of(recipe, self.model)
            self.progress = progress = Progress(phase, log=progress.log)
        while progress.epoch < recipe.epochs and not self._out_of_patience():
            progress.epoch += 1
            began = time.monotonic()
            loss = self._train_epoch(phase, chosen)
            scores = self._scores(StillSplit.VAL, chosen, self._averaged())
            found = [score.value for score in scores.values()]
            value = float(np.mean(found)) if found else float("nan")
            if not found or value > progress.best:
                progress.best, progress.since = value, 0
                self.kept = {k: v.detach().clone() for k, v in self._averaged().items()}
            else:
                progress.since += 1
            row = {
                "phase": phase + 1,
                "epoch": progress.epoch,
                "learning_rate": recipe.rate(progress.epoch - 1),
                "loss": loss,
                "score": known(value),
                **{name: known(score.value) for name, score in scores.items()},
            }
            progress.log.append(row)
            if self.processes.first:
                self._save(work)
                logger.info("%s, %.0f s", row, time.monotonic() - began)
            if on_epoch:
                on_epoch(row)

    def _out_of_patience(self) -> bool:
        patience = self.recipe.patience
        return patience is not None and self.progress.since >= patience

    def _train_epoch(self, phase: int, chosen: Sequence[int]) -> float:
        """Mean loss of an epoch's steps."""
        recipe, epoch = self.recipe, self.progress.epoch
        seed = seed_epoch(recipe.seed, phase + 1, epoch, size=SEED_BYTES)
        sets = self.material.splits[StillSplit.TRAIN]
        answers = [
            # Drawn anew in each epoch, where the recipe draws them.
            answers_of(recipe, stills, np.random.default_rng((seed, number)))
            for number, stills in enumerate(sets)
        ]
        targets = padded(answers)
        sizes = np.array([len(sets[number]) for number in chosen], np.float64)
        batches = BalancedBatches(
            [answers[number].classes for number in chosen],
            recipe.batch_size // self.processes.count,
            seed,
            epoch_size=recipe.epoch_size,
            set_weights=list(sizes ** (1 - recipe.set_balance)),
            balance=recipe.class_balance,
            rank=self.processes.rank,
            replicas=self.processes.count,
        )
        batches.set_epoch(epoch)
        images = StillImages(
            [sets[number] for number in chosen], self.input, augment=True, seed=seed
        )
        model = self.processes.wrap(self.model.train())
        losses = []
        numbers = torch.tensor(list(chosen))
        for step, batch in enumerate(self._batches(images, batches)):
            for group in self.optimiser.param_groups:
                group["lr"] = recipe.rate(epoch - 1 + (step + 1) / len(batches))
            of_sets = numbers[batch.sets]
            wanted = torch.stack(
                [targets[s][r] for s, r in zip(of_sets.tolist(), batch.rows.tolist(), strict=True)]
            ).to(self.device)
            logits = self._forward(model, batch)
            loss = loss_of(recipe, logits, of_sets.to(self.device), wanted, self.weights)
            value = float(loss.detach())
            if not np.isfinite(value):
                where = f"epoch {epoch} of phase {phase + 1}, batch {step + 1}"
                raise NonFinite(
                    f"the loss is {value} in {where}, of images "
                    + named(images_of(batch, [sets[n] for n in chosen]))
                    + "; lower the learning rate or set clip_norm"
                )
            losses.append(value)
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            if recipe.clip_norm is not None:
                nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip_norm)
            self.optimiser.step()
            self.progress.updates += 1
            self._average()
        # Statistics of norms are each process's own.
        self.processes.share(list(self.model.state_dict().values()))
        self.processes.share(list(self.average.values()))
        return self.processes.mean(float(np.mean(losses)), self.device)

    def _batches(self, images: StillImages, batches: Any) -> Iterator[StillBatch]:
        on_gpu = self.device.type == "cuda"
        yield from make_loader(images, batches, self.workers, pin_memory=on_gpu)

    def _forward(self, model: nn.Module, batch: StillBatch) -> list[Tensor]:
        images = self.input.normalise(batch.images.to(self.device, non_blocking=True))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            logits: list[Tensor] = model(images.contiguous(memory_format=torch.channels_last))
        return logits

    def _average(self) -> None:
        """Move the average of the weights, and of the norms' statistics, by one step."""
        if self.recipe.ema is None:
            return
        # After few steps the first weights, which are random, must not weigh much.
        steps = self.progress.updates
        decay = min(self.recipe.ema, (1 + steps) / (10 + steps))
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                if value.is_floating_point():
                    self.average[name].lerp_(value, 1 - decay)
                else:
                    self.average[name].copy_(value)

    def _averaged(self) -> Mapping[str, Tensor]:
        return self.average if self.recipe.ema is not None else self.model.state_dict()

    def _scores(
        self, split: StillSplit, chosen: Sequence[int], state: Mapping[str, Tensor]
    ) -> dict[str, Score]:
        """Scores of the given weights on a split, set by set; sets without images are left out."""
        own = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.model.load_state_dict(state)
        self.model.eval()
        scores = {}
        for number in chosen:
            stills = self.material.splits[split][number]
            if len(stills):
                name = self.material.names[number]
                scores[name] = self._score(number, stills, self.answers[split][number])
        self.model.load_state_dict(own)
        return scores

    def _score(self, number: int, stills: Stills, answers: Answers) -> Score:
        recipe, processes = self.recipe, self.processes
        size = max(1, recipe.batch_size // processes.count)
        batches = OrderedBatches(len(stills), size, rank=processes.rank, replicas=processes.count)
        images = StillImages([stills], self.input, augment=False)
        outputs = output_count(recipe, stills)
        shape = (outputs, outputs if recipe.task is Task.EXPRESSION else 4)
        counts = np.zeros(shape, np.int64)
        for batch in self._batches(images, batches):
            with torch.inference_mode():
                logits = self._forward(self.model, batch)[number].float()
            if not torch.isfinite(logits).all():
                raise NonFinite(
                    "an output is not finite for one of the images "
                    + named(images_of(batch, [stills]))
                )
            valid = batch.valid.numpy()
            rows, found = batch.rows.numpy()[valid], logits.cpu().numpy()[valid]
            if recipe.task is Task.EXPRESSION:
                counts += confusion(answers.classes[rows], found.argmax(axis=1), outputs)
            else:
                counts += unit_counts(answers.targets[rows], found > 0)
        counts = processes.total(counts, self.device)
        if recipe.task is Task.EXPRESSION:
            return ExpressionScore(stills.description.classes, counts)
        return UnitScore(recipe.units, counts)

    def result(self) -> Result:
        """The best weights of the last phase, and their scores on every set."""
        everything = range(len(self.material.names))
        scores = {
            split.value: self._scores(split, everything, self.kept)
            for split in (StillSplit.VAL, StillSplit.TEST)
        }
        untrained: tuple[int, ...] = ()
        if self.recipe.task is Task.ACTION_UNITS:
            targets = [answers.targets for answers in self.answers[StillSplit.TRAIN]]
            annotated = np.isfinite(np.concatenate(targets)).sum(axis=0)
            untrained = tuple(u for u, n in zip(self.recipe.units, annotated, strict=True) if not n)
        prefix = "backbone."
        state = {
            name.removeprefix(prefix): value
            for name, value in self.kept.items()
            if name.startswith(prefix)
        }
        return Result(state, tuple(self.progress.log), scores, untrained)

    def _save(self, work: Path) -> None:
        tensors = {f"model/{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"kept/{k}": v for k, v in self.kept.items()}
        if self.recipe.ema is not None:
            tensors |= {f"average/{k}": v for k, v in self.average.items()}
        for k, of_parameter in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser/{k}/{name}": v for name, v in of_parameter.items()}
        record = json.dumps({"identity": self.identity, **asdict(self.progress)})
        tensors[RECORD] = torch.frombuffer(bytearray(record.encode()), dtype=torch.uint8)
        work.mkdir(parents=True, exist_ok=True)
        write_safetensors(work / STATE, tensors)

    def resume(self, work: Path) -> None:
        """Take up what a killed run of the same training has saved."""
        if not (work / STATE).is_file():
            return
        tensors = load_file(work / STATE)
        record = json.loads(bytes(tensors.pop(RECORD).tolist()))
        if record.pop("identity") != self.identity:
            logger.info("starting anew: the saved state belongs to another training")
            return
        parts: dict[str, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            part, _, name = key.partition("/")
            parts.setdefault(part, {})[name] = value.to(self.device)
        self.model.load_state_dict(parts["model"])
        self.kept = parts["kept"]
        self.average = parts.get("average", self.average)
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in parts.get("optimiser", {}).items():
            number, _, name = key.partition("/")
            state.setdefault(int(number), {})[name] = value
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": state, "param_groups": groups})
        self.progress = Progress(**record)
        logger.info("resuming after epoch %d of phase %d", record["epoch"], record["phase"] + 1)


NAMED = 3


def images_of(batch: StillBatch, sets: Sequence[Stills]) -> list[str]:
    """Names of a batch's images."""
    pairs = zip(batch.sets.tolist(), batch.rows.tolist(), strict=True)
    return [sets[number].name(row) for number, row in pairs]


def named(images: Sequence[str]) -> str:
    """Some images in words: the first ones by name."""
    rest = len(images) - NAMED
    return ", ".join(images[:NAMED]) + (f" and {rest} more" if rest > 0 else "")


def padded(answers: Sequence[Answers]) -> list[Tensor]:
    """Targets of each set, all as wide as the widest; NaN beyond a set's own."""
    width = max(of_set.targets.shape[1] for of_set in answers)
    padded = []
    for of_set in answers:
        missing = ((0, 0), (0, width - of_set.targets.shape[1]))
        values = np.pad(of_set.targets, missing, constant_values=np.nan)
        padded.append(torch.from_numpy(np.ascontiguousarray(values, np.float32)))
    return padded


def optimiser_of(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    """The recipe's optimiser, fresh."""
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
