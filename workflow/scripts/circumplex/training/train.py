"""Training of one model: fusion, encoder and regressor on the segments of a split (section 4.2)."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from circumplex.ccc import CccAccumulator, find_annotated
from circumplex.config.modalities import MissingModality
from circumplex.config.precision import Precision
from circumplex.config.training import Order, Selection, TrainingSpec
from circumplex.errors import RequestError
from circumplex.features.pack_reader import PackReader
from circumplex.io.devices import (
    bfloat16_products,
    explaining_lack_of_memory,
    send,
    warn_of_emulated_bfloat16,
)
from circumplex.io.digests import value_digest
from circumplex.model.checkpoints import TrainedModel, pack_scalings, unpack_scalings
from circumplex.model.encoders.base import State
from circumplex.model.losses import training_loss
from circumplex.model.network import Network, carry
from circumplex.networks.reproducible import NonFinite, reproducible, seed_epoch
from circumplex.targets import Target
from circumplex.training.dataset import LabelReader, SegmentLoader
from circumplex.training.predict import padding_mask, predict_samples
from circumplex.training.scalings import fit_scalings
from circumplex.training.segments import (
    Step,
    cut_segments,
    shuffled_batches,
    steps_in_step,
    steps_of_segments,
)
from circumplex.training.state import EpochLog, WorkFolder, best_epochs, kept_epochs

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingData:
    """The samples of one training.

    Attributes:
        reader: packs of the features of all samples.
        labels: annotation of all samples.
        train_samples: names of the training samples, in any order.
        val_samples: names of the validation samples, to choose epochs by; may be empty unless
            ``selection`` of the spec is best.
        groups: by sample, where features are scaled by group. A group's frames are those of its
            training and validation samples; a sample that is not named is a group of its own.
    """

    reader: PackReader
    labels: LabelReader
    train_samples: Sequence[str]
    val_samples: Sequence[str]
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingResult:
    """A trained model and its log.

    Attributes:
        model: for `checkpoints.save_model`; its weights are mapped from the working folder.
        log: one row per epoch.
        best: for each target the epoch of the highest validation CCC and that CCC; empty without
            validation samples.
    """

    model: TrainedModel
    log: tuple[EpochLog, ...]
    best: Mapping[Target, tuple[int, float]]


class Training:
    """The training of one model.

    On a CPU the same arguments give the same bytes, with one number of threads. Every epoch draws
    from a generator seeded with (seed, fold, epoch), so a run that was killed and resumes from
    ``work`` ends in the same bytes too.

    Args:
        spec: what to train and how.
        data: samples to train on and to choose epochs by.
        seed: seed of initial weights, dropout and order.
        work: folder for the resumable state; a state of other arguments is dropped. The caller
            removes it (`WorkFolder.discard`) once the model is saved.
        fold: number of the fold that is left out, if any.
        device: where to train; the CPU by default.
        metadata: stored in the model; a state with other metadata is not resumed.

    Raises:
        RequestError: no samples, a sample in both lists, one whose annotation and packs differ in
            frames, no annotated frame to choose by.
    """

    def __init__(
        self,
        spec: TrainingSpec,
        data: TrainingData,
        *,
        seed: int,
        work: Path,
        fold: int | None = None,
        device: torch.device | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self._spec, self._data = spec, data
        self._seed, self._fold, self._metadata = seed, fold, metadata
        self._device = device or torch.device("cpu")
        if spec.precision is Precision.BFLOAT16:
            warn_of_emulated_bfloat16(self._device)
        self._frames = _check_samples(spec, data)
        # Sorted: what is trained must not depend on the order in which samples are named.
        self._train_samples = sorted(data.train_samples)
        self._val_samples = sorted(data.val_samples)
        known = (*self._train_samples, *self._val_samples)
        by_group = data.groups if spec.scales_by_group else {}
        self._groups = {sample: by_group[sample] for sample in known if sample in by_group}
        self._folder = WorkFolder(work)
        self._log: list[EpochLog] = []

    @property
    def epochs(self) -> int:
        """Number of epochs that the training has in all."""
        return self._spec.epochs

    def run(
        self,
        on_epoch: Callable[[EpochLog], None] | None = None,
        state_interval_s: float = 0.0,
    ) -> TrainingResult:
        """Train, or go on where a killed run of the same training was.

        Args:
            on_epoch: called with each epoch's log, after the state is written.
            state_interval_s: seconds between written states; 0 writes one every epoch. A killed run
                repeats what came after the last.

        Raises:
            RequestError: no annotated frames to learn from.
            NonFinite: a loss, prediction or weight that is NaN or infinite.
        """
        with reproducible(self._device):
            self._prepare()
            written = time.monotonic()
            for epoch in range(len(self._log) + 1, self._spec.epochs + 1):
                self._log.append(self._run_epoch(epoch))
                kept = {e for epochs in kept_epochs(self._spec, self._log).values() for e in epochs}
                if epoch in kept:
                    self._folder.save_weights(epoch, self._network)
                if epoch == self._spec.epochs or time.monotonic() - written >= state_interval_s:
                    self._save(kept)
                    written = time.monotonic()
                if on_epoch:
                    on_epoch(self._log[-1])
        return self._result()

    def _prepare(self) -> None:
        """Build the network and its optimiser, or take them from the last written state."""
        spec, reader = self._spec, self._data.reader
        self._digest = self._compute_digest()
        saved = self._folder.resume(self._digest)
        self._scalings = (
            unpack_scalings(saved["scalings"])
            if saved
            else fit_scalings(
                reader, spec.features, spec.normalisation, self._train_samples, self._groups
            )
        )
        flagged = spec.missing_modality is MissingModality.ZEROS_WITH_MASK
        scalings, groups = self._scalings, self._groups
        self._loader = SegmentLoader(
            reader, scalings, self._data.labels, groups=groups, flagged=flagged
        )
        self._val_loader = SegmentLoader(reader, scalings, groups=groups, flagged=flagged)
        seed_epoch(self._seed, self._fold, 0)
        visual = (sum(map(reader.dimension, spec.visual)), len(spec.visual))
        network = Network(spec.encoder, self._loader.dimension, self._loader.flags, visual)
        self._network = network.to(self._device)
        self._optimizer = torch.optim.Adam(
            self._network.parameters(), lr=spec.learning_rate, betas=spec.betas, fused=True
        )
        for column, target in enumerate(Target):
            if not self._is_trained(column):
                _LOG.warning("no training sample annotates %s: it is predicted as 0", target)
                self._network.silence(column)
        if saved:
            self._network.load_state_dict(saved["network"])
            self._optimizer.load_state_dict(saved["optimizer"])
            self._log = [EpochLog(**row) for row in saved["log"]]
            _LOG.info("resuming after epoch %d of %d", len(self._log), spec.epochs)

    def _is_trained(self, column: int) -> bool:
        """Whether a training sample annotates a target."""
        values = (self._data.labels.values(sample)[:, column] for sample in self._train_samples)
        return any(not np.isnan(of).all() for of in values)

    def _compute_digest(self) -> str:
        """Compute the digest of all that the result depends on; a state of another is dropped."""
        features, labels, reader = self._spec.features, self._data.labels, self._data.reader
        contents = [
            [[s, labels.digest(s), [reader.digest(s, f) for f in features]] for s in samples]
            for samples in (self._train_samples, self._val_samples)
        ]
        rest = [self._seed, self._fold, str(self._device), self._metadata, self._groups]
        return value_digest([self._spec.plain(), contents, torch.__version__, rest])

    def _run_epoch(self, epoch: int) -> EpochLog:
        """Train on all training samples, then score the validation samples."""
        started = time.perf_counter()
        generator = np.random.default_rng(seed_epoch(self._seed, self._fold, epoch))
        rate = compute_rate(self._spec, epoch)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        with explaining_lack_of_memory("Lower training.batch_size or the encoder's segment_length"):
            losses = self._train_epoch(epoch, generator)
        trained = time.perf_counter()
        scores = self._validate()
        return EpochLog(
            epoch=epoch,
            learning_rate=rate,
            train_loss=math.fsum(losses) / len(losses),
            updates=len(losses),
            val_valence=scores[Target.VALENCE],
            val_arousal=scores[Target.AROUSAL],
            train_seconds=trained - started,
            val_seconds=time.perf_counter() - trained,
        )

    def _train_epoch(self, epoch: int, generator: np.random.Generator) -> list[float]:
        """Train on all training samples; the losses of the updates."""
        self._network.train()
        losses: list[float] = []
        state = None
        for step in _training_steps(self._spec, self._train_samples, self._frames, generator):
            state = carry(state, len(step.segments)) if step.carry else None
            loss, state = self._compute_loss(epoch, step, state)
            if loss is not None:
                self._update(loss)
                losses.append(float(loss.detach()))
        if not losses:
            raise RequestError(
                "no training batch holds two annotated frames that differ: nothing can be learnt"
            )
        if not all(bool(torch.isfinite(p).all()) for p in self._network.parameters()):
            raise NonFinite(f"epoch {epoch}: a weight is not finite; lower the learning rate")
        return losses

    def _compute_loss(
        self, epoch: int, step: Step, state: State | None
    ) -> tuple[Tensor | None, State | None]:
        """Compute a step's loss, none where the update is to be skipped, and the state after it."""
        spec, device = self._spec, self._device
        batch = self._loader.load(step.segments)
        assert batch.targets is not None, "the loader has labels"
        features, targets = send(batch.features, device), send(batch.targets, device)
        padding = padding_mask(batch.lengths, device)
        bf16 = spec.precision is Precision.BFLOAT16
        with bfloat16_products(device, bf16):
            predictions, state = self._network(features, padding, state)
        loss = training_loss(predictions, targets, spec.loss, spec.reduction, spec.mse_weight)
        # A NaN feature of a frame without annotation leaves the loss finite but not the gradient.
        if not torch.isfinite(features.sum()) or (loss is not None and not torch.isfinite(loss)):
            raise NonFinite(_describe_cause(epoch, step, self._loader, predictions))
        return loss, state

    def _update(self, loss: Tensor) -> None:
        """Move the weights by one step."""
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        if self._spec.clip_norm is not None:
            for group in self._network.clip_groups():
                nn.utils.clip_grad_norm_(group, self._spec.clip_norm)
        self._optimizer.step()

    def _validate(self) -> dict[Target, float]:
        """Compute the CCC of raw predictions (not clipped, not smoothed).

        NaN without samples, and of a target that none of them annotates.
        """
        if not self._val_samples:
            return dict.fromkeys(Target, math.nan)
        moments = {target: CccAccumulator() for target in Target}
        encoder, loader = self._spec.encoder, self._val_loader
        for sample, values in predict_samples(
            [self._network], encoder, loader, self._val_samples, self._device
        ):
            if not np.isfinite(values).all():
                raise NonFinite(
                    f"a prediction of validation sample {sample} is not finite; look for extreme "
                    "features, normalise them, or lower the learning rate"
                )
            annotation = self._data.labels.values(sample)
            valid = find_annotated(annotation)
            for column, target in enumerate(Target):
                known = valid[:, column]
                moments[target].update(values[:, 0, column], annotation[:, column], known)
        return {target: of.ccc() if of.count else math.nan for target, of in moments.items()}

    def _save(self, kept: set[int]) -> None:
        """Write the state, and remove the weights of epochs that are not kept."""
        state = {
            "digest": self._digest,
            "network": self._network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scalings": pack_scalings(self._scalings),
            "log": [asdict(row) for row in self._log],
        }
        self._folder.save(state, kept)

    def _result(self) -> TrainingResult:
        """Put the model together from the weights of the epochs that are kept."""
        chosen = kept_epochs(self._spec, self._log)
        weights = {e: self._folder.load_weights(e) for epochs in chosen.values() for e in epochs}
        model = TrainedModel(
            spec=self._spec.plain(),
            dimensions={f: self._data.reader.dimension(f) for f in self._spec.features},
            scalings=self._scalings,
            checkpoints={t: [(epoch, weights[epoch]) for epoch in chosen[t]] for t in Target},
            seed=self._seed,
            fold=self._fold,
            metadata=self._metadata or {},
        )
        return TrainingResult(model, tuple(self._log), best_epochs(self._log))


