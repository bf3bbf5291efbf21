"""Training of one model: fusion, encoder and regressor on the segments of a split (section 4.2)."""

import hashlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from circumplex.checkpoints import (
    TrainedModel,
    load_tensors,
    pack_scalings,
    save_tensors,
    unpack_scalings,
)
from circumplex.dataset import LabelReader, PackReader, SegmentLoader
from circumplex.digests import value_digest
from circumplex.encoders import (
    EncoderKind,
    EncoderSpec,
    Network,
    carry,
    encoder_spec,
    read_enum,
    spec_values,
)
from circumplex.errors import CircumplexError, RequestError
from circumplex.losses import Reduction, ccc_loss
from circumplex.metrics import CccAccumulator, Target, annotated
from circumplex.modalities import MissingModality
from circumplex.normalisation import Normalisation, Scaling, fit_scaling
from circumplex.prediction import padding_mask, predict_samples
from circumplex.segments import (
    Step,
    segments_of,
    shuffled_batches,
    steps_in_step,
    steps_of_segments,
)

_LOG = logging.getLogger(__name__)
_STATE = "state.pt"


class NonFinite(CircumplexError):
    """A loss, prediction or weight is NaN or infinite; names the sample where there is one."""


class Order(StrEnum):
    """How batches are made: videos walked side by side, or segments drawn from all videos."""

    IN_STEP = "in_step"
    DRAWN = "drawn"


class Selection(StrEnum):
    """Which epochs' weights are kept for each target.

    `BEST`: the epoch of the highest validation CCC; `LAST`: the last; `EPOCHS`: a chosen range,
    all ensembled, as in Train-Val-Mix.
    """

    BEST = "best"
    LAST = "last"
    EPOCHS = "epochs"


