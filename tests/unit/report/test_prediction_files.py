"""CSV files of predictions and the player's files, against an independent computation."""

import csv
import json
import math
import re
import statistics
from pathlib import Path

import pytest

from circumplex.pipeline.records import altered_files
from circumplex.report.file_names import file_names
from circumplex.report.prediction_csv import FRAME_COLUMNS, SUMMARY_COLUMNS
from shown_run import RUNS, ShownRun

NAME = '=cmd()|"/c calc"'
NAMES = (NAME, "Müller, <b>1</b>", "-5", "@sum", "con", "A clip", "a clip", "index", "quoted 'x'")


@pytest.fixture
def run(tmp_path: Path) -> ShownRun:
    run = ShownRun(tmp_path / "results")
    run.add("film", 90, unseen=[(30, 45), (80, 90)])
    run.add("sound alone", 40, unseen=[(0, 40)], filled=False)
    for name in NAMES:
        run.add(name, 8)
    run.failures["broken"] = "=the file is damaged, copy it again"
    return run


def frames_of(path: Path) -> list[dict[str, str]]:
    text = path.read_bytes().decode("ascii")
    return list(csv.DictReader(text.splitlines()))


def summary_of(path: Path) -> dict[str, dict[str, str]]:
    content = path.read_bytes()
    assert content.startswith(b"\xef\xbb\xbfsample,"), "spreadsheet programs know UTF-8 by its mark"
    rows = csv.DictReader(content.decode("utf-8-sig").splitlines())
    return {row["sample"]: row for row in rows}


def test_a_file_has_every_frame_with_the_spread_of_the_models(run: ShownRun) -> None:
    run.write_predictions()
    rows = frames_of(run.results / "predictions/film.csv")
    assert list(rows[0]) == list(FRAME_COLUMNS)
    sample = run.samples["film"]
    assert [int(row["frame"]) for row in rows] == list(range(90))
    for frame, row in enumerate(rows):
        assert float(row["time_s"]) == pytest.approx(frame / 25, abs=1e-6)
        for column, target in enumerate(("valence", "arousal")):
            members = [float(member[frame, column]) for member in sample.members]
            assert float(row[target]) == pytest.approx(statistics.fmean(members), abs=2e-6)
            spread = statistics.stdev(members)
            assert float(row[f"{target}_spread"]) == pytest.approx(spread, abs=2e-6)
        unseen = 30 <= frame < 45 or frame >= 80
        assert row["face"] == ("filled" if unseen else "seen")
        shown = row["face_probability"]
        assert (shown == "") == unseen
        assert unseen or float(shown) == pytest.approx(sample.probability[frame], abs=1e-4)


def test_a_sample_without_visual_features_has_absent_faces(run: ShownRun) -> None:
    summary = summary_of(run.write_predictions())
    rows = frames_of(run.results / "predictions/sound alone.csv")
    assert {row["face"] for row in rows} == {"absent"}
    assert float(summary["sound alone"]["face_share"]) == 0


def test_a_single_model_has_no_spread_and_a_run_without_faces_no_face(run: ShownRun) -> None:
    run.ensembles = {"main": RUNS[:1]}
    run.looks_for_faces = False
    summary = summary_of(run.write_predictions())
    rows = frames_of(run.results / "predictions/film.csv")
    empty = ("valence_spread", "arousal_spread", "face", "face_probability")
    assert {row[column] for row in rows for column in empty} == {""}
    assert summary["film"]["face_share"] == ""
    page = run.make_player().parent / "player/film.html"
    assert "no face seen" not in page.read_text()[: page.read_text().index("<script")]


def test_the_summary_agrees_with_the_files(run: ShownRun) -> None:
    summary = summary_of(run.write_predictions())
    assert list(summary["film"]) == list(SUMMARY_COLUMNS)
    for name in run.samples:
        shown = f"'{name}" if name[0] in "=-@" else name
        row = summary[shown]
        frames = frames_of(run.results / row["file"])
        assert int(row["frames"]) == len(frames)
        assert float(row["duration_s"]) == pytest.approx(len(frames) / 25, abs=1e-3)
        points = [(float(f["valence"]), float(f["arousal"])) for f in frames]
        for column, target in enumerate(("valence", "arousal")):
            values = [point[column] for point in points]
            assert float(row[f"{target}_mean"]) == pytest.approx(statistics.fmean(values), abs=1e-5)
            deviation = statistics.pstdev(values)
            assert float(row[f"{target}_deviation"]) == pytest.approx(deviation, abs=1e-5)
            for extreme, pick in (("lowest", min), ("highest", max)):
                value = pick(values)
                assert float(row[f"{target}_{extreme}"]) == value
                when = float(frames[values.index(value)]["time_s"])
                assert float(row[f"{target}_{extreme}_time_s"]) == when
        angles = [math.atan2(arousal, valence) for valence, arousal in points]
        starts = {"positive_active": 0, "negative_active": 1, "negative_passive": -2}
        starts["positive_passive"] = -1
        for quadrant, start in starts.items():
            share = sum(start <= a / (math.pi / 2) < start + 1 for a in angles) / len(angles)
            assert float(row[f"share_{quadrant}"]) == pytest.approx(share, abs=1e-4), quadrant
        seen = sum(f["face"] == "seen" for f in frames) / len(frames)
        assert float(row["face_share"]) == pytest.approx(seen, abs=1e-4)
        assert row["problem"] == ""


