"""Training of one model: fusion, encoder and regressor on the segments of a split (section 4.2)."""

import hashlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from circumplex.ccc import CccAccumulator, find_annotated
from circumplex.config.modalities import MissingModality
from circumplex.config.precision import Precision
from circumplex.config.training import Normalisation, Order, Selection, TrainingSpec
from circumplex.errors import CircumplexError, RequestError
from circumplex.features.pack_reader import PackReader
from circumplex.io.digests import value_digest
from circumplex.model.checkpoints import TrainedModel, pack_scalings, unpack_scalings
from circumplex.model.losses import training_loss
from circumplex.model.network import Network, carry
from circumplex.model.normalisation import Scaling, fit_scaling
from circumplex.networks.bfloat16 import warn_of_imitated_bfloat16
from circumplex.targets import Target
from circumplex.training.dataset import LabelReader, SegmentLoader
from circumplex.training.predict import padding_mask, predict_samples
from circumplex.training.segments import (
    Step,
    segments_of,
    shuffled_batches,
    steps_in_step,
    steps_of_segments,
)
from circumplex.training.state import EpochLog, WorkFolder, best_epochs, kept_epochs

_LOG = logging.getLogger(__name__)


class NonFinite(CircumplexError):
    """A loss, prediction or weight is NaN or infinite; names the sample where there is one."""


@dataclass(frozen=True)
class TrainingResult:
    """A trained model and its log.

    Attributes:
        model: for `checkpoints.save_model`; its weights are mapped from the working folder.
        log: one row an epoch.
        best: for each target the epoch of the highest validation CCC and that CCC; empty without
            validation samples.
    """

    model: TrainedModel
    log: tuple[EpochLog, ...]
    best: Mapping[Target, tuple[int, float]]


def train(
    spec: TrainingSpec,
    reader: PackReader,
    labels: LabelReader,
    train_samples: Sequence[str],
    val_samples: Sequence[str],
    *,
    seed: int,
    work: Path,
    fold: int | None = None,
    device: torch.device | None = None,
    metadata: Mapping[str, Any] | None = None,
    on_epoch: Callable[[EpochLog], None] | None = None,
    state_interval_s: float = 0.0,
) -> TrainingResult:
    """Train one model.

    On a CPU the same arguments give the same bytes, with one number of threads. Every epoch draws
    from a generator seeded with (seed, fold, epoch), so a run that was killed and resumes from
    ``work`` ends in the same bytes too.

    Args:
        spec: what to train and how.
        reader: packs of the features of all samples.
        labels: annotation of all samples.
        train_samples: in any order.
        val_samples: to choose epochs by; may be empty unless ``spec.selection`` is best.
        seed: of initial weights, dropout and order.
        work: folder for the resumable state; a state of other arguments is dropped. The caller
            removes it (`WorkFolder.discard`) once the model is saved.
        fold: which fold is left out, if any.
        device: where to train; the CPU by default.
        metadata: put on record in the model; another metadata does not resume.
        on_epoch: called with each epoch's log, after the state is written.
        state_interval_s: seconds between written states; 0 writes one every epoch. A killed run
            repeats what came after the last.

    Raises:
        RequestError: no samples, a sample in both lists, one whose annotation and packs differ in
            frames, no annotated frame to learn or to choose by.
        NonFinite: a loss, prediction or weight that is NaN or infinite.
    """
    device = device or torch.device("cpu")
    if spec.precision is Precision.BFLOAT16:
        warn_of_imitated_bfloat16(device)
    frames = _check_samples(spec, reader, labels, train_samples, val_samples)
    # Sorted: what is trained must not depend on the order in which samples are named.
    train_samples, val_samples = sorted(train_samples), sorted(val_samples)
    digest = _run_digest(
        spec, reader, labels, train_samples, val_samples, [seed, fold, str(device), metadata]
    )
    folder = WorkFolder(work)
    saved = folder.resume(digest)
    scalings = (
        unpack_scalings(saved["scalings"])
        if saved
        else fit_scalings(reader, spec.features, spec.normalisation, train_samples)
    )
    flagged = spec.missing_modality is MissingModality.ZEROS_WITH_MASK
    loader = SegmentLoader(reader, scalings, labels, flagged=flagged)
    validation_loader = SegmentLoader(reader, scalings, flagged=flagged)
    with _reproducible(device):
        _seed_epoch(seed, fold, 0)
        visual = (sum(map(reader.dimension, spec.visual)), len(spec.visual))
        network = Network(spec.encoder, loader.dimension, loader.flags, visual).to(device)
        optimizer = torch.optim.Adam(
            network.parameters(), lr=spec.learning_rate, betas=spec.betas, fused=True
        )
        log: list[EpochLog] = []
        if saved:
            network.load_state_dict(saved["network"])
            optimizer.load_state_dict(saved["optimizer"])
            log = [EpochLog(**row) for row in saved["log"]]
            _LOG.info("resuming after epoch %d of %d", len(log), spec.epochs)
        written = time.monotonic()
        for epoch in range(len(log) + 1, spec.epochs + 1):
            started = time.perf_counter()
            generator = _seed_epoch(seed, fold, epoch)
            for group in optimizer.param_groups:
                group["lr"] = compute_rate(spec, epoch)
            network.train()
            steps = _training_steps(spec, train_samples, frames, generator)
            loss, updates = _train_epoch(spec, network, optimizer, loader, steps, epoch, device)
            trained = time.perf_counter()
            scores = _validate(spec, network, validation_loader, labels, val_samples, device)
            log.append(
                EpochLog(
                    epoch=epoch,
                    learning_rate=compute_rate(spec, epoch),
                    train_loss=loss,
                    updates=updates,
                    val_valence=scores[Target.VALENCE],
                    val_arousal=scores[Target.AROUSAL],
                    train_seconds=trained - started,
                    val_seconds=time.perf_counter() - trained,
                )
            )
            kept = {e for epochs in kept_epochs(spec, log).values() for e in epochs}
            if epoch in kept:
                folder.save_weights(epoch, network)
            if epoch == spec.epochs or time.monotonic() - written >= state_interval_s:
                state = {
                    "digest": digest,
                    "network": network.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "scalings": pack_scalings(scalings),
                    "log": [asdict(row) for row in log],
                }
                folder.save(state, kept)
                written = time.monotonic()
            if on_epoch:
                on_epoch(log[-1])
    chosen = kept_epochs(spec, log)
    weights = {e: folder.load_weights(e) for epochs in chosen.values() for e in epochs}
    model = TrainedModel(
        spec=spec.plain(),
        dimensions={feature: reader.dimension(feature) for feature in spec.features},
        scalings=scalings,
        checkpoints={t: [(epoch, weights[epoch]) for epoch in chosen[t]] for t in Target},
        seed=seed,
        fold=fold,
        metadata=metadata or {},
    )
    return TrainingResult(model, tuple(log), best_epochs(log))


