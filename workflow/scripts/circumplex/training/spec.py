"""What is trained and how: a model's configuration with the paper's values (section 4.2)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from circumplex.config.encoders import (
    EncoderKind,
    EncoderSpec,
    Fusion,
    encoder_spec,
    read_enum,
    spec_values,
)
from circumplex.config.modalities import MissingModality
from circumplex.errors import RequestError
from circumplex.model.losses import Loss, Reduction
from circumplex.model.normalisation import Normalisation
from circumplex.targets import Target


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
        loss: what is minimised.
        mse_weight: of the squared error in `Loss.CCC_MSE`.
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
    loss: Loss = Loss.CCC
    mse_weight: float = 1.0
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
        if self.order is Order.DRAWN and self.encoder.kind.carries:
            raise RequestError(
                f"{self.encoder.kind} carries its state over a video: order must be in_step"
            )
        if self.encoder.fusion is Fusion.CROSS_ATTENTION and not (self.visual and self.audio):
            raise RequestError("fusion cross_attention needs visual and audio features")
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
    # The paper's for its two encoders; for the others those of the one closest to them.
    recurrent = encoder.kind in (EncoderKind.LSTM, EncoderKind.GRU, EncoderKind.BILSTM)
    published: dict[str, Any] = {
        "learning_rate": 3e-4 if recurrent else 2e-4,
        "order": Order.IN_STEP if encoder.kind.carries else Order.DRAWN,
    }
    merged: dict[str, Any] = {"visual": (), "audio": (), **published, **values}
    known = [f.name for f in fields(TrainingSpec)]
    unknown = [key for key in merged if key not in known]
    if unknown:
        raise RequestError(f"training: unknown {', '.join(unknown)}; known: {', '.join(known)}")
    enums = {
        "order": Order,
        "loss": Loss,
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
