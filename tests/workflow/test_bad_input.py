"""Bad input: what stops the run before any job, and what fails one sample alone."""

from pathlib import Path

import pytest
import yaml

from projects import CONFIGS, Project

ONE_MODEL = {  # a network's feature and another
    "experiments": {
        "lstm_DIF_WVCE": {"features": ["densenet", "egemaps"]},
        "transformer_D_WC": None,
    },
    "ensembles": {"main": {"arousal": ["lstm_DIF_WVCE"]}},
}


def overlay(project: Project, text: str) -> tuple[str, ...]:
    (project.root / "overlay.yaml").write_text(text)
    return (*CONFIGS, "overlay.yaml")


SENSELESS = [  # what a run says before its first job
    {
        "smothing: {valence: 3}": "unknown key 'smothing' at top level; did you mean 'smoothing'",
        "smoothing: {valance: 3}": "unknown key 'valance' at smoothing; did you mean 'valence'?",
    },
    {"folds: {count: 9}": "folds.count is 9, but training and validation have only 5 groups"},
    {"features: {fau: {weights: nowhere.pth}}": "weights nowhere.pth are missing"},
]


@pytest.mark.parametrize("wishes", SENSELESS, ids=["keys", "plan", "files"])
def test_an_invalid_request_stops_before_any_job(fresh: Project, wishes: dict[str, str]) -> None:
    outcome = fresh.snakemake(configs=overlay(fresh, "\n".join(wishes)))
    assert outcome.code == 1
    for message in wishes.values():
        assert message in outcome.text
    assert outcome.rules == set()
    assert not (fresh.results / "index").exists()


def test_two_samples_of_one_name_stop_the_run(fresh: Project) -> None:
    sheet = fresh.corpus / "samples.tsv"
    sheet.write_text(sheet.read_text() + sheet.read_text().splitlines()[1] + "\n")
    outcome = fresh.snakemake()
    assert outcome.code == 1
    assert "2 samples are named 'clip01'" in outcome.text
    assert outcome.rules == set()


def test_spoilt_samples_fail_by_name_and_the_others_go_to_the_end(project: Project) -> None:
    (project.corpus / "videos/clip06.mkv").unlink()
    (project.corpus / "videos/clip05.mp4").write_text("not a film")
    annotations = project.corpus / "annotations/VA_Estimation_Challenge/Train_Set"
    (annotations / "clip01.txt").write_text("")
    outcome = project.snakemake(configs=overlay(project, yaml.safe_dump(ONE_MODEL)))
    assert outcome.code == 1
    assert "3 of the samples failed" in outcome.text
    for sample, stage in [
        ("clip01", "read_labels"),
        ("clip05", "extract_frames"),
        ("clip06", "extract_frames"),
    ]:
        assert f"  {sample}: {stage}: " in outcome.text
    assert (project.results / "submissions/main/clip07.txt").is_file()
    assert not (project.results / "submissions/main/clip06.txt").exists()
    page = (project.results / "report.html").read_text()
    assert "clip05" in page[page.index("Failed samples</h3>") : page.index('id="corpus"')]
    excluded = yaml.safe_dump({**ONE_MODEL, "exclude": ["clip01", "clip05", "clip06"]})
    assert project.snakemake(configs=overlay(project, excluded)).code == 0


def test_names_with_spaces_quotes_and_dashes_go_through(fresh: Project) -> None:
    name = '-it\'s "a" {name} <b>ünïcode $(x)'
    video = fresh.corpus / "videos" / f"{name}.mp4"
    (fresh.corpus / "videos/clip07.mp4").rename(video)
    sheet = fresh.corpus / "samples.tsv"
    header, *_ = sheet.read_text().splitlines()
    sheet.write_text(f"{header}\n{name}\tvideos/{name}.mp4\tlargest\t\ttest\tg\n")
    target = str(Path(".test/results/index/extract_egemaps/000-of-001.json"))
    sheet.write_text(sheet.read_text() + "clip01\tvideos/clip01.mp4\tlargest\tx\ttrain\th\n")
    sheet.write_text(sheet.read_text() + "clip04\tvideos/clip04.mp4\tlargest\tx\tval\ti\n")
    outcome = fresh.snakemake(target, configs=overlay(fresh, "shards: 1"))
    assert outcome.code == 0, outcome.text
    assert (fresh.results / f"extract_egemaps/{name}.parquet").is_file()