def compute_rate(spec: TrainingSpec, epoch: int) -> float:
    """Compute the learning rate of an epoch, from 1."""
    if spec.decay_after is None or epoch <= spec.decay_after:
        return spec.learning_rate
    past, span = epoch - spec.decay_after, spec.epochs - spec.decay_after
    return spec.learning_rate * (1 - past / (span + 1))


def fit_scalings(
    reader: PackReader,
    features: Sequence[str],
    normalisation: Mapping[str, Normalisation],
    train_samples: Sequence[str],
) -> dict[str, Scaling | None]:
    """Scaling of each feature, from the training samples that have the modality alone."""
    scalings: dict[str, Scaling | None] = {}
    for feature in features:
        if normalisation.get(feature, Normalisation.NONE) is Normalisation.NONE:
            scalings[feature] = None
            continue
        present = [sample for sample in train_samples if reader.present(sample, feature)]
        blocks = (block for sample in present for block in reader.blocks(sample, feature))
        scalings[feature] = fit_scaling(blocks, reader.dimension(feature))
    return scalings


def _train_epoch(
    spec: TrainingSpec,
    network: Network,
    optimizer: torch.optim.Optimizer,
    loader: SegmentLoader,
    steps: Iterator[Step],
    epoch: int,
    device: torch.device,
) -> tuple[float, int]:
    """One pass over the training samples: mean loss and number of updates."""
    losses: list[float] = []
    state = None
    for step in steps:
        batch = loader.load(step.segments)
        features = torch.from_numpy(batch.features).to(device)
        targets = torch.from_numpy(batch.targets).to(device)
        padding = padding_mask(batch.lengths, device)
        state = carry(state, len(step.segments)) if step.carry else None
        bf16 = spec.precision is Precision.BFLOAT16
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            predictions, state = network(features, padding, state)
        loss = training_loss(predictions, targets, spec.loss, spec.reduction, spec.mse_weight)
        # A NaN feature of a frame without annotation leaves the loss whole but not the gradient.
        if not torch.isfinite(features.sum()) or (loss is not None and not torch.isfinite(loss)):
            raise NonFinite(_blame(epoch, step, loader, predictions))
        if loss is None:
            continue
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        if spec.clip_norm is not None:
            for group in network.clip_groups():
                nn.utils.clip_grad_norm_(group, spec.clip_norm)
        optimizer.step()
        losses.append(float(loss.detach()))
    if not losses:
        raise RequestError(
            "no training batch holds two annotated frames that differ: nothing can be learnt"
        )
    if not all(bool(torch.isfinite(p).all()) for p in network.parameters()):
        raise NonFinite(f"epoch {epoch}: a weight is not finite; lower the learning rate")
    return math.fsum(losses) / len(losses), len(losses)


