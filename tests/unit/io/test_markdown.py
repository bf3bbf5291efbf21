"""Markdown tables: one row per line, whatever the cells hold."""

from circumplex.io.markdown import markdown_table


def test_cells_are_written_as_they_are():
    lines = markdown_table(["model", "ccc"], [["a", "0.50"], ["b", 7]])
    assert lines[0] == "| model | ccc |"
    assert set(lines[1]) == {"|", "-"}
    assert lines[2:] == ["| a | 0.50 |", "| b | 7 |"]


def test_a_pipe_or_line_break_stays_in_its_cell():
    lines = markdown_table(["a|b"], [["x|y"], ["first\n  second\r\nthird"]])
    assert lines[0] == r"| a\|b |"
    assert lines[2:] == [r"| x\|y |", "| first second third |"]


def test_a_table_without_rows_has_its_head():
    assert markdown_table(["a", "b"], [])[0] == "| a | b |"
