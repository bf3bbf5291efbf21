"""Markdown tables of options, from their models.

Standard library, pydantic and tabulate only.
"""

import json
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from circumplex.config.section import Section
from circumplex.config.slots import Slot, describe_type, fields_of
from circumplex.io.markdown import markdown_table


def options_table(model: type[BaseModel]) -> list[str]:
    """Lines of a table with a row for each key that holds no section of its own, if there is one.

    Columns: key, what may stand there, what holds where it is left out, meaning.
    """
    fields = fields_of(model).items()
    rows = [_row(key, field) for key, field in fields if not Slot.of_field(field).model]
    return markdown_table(["key", "value", "default", "meaning"], rows) if rows else []


def _row(key: str, field: FieldInfo) -> list[str]:
    meaning = (field.description or "").replace("<", "&lt;")
    return [f"`{key}`", describe_type(Slot.of_field(field)), _default(field), meaning]


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
