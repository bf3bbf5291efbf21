"""Writes what follows from the models: the JSON schema of the config, and the page of its options.

``python -m circumplex.config.documents`` writes both; a test compares them with the models.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_origin

from pydantic import BaseModel

from circumplex.config.option_tables import options_table
from circumplex.config.root import Config
from circumplex.config.slots import Slot, fields_of
from circumplex.io.atomic import write_text

SCHEMA = Path(__file__).with_name("schemas") / "config.schema.json"
PAGE = Path("docs", "options.md")
HEAD = """\
# Options

Every key of `config.yaml` and of the presets over it: what may stand there, what holds where it is
left out, and what it means. Written from the models in `workflow/scripts/circumplex/config/`, by
`python -m circumplex.config.documents`; a test compares them. A key that is not here is refused,
and so is a value of another type or out of its range. `null` stands for leaving a key out, and
removes an entry that a preset inherits. `<name>` is a name of your choice, `[]` an item of a list.
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
    """The JSON schema of the config, in which an extractor's or encoder's section may have any key.

    So a new one changes no file but its own; its keys are checked by its model.
    """
    schema = Config.model_json_schema(by_alias=True)
    for section in ("Features", "Encoders"):
        schema["$defs"][section]["additionalProperties"] = {"type": "object"}
    full = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(full, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def options_page() -> str:
    """The page docs/options.md: a table for each section but those of the extractors."""
    parts = [HEAD]
    shown: dict[type[BaseModel], str] = {}
    for place, model in walk(Config):
        if not (table := options_table(model)):
            continue
        parts.append(f"## {f'`{place}`' if place else 'Top level'}\n\n{_summary(model)}\n")
        parts.append(f"The keys of `{shown[model]}`.\n" if model in shown else table)
        shown.setdefault(model, place)
    return "\n".join(parts)


def _summary(model: type[BaseModel]) -> str:
    lines = (model.__doc__ or "").partition("\n\n")[0].split("\n")
    return " ".join(line.strip() for line in lines).replace("``", "`")


def main() -> None:
    """Write both, the page into the working directory's ``docs/``."""
    write_text(SCHEMA, schema_text())
    write_text(PAGE, options_page())


if __name__ == "__main__":
    main()