def test_a_failed_sample_has_a_row_with_the_reason(run: ShownRun) -> None:
    run.random_weights = {"vggish": "random:3"}
    row = summary_of(run.write_predictions())["broken"]
    assert row["problem"] == "extract_frames: =the file is damaged, copy it again"
    assert row["file"] == row["valence_mean"] == ""
    assert "random weights for: vggish (random:3)" in row["notes"]
    assert "Ensemble main" in row["notes"]


def test_a_pretrained_model_is_named_in_the_summary_and_on_every_page(run: ShownRun) -> None:
    notice = "Starter network <1>, trained on FER2013; accuracy 0.725; read differences only."
    run.models = [{"name": "starter", "notice": notice}]
    for row in summary_of(run.write_predictions()).values():
        assert row["notes"].count(notice) == 1
    listing = run.make_player()
    for page in (listing, listing.parent / "player/film.html"):
        assert page.read_text().count(notice.replace("<1>", "&lt;1&gt;")) == 1


def test_no_cell_is_a_formula(run: ShownRun) -> None:
    run.failures = {"=1+1": "x"}
    for row in summary_of(run.write_predictions()).values():
        for column in ("sample", "ensemble", "file", "problem", "notes"):
            assert not row[column].startswith(tuple("=+-@\t\r"))


def test_several_ensembles_have_folders_of_their_own(run: ShownRun) -> None:
    run.ensembles = {"main": RUNS, "first": RUNS[:1]}
    run.write_predictions()
    assert (run.results / "predictions/main/film.csv").is_file()
    rows = frames_of(run.results / "predictions/first/film.csv")
    assert rows[0]["valence_spread"] == ""
    text = (run.results / "summary.csv").read_text(encoding="utf-8-sig")
    ensembles = [row["ensemble"] for row in csv.DictReader(text.splitlines())]
    samples = len(run.samples) + len(run.failures)
    assert ensembles == ["main"] * samples + ["first"] * samples


def test_what_is_the_same_is_not_written_again_and_what_is_gone_is_removed(run: ShownRun) -> None:
    def stamps() -> dict[str, int]:
        found = (run.results / "predictions", run.results / "player")
        files = [path for folder in found for path in folder.rglob("[!.]*") if path.is_file()]
        return {str(p.relative_to(run.results)): p.stat().st_mtime_ns for p in files}

    run.write_predictions(), run.make_player()
    before = stamps()
    run.add("a new film", 20)
    del run.samples["sound alone"]
    run.write_predictions(), run.make_player()
    after = stamps()
    assert before.keys() - after.keys() == {
        "predictions/sound alone.csv",
        "player/sound alone.html",
    }
    written = {name for name, stamp in after.items() if before.get(name) != stamp}
    # The pages before and after a new or removed one link to another.
    neighbours = {f"player/{name}" for name in ("film", "_cmd()___c calc_", "quoted 'x'")}
    new = {"predictions/a new film.csv", "player/a new film.html"}
    assert new <= written
    assert {re.split(r"-|\.", name)[0] for name in written - new} == neighbours


def test_a_manifest_names_every_file_by_its_content(run: ShownRun) -> None:
    run.write_predictions(), run.make_player()
    for stage in ("write_predictions", "make_player"):
        manifest = run.results / f"{stage}.json"
        assert altered_files(run.results, manifest) == []
        listed = json.loads(manifest.read_text())
        folder = run.results / listed["folder"]
        name, other = sorted(listed["files"])[:2]
        (folder / name).write_text("altered")
        (folder / other).unlink()
        (folder / "mine.txt").write_text("new")
        assert altered_files(run.results, manifest) == sorted([name, other])


def test_names_of_files_are_safe_and_differ_on_any_file_system() -> None:
    names = ["a", "A", "a:b", "a?b", "con", "CON.x", "-rf", "=x", "é", "e\u0301", "dot.", "x" * 200]
    files = file_names(names)
    assert files["a"] == "a"
    assert files["é"] == "é"
    assert files["x" * 200] == "x" * 200
    folded = {file.casefold().replace("e\u0301", "é") for file in files.values()}
    assert len(folded) == len(names)
    for file in files.values():
        assert not set(file) & set('<>:"|?*\\/')
        assert file[0] not in "-=+@. "
        assert file[-1] not in ". "
        assert file.split(".")[0].lower() not in ("con", "prn", "aux", "nul")
        assert len(file.encode()) <= 210
    assert file_names(names) == files