def _blame(epoch: int, step: Step, loader: SegmentLoader, predictions: Tensor) -> str:
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
    segments = list(segments_of(samples, frames, length, stride))
    drawn = (segments[i] for i in generator.permutation(len(segments)))
    return steps_of_segments(drawn, spec.batch_size)


def _validate(
    spec: TrainingSpec,
    network: Network,
    loader: SegmentLoader,
    labels: LabelReader,
    samples: Sequence[str],
    device: torch.device,
) -> dict[Target, float]:
    """CCC of raw predictions (not clipped, not smoothed); NaN without samples."""
    if not samples:
        return dict.fromkeys(Target, math.nan)
    moments = {target: CccAccumulator() for target in Target}
    for sample, values in predict_samples([network], spec.encoder, loader, samples, device):
        if not np.isfinite(values).all():
            raise NonFinite(
                f"a prediction of validation sample {sample} is not finite; look for extreme "
                "features, normalise them, or lower the learning rate"
            )
        annotation = labels.values(sample)
        valid = find_annotated(annotation)
        for column, target in enumerate(Target):
            moments[target].update(values[:, 0, column], annotation[:, column], valid)
    return {target: of.ccc() for target, of in moments.items()}


def _check_samples(
    spec: TrainingSpec,
    reader: PackReader,
    labels: LabelReader,
    train_samples: Sequence[str],
    val_samples: Sequence[str],
) -> dict[str, int]:
    if not train_samples:
        raise RequestError("there is no training sample")
    if spec.selection is Selection.BEST and not val_samples:
        raise RequestError(
            "there is no validation sample to choose the epoch by: give some, or select the last "
            "epoch or a range of epochs"
        )
    both = sorted(set(train_samples) & set(val_samples))
    if both:
        raise RequestError(f"trained and validated on the same samples: {', '.join(both[:5])}")
    frames = {}
    for sample in (*train_samples, *val_samples):
        frames[sample] = reader.frames(sample)
        if labels.frames(sample) != frames[sample]:
            raise RequestError(
                f"{sample}: {frames[sample]} frames of features, {labels.frames(sample)} of labels"
            )
    if val_samples and not any(find_annotated(labels.values(s)).any() for s in val_samples):
        raise RequestError("no frame of the validation samples is annotated")
    return frames


def _run_digest(
    spec: TrainingSpec,
    reader: PackReader,
    labels: LabelReader,
    train_samples: Sequence[str],
    val_samples: Sequence[str],
    rest: list[Any],
) -> str:
    """Digest of all that the result depends on: a state of another digest is not resumed."""
    contents = [
        [[s, labels.digest(s), [reader.digest(s, f) for f in spec.features]] for s in samples]
        for samples in (train_samples, val_samples)
    ]
    return value_digest([spec.plain(), contents, torch.__version__, rest])


def _seed_epoch(seed: int, fold: int | None, epoch: int) -> np.random.Generator:
    """Seed dropout and give the generator of the order; epoch 0 is the initial weights."""
    drawn = int.from_bytes(hashlib.sha256(f"{seed}/{fold}/{epoch}".encode()).digest()[:8], "big")
    torch.manual_seed(drawn)
    return np.random.default_rng(drawn)


@contextmanager
def _reproducible(device: torch.device) -> Iterator[None]:
    """Deterministic algorithms, and the caller's random state left as it was."""
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    with torch.random.fork_rng():
        # Off the CPU some kernels have no deterministic form: a warning must do.
        torch.use_deterministic_algorithms(True, warn_only=device.type != "cpu")
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
