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


def read_encoder(
    values: Mapping[str, Any], place: str = "encoder", source: str = "config"
) -> EncoderOptions:
    """Read an encoder's options and check that they go together.

    Args:
        values: the encoder's name under ``kind``, and its options; those that are left out have
            the encoder's own defaults.
        place: of the encoder in the config, for messages.
        source: how messages begin.

    Raises:
        RequestError: an unknown encoder, key or value, or options that do not go together.
    """
    name: Any = values.get(KIND)
    if name not in ENCODERS:
        known = suggestion(str(name), encoder_names())
        raise RequestError(f"{source}: {place}: there is no encoder {name!r}{known}")
    given = {key: value for key, value in values.items() if key != KIND}
    options = ENCODERS[name].read(given, place, source)
    try:
        options.check()
    except RequestError as error:
        raise RequestError(f"{source}: {place}: {error}") from error
    return options


def read_stored_encoder(values: Mapping[str, Any]) -> EncoderOptions:
    """Read the options that a model file holds.

    Older files hold the options of all encoders: those that the model's encoder lacks are ignored.

    Raises:
        RequestError: an unknown encoder or value.
    """
    kind = ENCODERS.get(str(values.get(KIND)), EncoderOptions)
    kept = {k: v for k, v in values.items() if k == KIND or k in kind.model_fields}
    return read_encoder(kept, source="model file")


def encoder_values(options: EncoderOptions) -> dict[str, Any]:
    """Write options as plain values, for `read_encoder` and for files."""
    return {KIND: options.name, **options.plain()}
