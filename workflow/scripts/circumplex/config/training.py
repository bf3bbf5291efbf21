"""How a model is trained (section 4.2 of the paper): the section ``training``, and a whole model.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, PlainSerializer, SerializeAsAny

from circumplex.config.encoders.base import EncoderOptions, Fusion, Rate, Share
from circumplex.config.encoders.registry import encoder_values, read_encoder
from circumplex.config.modalities import MissingModality
from circumplex.config.precision import Precision
from circumplex.config.section import Lax, Section
from circumplex.errors import RequestError
from circumplex.targets import Target

Epoch = Annotated[int, Field(ge=1, le=100_000)]
EpochRange = Lax[tuple[Epoch, Epoch]]


class Order(StrEnum):
    """How batches are formed: videos read side by side, or segments drawn from all videos."""

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


class Normalisation(StrEnum):
    """How a feature is scaled before it enters a model.

    `ZSCORE`: to mean 0 and deviation 1 over the training part of the fold; `ZSCORE_BY_GROUP`: over
    the frames of the sample's own group (the sheet's column ``group``), also at prediction.
    """

    NONE = "none"
    ZSCORE = "zscore"
    ZSCORE_BY_GROUP = "zscore_by_group"


class Reduction(StrEnum):
    """Over valence and arousal: the paper sums, the published code takes the mean."""

    SUM = "sum"
    MEAN = "mean"


class Loss(StrEnum):
    """What is minimised.

    `CCC`: one minus CCC, eq. 5. `BATCH_CCC`: the published code's masked batch CCC, which keeps
    its denominator off zero by 1e-9 and has no rule for a constant target. `CCC_MSE`: `CCC` plus
    the mean squared error of the same frames (our choice; the published code can add the two too).
    """

    CCC = "ccc"
    BATCH_CCC = "batch_ccc"
    CCC_MSE = "ccc_mse"


class TrainingOptions(Section):
    """How a model is trained (section 4.2 of the paper)."""

    epochs: Epoch = Field(30, description="passes over the training samples")
    batch_size: int = Field(
        16, ge=1, le=65_536, description="videos in step (LSTM) or segments (Transformer)"
    )
    learning_rate: Rate | None = Field(None, description="of Adam; the encoder's by default")
    order: Lax[Order] | None = Field(
        None,
        description="of batches: videos read side by side, or segments drawn from all; by default "
        "in_step for encoders that carry a state",
    )
    bucket_batches: int = Field(
        8,
        ge=1,
        le=100_000,
        description="videos in step are sorted by length within so many batches; 1 for none",
    )
    betas: Lax[tuple[Share, Share]] = Field((0.9, 0.999), description="of Adam")
    decay_after: int | None = Field(
        None,
        ge=0,
        le=100_000,
        description="epochs with the full learning rate, which then falls linearly to 0 just after "
        "the last epoch; constant by default",
    )
    clip_norm: float | None = Field(
        None,
        ge=1e-12,
        le=1e12,
        description="gradient norm at which each sub-network is clipped; not by default",
    )
    loss: Lax[Loss] = Field(
        Loss.CCC, description="eq. 5; batch_ccc is the published code's, ccc_mse our choice"
    )
    mse_weight: float = Field(1.0, ge=0, le=1e6, description="of the squared error in loss ccc_mse")
    reduction: Lax[Reduction] = Field(
        Reduction.SUM, description="of the loss over valence and arousal"
    )
    normalisation: Lax[Normalisation] = Field(
        Normalisation.ZSCORE,
        description="of every feature: zscore, by the training part of the fold; zscore_by_group, "
        "by the frames of the sample's own group, such as a speaker, without labels (our choice)",
    )
    missing_modality: Lax[MissingModality] = Field(
        MissingModality.ZEROS_WITH_MASK,
        description="of samples that lack sound or a face: their features are zero, with a mask or "
        "without, or the samples are left out (our choice)",
    )
    precision: Lax[Precision] = Field(Precision.FLOAT32, description="of the network's arithmetic")
    valence_epochs: EpochRange = Field(
        (11, 16),
        description="first and last epoch, from 1, that strategy train_val_mix ensembles for "
        "valence (section 4.3)",
    )
    arousal_epochs: EpochRange = Field((16, 25), description="the same for arousal")


def _write_encoder(options: EncoderOptions) -> dict[str, Any]:
    values = encoder_values(options)
    del values["learning_rate"]  # the training's counts, which stands beside the encoder
    return values


Encoder = Annotated[
    SerializeAsAny[EncoderOptions],
    BeforeValidator(lambda v: v if isinstance(v, EncoderOptions) else read_encoder(v)),
    PlainSerializer(_write_encoder),
]


class TrainingSpec(TrainingOptions):
    """A whole model: what it reads, its network, and how it is trained."""

    encoder: Encoder = Field(description="the network, with its encoder")
    visual: Lax[tuple[str, ...]] = Field((), description="visual features, side by side in order")
    audio: Lax[tuple[str, ...]] = Field((), description="audio features, after the visual ones")
    learning_rate: Rate = Field(description="of Adam")
    order: Lax[Order] = Field(description="of batches")
    normalisation: dict[str, Lax[Normalisation]] = Field(  # type: ignore[assignment]
        {}, description="by feature; a feature that is not named is not scaled"
    )
    selection: Lax[Selection] = Field(Selection.BEST, description="epochs whose weights are kept")

    @classmethod
    def read(cls, values: Mapping[str, Any], place: str = "", source: str = "config") -> Self:
        """Check the values of a model, and that they go together.

        Args:
            values: by field; ``encoder`` as for `read_encoder`. What is left out has the encoder's
                own value, or else the paper's.
            place: of the model in the config, for messages.
            source: how messages begin.

        Raises:
            RequestError: an unknown key or value, or values that do not go together.
        """
        place_of_encoder = f"{place}.encoder" if place else "encoder"
        encoder = read_encoder(values.get("encoder", {}), place_of_encoder, source)
        of_encoder = {
            "learning_rate": encoder.learning_rate,
            "order": Order.IN_STEP if encoder.carries else Order.DRAWN,
        }
        spec = super().read({**of_encoder, **values, "encoder": encoder}, place, source)
        try:
            spec.check()
        except RequestError as error:
            where = f"{source}: {place}" if place else source
            raise RequestError(f"{where}: {error}") from error
        return spec

    @property
    def features(self) -> tuple[str, ...]:
        """Chosen features in the order of concatenation."""
        return (*self.visual, *self.audio)

    @property
    def scales_by_group(self) -> bool:
        """Whether a feature is scaled by the frames of the sample's own group."""
        return Normalisation.ZSCORE_BY_GROUP in self.normalisation.values()

    def epoch_range(self, target: Target) -> tuple[int, int]:
        """First and last epoch that are kept for a target under `Selection.EPOCHS`."""
        return self.valence_epochs if target is Target.VALENCE else self.arousal_epochs

    def check(self) -> None:
        """Check that the values go together.

        Raises:
            RequestError: naming those that do not.
        """
        if not self.features:
            raise RequestError("a model needs at least one feature, visual or audio")
        if len(set(self.features)) < len(self.features):
            raise RequestError(f"a feature is chosen twice: {', '.join(self.features)}")
        foreign = [feature for feature in self.normalisation if feature not in self.features]
        if foreign:
            raise RequestError(f"normalisation of {', '.join(foreign)}, which the model lacks")
        if self.order is Order.DRAWN and self.encoder.carries:
            raise RequestError(
                f"{self.encoder.name} carries its state over a video: order must be in_step"
            )
        if self.encoder.fusion is Fusion.CROSS_ATTENTION and not (self.visual and self.audio):
            raise RequestError("fusion cross_attention needs visual and audio features")
        if self.selection is Selection.EPOCHS:
            self._check_epochs()

    def _check_epochs(self) -> None:
        for first, last in map(self.epoch_range, Target):
            if not first <= last <= self.epochs:
                raise RequestError(
                    f"epochs {first} to {last} are chosen, but training has 1 to {self.epochs}"
                )
