"""The temporal encoders by name: each module of this package that has a class ``Options``.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from circumplex.config import encoders
from circumplex.config.encoders.base import EncoderOptions
from circumplex.config.validation import suggestion
from circumplex.errors import RequestError

KIND = "kind"
"""Key of the encoder's name among its options."""


def encoder_names() -> list[str]:
    """List the names of the encoders, in alphabetical order."""
    return sorted(ENCODERS)


def _find_encoders() -> dict[str, type[EncoderOptions]]:
    names = [module.name for module in iter_modules(encoders.__path__)]
    modules = {
        name: import_module(f"{encoders.__name__}.{name}")
        for name in names
        if name not in ("base", "registry")
    }
    return {name: module.Options for name, module in modules.items()}


ENCODERS: Mapping[str, type[EncoderOptions]] = _find_encoders()


def read_encoder(values: Mapping[str, Any], place: str = "encoder") -> EncoderOptions:
    """Read an encoder's options and check that they go together.

    Args:
        values: the encoder's name under ``kind``, and its options; those that are left out have
            the encoder's own defaults.
        place: of the encoder in the config, for messages.

    Raises:
        RequestError: an unknown encoder, key or value, or options that do not go together.
    """
    options = options_class(values, place).read(
        {k: v for k, v in values.items() if k != KIND}, place
    )
    try:
        options.check()
    except RequestError as error:
        raise RequestError(f"config: {place}: {error}") from error
    return options


def read_stored_encoder(values: Mapping[str, Any]) -> EncoderOptions:
    """Read the options that a model file holds.

    Older files hold the options of all encoders: those that this encoder lacks are ignored.

    Raises:
        RequestError: an unknown encoder or value.
    """
    fields = options_class(values).model_fields
    return read_encoder({k: v for k, v in values.items() if k == KIND or k in fields})


def encoder_values(options: EncoderOptions) -> dict[str, Any]:
    """Write options as plain values, for `read_encoder` and for files."""
    return {KIND: options.name, **options.plain()}


def options_class(values: Mapping[str, Any], place: str = "encoder") -> type[EncoderOptions]:
    """Look up the class of the encoder that ``kind`` names.

    Raises:
        RequestError: there is no such encoder.
    """
    name: Any = values.get(KIND)
    if name not in ENCODERS:
        raise RequestError(
            f"config: {place}: there is no encoder {name!r}"
            + suggestion(str(name), encoder_names())
        )
    return ENCODERS[name]
