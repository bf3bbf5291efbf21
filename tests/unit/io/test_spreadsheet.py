import pytest

from circumplex.io.spreadsheet import escape_cell, restore_cell


@pytest.mark.parametrize("start", [*"=+-@\t\r\n", *"＝＋－＠"])
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(start: str) -> None:
    assert escape_cell(f"{start}1+1") == f"'{start}1+1"
    assert escape_cell(start) == f"'{start}"


@pytest.mark.parametrize("text", ["", "video1", "a=b", "'quoted'", " =x", "1-2", "é"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert escape_cell(text) == text
    assert restore_cell(text) == text


@pytest.mark.parametrize("text", ["=x", "'=x", "''=x", "-5", "'", "''", "'a", "-'"])
def test_the_name_can_be_read_back(text: str) -> None:
    assert restore_cell(escape_cell(text)) == text