class Precision(StrEnum):
    """Arithmetic of the network; weights, optimiser and loss are float32 in both."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


@dataclass(frozen=True)
class TrainingSpec:
    """A model and how it is trained. Defaults are the paper's; see `training_spec`.

    Attributes:
        encoder: architecture.
        visual: visual features, in the order of concatenation.
        audio: audio features, after the visual ones; either may be empty, not both.
        learning_rate: of Adam.
        epochs: passes over the training samples.
        batch_size: videos in step, or segments.
        order: see `Order`.
        bucket_batches: videos in step are sorted by length within so many batches; 1 for none.
        betas: of Adam.
        decay_after: epochs with the full learning rate, which then falls linearly to 0 just after
            the last epoch; none for a constant rate.
        clip_norm: gradient norm at which each sub-network is clipped; none for no clipping.
        reduction: of the loss over valence and arousal.
        normalisation: by feature; what it leaves out is not scaled.
        selection: see `Selection`.
        valence_epochs: first and last epoch, from 1, for `Selection.EPOCHS`.
        arousal_epochs: the same.
        precision: of the network's arithmetic.
        missing_modality: see `MissingModality`; the caller leaves samples out.
    """

    encoder: EncoderSpec
    visual: tuple[str, ...]
    audio: tuple[str, ...]
    learning_rate: float
    epochs: int = 30
    batch_size: int = 16
    order: Order = Order.IN_STEP
    bucket_batches: int = 8
    betas: tuple[float, float] = (0.9, 0.999)
    decay_after: int | None = None
    clip_norm: float | None = None
    reduction: Reduction = Reduction.SUM
    normalisation: Mapping[str, Normalisation] = field(default_factory=dict)
    selection: Selection = Selection.BEST
    valence_epochs: tuple[int, int] = (11, 16)
    arousal_epochs: tuple[int, int] = (16, 25)
    precision: Precision = Precision.FLOAT32
    missing_modality: MissingModality = MissingModality.ZEROS_WITH_MASK

    def __post_init__(self) -> None:
        chosen = self.features
        if not chosen:
            raise RequestError("a model needs at least one feature, visual or audio")
        if len(set(chosen)) < len(chosen):
            raise RequestError(f"a feature is chosen twice: {', '.join(chosen)}")
        foreign = [feature for feature in self.normalisation if feature not in chosen]
        if foreign:
            raise RequestError(f"normalisation of {', '.join(foreign)}, which the model lacks")
        if min(self.epochs, self.batch_size, self.bucket_batches) < 1:
            raise RequestError("epochs, batch_size and bucket_batches must be 1 or more")
        if self.order is Order.DRAWN and self.encoder.kind is EncoderKind.LSTM:
            raise RequestError("an LSTM carries its state over a video: order must be in_step")
        if self.selection is Selection.EPOCHS:
            for first, last in (self.valence_epochs, self.arousal_epochs):
                if not 1 <= first <= last <= self.epochs:
                    raise RequestError(
                        f"epochs {first} to {last} are chosen, but training has 1 to {self.epochs}"
                    )

    @property
    def features(self) -> tuple[str, ...]:
        """Chosen features in the order of concatenation."""
        return (*self.visual, *self.audio)

    def rate(self, epoch: int) -> float:
        """Learning rate of an epoch, from 1."""
        if self.decay_after is None or epoch <= self.decay_after:
            return self.learning_rate
        past, span = epoch - self.decay_after, self.epochs - self.decay_after
        return self.learning_rate * (1 - past / (span + 1))

    def kept_epochs(self, target: Target) -> range:
        """Epochs kept for a target under `Selection.EPOCHS`."""
        first, last = self.valence_epochs if target is Target.VALENCE else self.arousal_epochs
        return range(first, last + 1)


def training_spec(values: Mapping[str, Any]) -> TrainingSpec:
    """Spec from a config mapping; what it leaves out has the paper's value for its encoder.

    Args:
        values: the attributes of `TrainingSpec`, ``encoder`` a mapping for `encoder_spec`.

    Raises:
        RequestError: unknown key or value, or a senseless combination.
    """
    encoder = encoder_spec(values.get("encoder", {}))
    published: dict[EncoderKind, dict[str, Any]] = {
        EncoderKind.LSTM: {"learning_rate": 3e-4, "order": Order.IN_STEP},
        EncoderKind.TRANSFORMER: {"learning_rate": 2e-4, "order": Order.DRAWN},
    }
    merged: dict[str, Any] = {"visual": (), "audio": (), **published[encoder.kind], **values}
    known = [f.name for f in fields(TrainingSpec)]
    unknown = [key for key in merged if key not in known]
    if unknown:
        raise RequestError(f"training: unknown {', '.join(unknown)}; known: {', '.join(known)}")
    enums = {
        "order": Order,
        "reduction": Reduction,
        "selection": Selection,
        "precision": Precision,
        "missing_modality": MissingModality,
    }
    for key, enum in enums.items():
        if key in merged:
            merged[key] = read_enum(enum, merged[key], key)
    for key in ("visual", "audio", "betas", "valence_epochs", "arousal_epochs"):
        if key in merged:
            merged[key] = tuple(merged[key])
    merged["normalisation"] = {
        feature: read_enum(Normalisation, kind, f"normalisation of {feature}")
        for feature, kind in merged.get("normalisation", {}).items()
    }
    return TrainingSpec(**{**merged, "encoder": encoder})


def training_values(spec: TrainingSpec) -> dict[str, Any]:
    """A spec as plain values, fit for JSON and for `training_spec` again."""
    return {
        **spec_values(spec),
        "encoder": spec_values(spec.encoder),
        "normalisation": {key: value.value for key, value in spec.normalisation.items()},
    }


@dataclass(frozen=True)
class EpochLog:
    """What an epoch came to.

    Attributes:
        epoch: from 1.
        learning_rate: of the epoch.
        train_loss: mean over its updates.
        updates: optimiser steps; batches without two annotated frames are skipped.
        val_valence: CCC of raw predictions on the validation samples; NaN without any.
        val_arousal: the same.
        train_seconds: in training steps.
        val_seconds: in the validation pass.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    updates: int
    val_valence: float
    val_arousal: float
    train_seconds: float
    val_seconds: float


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
            removes it (`discard`) once the model is saved.
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
    frames = _check_samples(spec, reader, labels, train_samples, val_samples)
    # Sorted: what is trained must not depend on the order in which samples are named.
    train_samples, val_samples = sorted(train_samples), sorted(val_samples)
    digest = _run_digest(
        spec, reader, labels, train_samples, val_samples, [seed, fold, str(device), metadata]
    )
    saved = _saved_state(work, digest)
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
        network = Network(spec.encoder, loader.dimension, loader.flags).to(device)
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
                group["lr"] = spec.rate(epoch)
            network.train()
            steps = _training_steps(spec, train_samples, frames, generator)
            loss, updates = _train_epoch(spec, network, optimizer, loader, steps, epoch, device)
            trained = time.perf_counter()
            scores = _validate(spec, network, validation_loader, labels, val_samples, device)
            log.append(
                EpochLog(
                    epoch=epoch,
                    learning_rate=spec.rate(epoch),
                    train_loss=loss,
                    updates=updates,
                    val_valence=scores[Target.VALENCE],
                    val_arousal=scores[Target.AROUSAL],
                    train_seconds=trained - started,
                    val_seconds=time.perf_counter() - trained,
                )
            )
            kept = _kept_epochs(spec, log)
            if any(epoch in epochs for epochs in kept.values()):
                save_tensors(network.state_dict(), _epoch_file(work, epoch))
            if epoch == spec.epochs or time.monotonic() - written >= state_interval_s:
                save_tensors(
                    {
                        "digest": digest,
                        "network": network.state_dict(),
                        "optimizer": optimizer.state_dict(),
                        "scalings": pack_scalings(scalings),
                        "log": [asdict(row) for row in log],
                    },
                    work / _STATE,
                )
                written = time.monotonic()
                _remove_epochs(work, but={e for epochs in kept.values() for e in epochs})
            if on_epoch:
                on_epoch(log[-1])
    kept = _kept_epochs(spec, log)
    weights = {
        epoch: load_tensors(_epoch_file(work, epoch))
        for epoch in {e for epochs in kept.values() for e in epochs}
    }
    model = TrainedModel(
        spec=training_values(spec),
        dimensions={feature: reader.dimension(feature) for feature in spec.features},
        scalings=scalings,
        checkpoints={t: [(epoch, weights[epoch]) for epoch in kept[t]] for t in Target},
        seed=seed,
        fold=fold,
        metadata=metadata or {},
    )
    return TrainingResult(model, tuple(log), _best(log))


