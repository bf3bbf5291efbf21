"""Writes what follows from the models: the JSON schema of the config, and the page of its options.

``circumplex options`` writes both files; a test compares them with the models.
"""

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from circumplex.config.option_tables import options_table
from circumplex.config.root import Config
from circumplex.config.slots import Slot, fields_of

SCHEMA = Path(__file__).with_name("schemas") / "config.schema.json"
PAGE = Path("docs", "options.md")
HEAD = """\
# Options

Every key of `config.yaml` and of the presets over it: what may stand there, what holds where it is
left out, and what it means. Written from the models in `workflow/scripts/circumplex/config/`, by
`circumplex options`; a test compares them. A key that is not here is refused, and so is a value of
another type or out of its range. `null` stands for leaving a key out, and removes an entry that a
preset inherits. `<name>` is a name of your choice, `[]` an item of a list.
The options of the extractors are on their cards, in [features.md](features.md).
"""


def walk(model: type[BaseModel], place: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every section of the config, with its place; sections of named entries under ``<name>``.

    Args:
        model: of the section to start from.
        place: of that section.
    """
    yield place, model
    for key, field in fields_of(model).items():
        yield from _inside(Slot.of_field(field), f"{place}.{key}" if place else key)
    extra = Slot(model, {}).extra
    if extra is not None:
        yield from _inside(extra, f"{place}.<name>")


def _inside(slot: Slot, place: str) -> Iterator[tuple[str, type[BaseModel]]]:
    if slot.model is not None:
        yield from walk(slot.model, place)
    elif get_origin(slot.type) is dict:
        yield from _inside(Slot.of(get_args(slot.type)[1]), f"{place}.<name>")
    elif get_origin(slot.type) is tuple:
        yield from _inside(Slot.of(get_args(slot.type)[0]), f"{place}[]")
    else:
        for kind in slot.kinds:
            yield from walk(kind, place)


def schema_text() -> str:
    """The JSON schema of the config, in which the section of an extractor may have any key.

    So may that of an encoder: a new one changes its own files alone. Their keys are checked by
    their models.
    """
    schema = Config.model_json_schema(by_alias=True)
    anything = {"type": "object", "additionalProperties": {"type": "object"}}
    for name in ("Features", "Encoders"):
        kept = {key: schema["$defs"][name][key] for key in ("title", "description")}
        schema["$defs"][name] = {**kept, **anything}
    _drop_unused(schema)
    full = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(full, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _drop_unused(schema: dict[str, Any]) -> None:
    """Remove definitions that nothing refers to any more."""
    while True:
        text = json.dumps(schema)
        unused = [name for name in schema["$defs"] if f'"#/$defs/{name}"' not in text]
        if not unused:
            return
        for name in unused:
            del schema["$defs"][name]


def options_page(encoders: Collection[str] | None = None) -> str:
    """The page docs/options.md: a table for each section but those of the extractors.

    Args:
        encoders: those that it describes; all by default.
    """
    parts = [HEAD]
    shown: dict[type[BaseModel], str] = {}
    for place, model in walk(Config):
        section, _, rest = place.partition(".")
        left_out = encoders is not None and rest and rest.partition(".")[0] not in encoders
        if (section == "encoders" and left_out) or not (table := options_table(model)):
            continue
        parts.append(f"## {f'`{place}`' if place else 'Top level'}\n\n{_summary(model)}\n")
        parts += [f"The keys of `{shown[model]}`."] if model in shown else table
        parts.append("")
        shown.setdefault(model, place)
    return "\n".join(parts)


def _summary(model: type[BaseModel]) -> str:
    lines = (model.__doc__ or "").partition("\n\n")[0].split("\n")
    return " ".join(line.strip() for line in lines).replace("``", "`")
