"""The sections ``encoders`` and ``training``, and what an experiment may change of them.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, PlainSerializer

from circumplex.config.encoders import Fusion, Initialisation, Positions
from circumplex.config.modalities import MissingModality
from circumplex.config.precision import Precision
from circumplex.config.section import Lax, Section, defaults_of

Share = Annotated[float, Field(ge=0, le=0.999999)]
Width = Annotated[int, Field(ge=1, le=65_536)]
Epoch = Annotated[int, Field(ge=1, le=100_000)]
EpochRange = Lax[tuple[Epoch, Epoch]]
EncoderName = Literal["lstm", "transformer", "transformer_lstm", "gru", "bilstm", "tcn"]


def _given(section: Section) -> dict[str, Any]:
    return section.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)


GIVEN = PlainSerializer(_given)
"""Writes a section without its defaults: it changes another one."""


class TrainingOptions(Section):
    """How a model is trained (section 4.2 of the paper)."""

    epochs: int = Field(30, ge=1, le=100_000, description="passes over the training samples")
    batch_size: int = Field(
        16, ge=1, le=65_536, description="videos in step (LSTM) or segments (Transformer)"
    )
    learning_rate: float | None = Field(
        None, ge=1e-12, le=100, description="of Adam; the encoder's by default"
    )
    order: Literal["in_step", "drawn"] | None = Field(
        None,
        description="of batches: videos walked side by side, or segments drawn from all; the "
        "encoder's by default",
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
    loss: Literal["ccc", "batch_ccc", "ccc_mse"] = Field(
        "ccc", description="eq. 5; batch_ccc is the published code's, ccc_mse our choice"
    )
    mse_weight: float = Field(1.0, ge=0, le=1e6, description="of the squared error in loss ccc_mse")
    reduction: Literal["sum", "mean"] = Field(
        "sum", description="of the loss over valence and arousal"
    )
    normalisation: Literal["none", "zscore"] = Field(
        "zscore", description="of every feature, by the training part of the fold"
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


class EncoderOptions(Section):
    """Architecture and learning rate of an encoder; what is left out is the encoder's own."""

    segment_length: int | None = Field(None, ge=1, le=100_000, description="frames per segment")
    stride: int | None = Field(
        None, ge=1, le=100_000, description="frames between the starts of segments"
    )
    fusion: Lax[Fusion] | None = Field(None, description="how features become one vector")
    hidden: Width | None = Field(None, description="width of fusion and encoder")
    layers: int | None = Field(None, ge=1, le=1000, description="of the encoder")
    heads: int | None = Field(None, ge=1, le=1000, description="attention heads")
    feed_forward: Width | None = Field(None, description="inner width of Transformer layers")
    kernel_size: int | None = Field(
        None, ge=1, le=10_001, description="frames of a temporal convolution; odd"
    )
    residual: bool | None = Field(
        None, description="fused frames skip the Transformer before an LSTM"
    )
    regressor: Lax[tuple[Width, ...]] | None = Field(None, description="widths before the outputs")
    dropout: Share | None = Field(None, description="of the regressor")
    encoder_dropout: Share | None = Field(None, description="within the encoder")
    fusion_dropout: Share | None = Field(None, description="after fusion")
    fusion_relu: bool | None = Field(None, description="a ReLU after fusion")
    positions: Lax[Positions] | None = Field(None, description="positional encoding")
    mask_padding: bool | None = Field(
        None, description="attention leaves out the frames after a segment's end"
    )
    initialisation: Lax[Initialisation] | None = Field(None, description="of the weights")
    learning_rate: float | None = Field(None, ge=1e-12, le=100, description="of Adam")


TrainingOverlay = Annotated[TrainingOptions, GIVEN]


class EncoderSection(EncoderOptions):
    """An encoder, and changes to the training of models that have it."""

    training: TrainingOverlay = defaults_of(TrainingOptions, "changes to the section training")


class Encoders(Section):
    """The temporal encoders (section 3.3)."""

    lstm: EncoderSection = defaults_of(EncoderSection)
    transformer: EncoderSection = defaults_of(EncoderSection)
    transformer_lstm: EncoderSection = defaults_of(EncoderSection)
    gru: EncoderSection = defaults_of(EncoderSection)
    bilstm: EncoderSection = defaults_of(EncoderSection)
    tcn: EncoderSection = defaults_of(EncoderSection)
