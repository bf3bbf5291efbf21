"""Markdown tables of options, from their models.

Standard library and pydantic only.
"""

import json
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from circumplex.config.section import Section
from circumplex.config.slots import Slot, describe_type, fields_of


def options_table(model: type[BaseModel]) -> str:
    """A row for each key that holds no section of its own; empty if there is none.

    Columns: key, what may stand there, what holds where it is left out, meaning.
    """
    fields = fields_of(model).items()
    rows = [_row(key, field) for key, field in fields if not Slot.of_field(field).model]
    if not rows:
        return ""
    return "\n".join(["| key | value | default | meaning |", "|---|---|---|---|", *rows, ""])


def _row(key: str, field: FieldInfo) -> str:
    slot = Slot.of_field(field)
    meaning = (field.description or "").replace("<", "&lt;")
    cells = (f"`{key}`", describe_type(slot), _default(field), meaning)
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value: Any = field.get_default(call_default_factory=True)
    if value is None:
        return ""
    if isinstance(value, Section):
        value = value.plain()
    elif isinstance(value, tuple):
        value = list(value)
    return f"`{json.dumps(value, ensure_ascii=False)}`"