def compute_rate(spec: TrainingSpec, epoch: int) -> float:
    """Compute the learning rate of an epoch, from 1."""
    if spec.decay_after is None or epoch <= spec.decay_after:
        return spec.learning_rate
    past, span = epoch - spec.decay_after, spec.epochs - spec.decay_after
    return spec.learning_rate * (1 - past / (span + 1))


def _describe_cause(epoch: int, step: Step, loader: SegmentLoader, predictions: Tensor) -> str:
    """Describe what made a loss NaN or infinite: a feature, or samples."""
    defect = loader.describe_defect(step.segments)
    if defect:
        return f"epoch {epoch}: a feature is not finite ({defect}); extract it again"
    finite = torch.isfinite(predictions.detach()).flatten(1).all(dim=1).tolist()
    wrong = [s.sample for s, good in zip(step.segments, finite, strict=True) if not good]
    samples = ", ".join(wrong or [s.sample for s in step.segments])
    return (
        f"epoch {epoch}: the loss is not finite on {samples}; look for extreme features, "
        "normalise them, or lower the learning rate"
    )


def _training_steps(
    spec: TrainingSpec,
    samples: Sequence[str],
    frames: Mapping[str, int],
    generator: np.random.Generator,
) -> Iterator[Step]:
    length, stride = spec.encoder.segment_length, spec.encoder.stride
    if spec.order is Order.IN_STEP:
        batches = shuffled_batches(samples, frames, spec.batch_size, generator, spec.bucket_batches)
        return steps_in_step(batches, frames, length)
    segments = list(cut_segments(samples, frames, length, stride))
    drawn = (segments[i] for i in generator.permutation(len(segments)))
    return steps_of_segments(drawn, spec.batch_size)


def _check_samples(spec: TrainingSpec, data: TrainingData) -> dict[str, int]:
    """Check that the samples can be trained on and scored; their frames by name."""
    reader, labels, val_samples = data.reader, data.labels, data.val_samples
    if not data.train_samples:
        raise RequestError("there is no training sample")
    if spec.selection is Selection.BEST and not val_samples:
        raise RequestError(
            "there is no validation sample to choose the epoch by: give some, or select the last "
            "epoch or a range of epochs"
        )
    both = sorted(set(data.train_samples) & set(val_samples))
    if both:
        raise RequestError(f"trained and validated on the same samples: {', '.join(both[:5])}")
    frames = {}
    for sample in (*data.train_samples, *val_samples):
        frames[sample] = reader.frames(sample)
        if labels.frames(sample) != frames[sample]:
            raise RequestError(
                f"{sample}: {frames[sample]} frames of features, {labels.frames(sample)} of labels"
            )
    if val_samples and not any(find_annotated(labels.values(s)).any() for s in val_samples):
        raise RequestError("no frame of the validation samples is annotated")
    return frames
