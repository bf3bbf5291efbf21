"""The section ``encoders``, and what an experiment may change of an encoder and of the training.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    ValidationInfo,
    create_model,
    field_validator,
)

from circumplex.config.encoders.base import EncoderOptions
from circumplex.config.encoders.registry import ENCODERS, encoder_names
from circumplex.config.section import Section, check_part, defaults_of
from circumplex.config.training import TrainingOptions
from circumplex.config.validation import suggestion


def _check_encoder(name: str) -> str:
    if name not in ENCODERS:
        raise ValueError(f"there is no encoder {name!r}{suggestion(name, encoder_names())}")
    return name


EncoderName = Annotated[str, AfterValidator(_check_encoder)]


def _dump_given(section: Section) -> dict[str, Any]:
    return section.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)


TrainingOverlay = Annotated[TrainingOptions, PlainSerializer(_dump_given)]
"""Training options without their defaults, since they change another section."""


def _section_of(options: type[EncoderOptions]) -> type[EncoderOptions]:
    """An encoder's options, and changes to the training of models that have it."""
    overlay = defaults_of(TrainingOptions, "changes to the section training")
    return create_model(
        "EncoderSection",
        __base__=options,
        __module__=options.__module__,
        __doc__=options.__doc__,
        training=(TrainingOverlay, overlay),
    )


ENCODER_SECTIONS = {name: _section_of(options) for name, options in ENCODERS.items()}
_FIELDS: Any = {name: (model, defaults_of(model)) for name, model in ENCODER_SECTIONS.items()}
Encoders: type[Section] = create_model(
    "Encoders", __base__=Section, __doc__="The temporal encoders (section 3.3).", **_FIELDS
)


class WithEncoder(Section):
    """What chooses an encoder and changes its section and the training."""

    encoder: EncoderName = Field(description="temporal encoder, by its name under encoders")
    encoder_options: dict[str, Any] = Field(
        {}, description="changes to the section of the encoder, by the same keys"
    )
    training: TrainingOverlay = defaults_of(TrainingOptions, "changes to the section training")

    @field_validator("encoder_options")
    @classmethod
    def _read_encoder_options(cls, values: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if "encoder" not in info.data:
            return values
        return _dump_given(check_part(ENCODERS[info.data["encoder"]], values))
