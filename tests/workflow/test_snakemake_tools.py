"""Snakemake's own linter and report on this workflow."""

import zipfile

from projects import Project


def test_the_linter_finds_nothing(fresh: Project) -> None:
    outcome = fresh.snakemake(options=("--lint",))
    assert outcome.code == 0
    assert "your workflow is in a good condition" in outcome.text


def test_the_report_packs_the_page(project: Project) -> None:
    outcome = project.snakemake(options=("--report", "report.zip"))
    assert outcome.code == 0, outcome.text
    for problem in ("Missing metadata", "Traceback"):
        assert problem not in outcome.text
    assert "Adding report.html" in outcome.text
    with zipfile.ZipFile(project.root / "report.zip") as packed:
        assert packed.testzip() is None
