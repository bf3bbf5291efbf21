"""The section ``encoders``, and what an experiment may change of an encoder and of the training.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, PlainSerializer, create_model, model_validator

from circumplex.config.encoders.base import EncoderOptions
from circumplex.config.encoders.registry import ENCODERS, encoder_names
from circumplex.config.section import Section, defaults_of
from circumplex.config.training import TrainingOptions
from circumplex.errors import RequestError

if TYPE_CHECKING:
    EncoderName = str
else:
    EncoderName = Literal[tuple(encoder_names())]


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
    encoder_options: dict[str, Any] = Field({}, description="changes to the encoder's section")
    training: TrainingOverlay = defaults_of(TrainingOptions, "changes to the section training")

    @model_validator(mode="after")
    def _check_encoder_options(self) -> Self:
        try:
            ENCODERS[self.encoder].read(self.encoder_options, "encoder_options")
        except RequestError as error:
            raise ValueError(str(error).replace("config: ", "")) from error
        return self
