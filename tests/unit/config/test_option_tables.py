from typing import Literal

from pydantic import Field

from circumplex.config.option_tables import options_table
from circumplex.config.section import Lax, Section, defaults_of


class Inner(Section):
    depth: int = 1


class Options(Section):
    width: int = Field(ge=1, le=9, description="values per <frame>")
    names: Lax[tuple[str, ...]] = Field(("a", "é"), description="in order")
    kind: Literal["x", "y"] = "x"
    limit: float | None = Field(None, ge=0.5, le=2)
    inner: Inner = defaults_of(Inner)


def test_a_row_for_each_key_that_is_no_section():
    head, _, *rows = options_table(Options)
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in (head, *rows)]
    assert cells[0] == ["key", "value", "default", "meaning"]
    assert [row[0] for row in cells[1:]] == ["`width`", "`names`", "`kind`", "`limit`"]
    width, names, kind, limit = cells[1:]
    assert width[1:] == ["an integer from 1 to 9", "required", "values per &lt;frame>"]
    assert names[2:] == ['`["a", "é"]`', "in order"]
    assert kind[2] == '`"x"`'
    assert "x, y" in kind[1]
    assert limit[1:] == ["a number from 0.5 to 2", "", ""]


def test_a_section_of_sections_has_no_table():
    class Outer(Section):
        inner: Inner = defaults_of(Inner)

    assert options_table(Outer) == []
