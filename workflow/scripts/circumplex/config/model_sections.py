"""The sections ``encoders`` and ``training``, and what an experiment may change of them.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from functools import cache
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    create_model,
    model_validator,
)

from circumplex.config.encoders.base import EncoderOptions
from circumplex.config.encoders.registry import ENCODERS, encoder_names
from circumplex.config.section import Name, Section, defaults_of
from circumplex.config.training import TrainingOptions
from circumplex.config.validation import suggestion
from circumplex.errors import RequestError


def _check_encoder(name: str) -> str:
    if name not in ENCODERS:
        raise ValueError(f"is {name!r}, which is no encoder{suggestion(name, encoder_names())}")
    return name


EncoderName = Annotated[str, AfterValidator(_check_encoder)]


def _given(section: Section) -> dict[str, Any]:
    return section.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)


GIVEN = PlainSerializer(_given)
"""Writes a section without its defaults: it changes another one."""
TrainingOverlay = Annotated[TrainingOptions, GIVEN]


class EncoderSection(EncoderOptions):
    """Architecture and learning rate of a model with this encoder.

    The defaults below are the LSTM's. Those of each encoder, and the options that it alone has, are
    in its module of `circumplex.config.encoders`.
    """

    training: TrainingOverlay = defaults_of(TrainingOptions, "changes to the section training")


class Encoders(Section):
    """The temporal encoders by name (section 3.3)."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[Name, EncoderSection]


@cache
def encoders_model() -> type[Section]:
    """The section ``encoders``, with a field for each encoder that is there."""
    training = (TrainingOverlay, defaults_of(TrainingOptions))
    fields: dict[str, Any] = {}
    for name, options in ENCODERS.items():
        model = create_model(f"Encoder_{name}", __base__=options, training=training)
        fields[name] = (model, Field(default_factory=model))
    return create_model("Encoders", __base__=Section, __doc__=Encoders.__doc__, **fields)


class EncoderChoice(Section):
    """An encoder, and changes to what the config says of it and of training."""

    encoder: EncoderName = Field(description="temporal encoder, by its name under encoders")
    encoder_options: dict[str, Any] = Field({}, description="changes to the encoder's section")
    training: TrainingOverlay = defaults_of(TrainingOptions, "changes to the section training")

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        try:
            ENCODERS[self.encoder].read(self.encoder_options, "encoder_options", source="")
        except RequestError as error:
            problems = [line.removeprefix(": ") for line in str(error).splitlines()]
            raise ValueError("; ".join(problems)) from error
        return self
