"""`circumplex compare`: what it prints, and the page that it writes."""

from circumplex.cli.main import main
from circumplex.report.comparison.page import Change, Comparison, SampleLine, comparison_page
from circumplex.report.rendering import SHARED
from finished_runs import write_run
from synthetic_report import HOSTILE, Page


def test_a_comparison_is_printed_and_written(tmp_path, capsys):
    first = write_run(tmp_path / "first")
    second = write_run(tmp_path / "second", 0.2, window=50)
    page = tmp_path / "pages" / "comparison.html"
    assert main(["compare", str(first), str(second), "--output", str(page)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"A: {first}\nB: {second}\n")
    assert "95 % interval of B − A by 10,000 draws of whole samples" in out
    (line,) = [row for row in out.splitlines() if row.split()[:3] == ["main", "val", "valence"]]
    a, b, gain = (float(cell.replace("−", "-")) for cell in line.split()[4:7])
    assert gain < 0
    assert abs(b - a - gain) < 0.0011
    assert ["smooth_predictions", "smoothing.valence", "20", "50"] in [
        row.split() for row in out.splitlines()
    ]
    assert "Samples with the largest loss, mean CCC of main" in out
    assert out.endswith(f"page: {page}\n")
    read = Page(page.read_text(encoding="utf-8"))
    assert list(read.sections) == ["", "scores", "requests", "samples"]
    row = next(row for row in read.table("scores") if row[0].startswith("main"))
    assert row[1:4] == ["val", "valence", "2"]
    assert [row[4], row[5]] == line.split()[4:6]
    assert ["smooth_predictions", "smoothing.valence", "20", "50"] in read.table("requests")


def test_a_folder_that_holds_no_scores_is_refused(tmp_path, capsys):
    first = write_run(tmp_path / "first")
    assert main(["compare", str(first), str(tmp_path)]) == 1
    message = capsys.readouterr().err
    assert "holds no scores" in message
    assert "name the results folder of a run that has finished" in message


def test_equal_runs_differ_in_nothing(tmp_path, capsys):
    first = write_run(tmp_path / "first")
    assert main(["compare", str(first), str(first)]) == 0
    out = capsys.readouterr().out
    assert "What was asked for: no difference" in out
    assert "largest loss" not in out


def test_hostile_names_stay_text_in_the_page():
    change = Change(HOSTILE, HOSTILE, HOSTILE, HOSTILE, f'"><img src=x onerror={HOSTILE}')
    lines = [SampleLine(HOSTILE, HOSTILE, 0.1, 0.2)]
    comparison = Comparison(HOSTILE, HOSTILE, [change], [], HOSTILE, lines, [HOSTILE], 10)
    html = comparison_page(comparison)
    page = Page(html)
    assert HOSTILE not in html
    assert page.text.count(HOSTILE) == 11
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert page.code["script"] == (SHARED / "list.js").read_text()
    assert "img" not in {tag for tag, _ in page.tags}