def discard(work: Path) -> None:
    """Remove the resumable state of a training whose model is saved."""
    _remove_epochs(work, but=set())
    (work / _STATE).unlink(missing_ok=True)
    if work.is_dir() and not any(work.iterdir()):
        work.rmdir()


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
        loss = ccc_loss(predictions, targets, spec.reduction)
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
        valid = annotated(annotation)
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
    if val_samples and not any(annotated(labels.values(s)).any() for s in val_samples):
        raise RequestError("no frame of the validation samples is annotated")
    return frames


def _kept_epochs(spec: TrainingSpec, log: Sequence[EpochLog]) -> dict[Target, list[int]]:
    """Epochs to keep for each target, as far as training has come."""
    if spec.selection is Selection.BEST:
        return {target: [epoch] for target, (epoch, _) in _best(log).items()}
    if spec.selection is Selection.LAST:
        return {target: [len(log)] for target in Target}
    return {t: [e for e in spec.kept_epochs(t) if e <= len(log)] for t in Target}


def _best(log: Sequence[EpochLog]) -> dict[Target, tuple[int, float]]:
    """For each target the first epoch of the highest validation CCC."""
    best = {}
    for target, key in ((Target.VALENCE, "val_valence"), (Target.AROUSAL, "val_arousal")):
        row = max(log, key=lambda row: getattr(row, key))
        if not math.isnan(getattr(row, key)):
            best[target] = (row.epoch, float(getattr(row, key)))
    return best


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
    return value_digest([training_values(spec), contents, torch.__version__, rest])


def _saved_state(work: Path, digest: str) -> dict[str, Any] | None:
    if not (work / _STATE).is_file():
        return None
    saved = load_tensors(work / _STATE)
    if saved["digest"] == digest:
        return saved
    _LOG.info("starting anew: the saved state belongs to another training")
    discard(work)
    return None


def _epoch_file(work: Path, epoch: int) -> Path:
    return work / f"epoch-{epoch:04d}.pt"


def _remove_epochs(work: Path, but: set[int]) -> None:
    kept = {_epoch_file(work, epoch) for epoch in but}
    for path in work.glob("epoch-*.pt"):
        if path not in kept:
            path.unlink()


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
