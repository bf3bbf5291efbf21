"""The report, read back as a browser would: by an HTML parser, and its pictures as XML."""

import base64
import csv
import hashlib
import json
import re
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

import synthetic_report
from circumplex.annotations.labels import read_labels_table
from circumplex.evaluation.scores import evaluate, read_pairs
from circumplex.io.kept_folder import KeptFolder
from circumplex.io.parquet import METADATA_KEY
from circumplex.predictions.table import PredictionTable
from circumplex.report import page as report
from circumplex.report.page import ReportInputs, write_report
from circumplex.report.quality import Tile, draw_sheet
from circumplex.report.rendering import SHARED
from synthetic_report import (
    HOSTILE,
    MODELS,
    PLACE,
    SHEET,
    Corpus,
    Page,
    empty_inputs,
    further,
    make_inputs,
    scores,
    words,
    write,
)

ORDER = ("turned_away", "mute", "calm", "deaf", "long_one")
"""Names of the annotated samples of `make_inputs`, in no order."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> ReportInputs:
    return make_inputs(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def written(inputs: ReportInputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("page") / "report.html"
    write(output, inputs)
    assert {path.name for path in output.parent.iterdir()} == {"report.html", PLACE}
    return output


@pytest.fixture(scope="module")
def html(written: Path) -> str:
    return written.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def pages_of(written: Path) -> list[Page]:
    return [Page(written.read_text()), *further(written, "traces"), *further(written, "faces")]


def test_random_weights_come_before_everything_else(page: Page) -> None:
    start = " ".join(page.sections[""].split())
    said = "These results were computed with seeded random weights for: "
    title, _, rest = start.partition(said)
    assert title.split("</script>")[-1].strip() == ""  # the title alone stands before
    assert rest.startswith("iresnet (random:1), vggish (random:2). They say nothing about")


def test_what_was_run_stands_at_the_top(page: Page) -> None:
    start = " ".join(page.sections[""].split())
    assert f"Run1 May 2024; config demo.yaml Weightsvggish {HOSTILE}" in start
    # 900 + 5000 + 400 + 300 + 300 + 300 frames, 30 a second
    assert "7 samples (1 train, 5 val, 1 test), 4.0 minutes of video, 7,200 frames." in start


def test_features_are_shown_with_weights_licence_columns_and_cost(page: Page) -> None:
    text = " ".join(page.sections["details"].split())
    assert "random:2, random weights" in text
    assert "glintr100.onnx (sha256 4ab1d6435d63...)" in text
    assert "non-commercial research only" in text
    assert "0.05 CPU seconds per second of video" in text
    assert f"Loudness_sma3, {HOSTILE}_sma3" in text
    assert "512 unnamed values" in text
    assert "openSMILE 3, feature set eGeMAPSv01b" in text
    assert "eGeMAPSv01b, low-level descriptorsnoneaudEERING" in text


def test_no_box_without_random_weights(tmp_path: Path) -> None:
    assert "random weights" not in write(tmp_path / "r.html", empty_inputs(tmp_path)).text


def test_no_text_becomes_markup(page: Page, written: Path) -> None:
    for read in pages_of(written):
        assert not [a for _, attrs in read.tags for a in attrs if a.startswith("on")]
        assert not [attrs for _, attrs in read.tags if "style" in attrs]
        assert [tag for tag, _ in read.tags].count("script") == (read.code.get("script", "") != "")
    for path in (written, *(written.parent / PLACE).glob("*.html")):
        assert HOSTILE not in path.read_text(encoding="utf-8")
    for section in ("", "index", "quality", "details"):
        assert HOSTILE in page.sections[section]
    assert 'cannot be opened: "EOF" <b>cut</b>' in page.sections["quality"]


def test_attributes_survive_quotes(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    name = '"><img src=x onerror=alert(1)>'
    corpus.add(name)
    inputs = empty_inputs(
        tmp_path,
        samples=tuple(corpus.samples),
        ensembles={"e": corpus.ensemble("e", [name])},
        players={name: f"player/{name}.html"},
    )
    write(tmp_path / "r.html", inputs)
    images = [a for read in pages_of(tmp_path / "r.html") for tag, a in read.tags if tag == "img"]
    texts = [image["alt"] for image in images]
    assert texts.count(f"Valence and arousal of {name} over time") == 2
    assert texts.count(f"Face crops of {name} at regular times") == 1
    assert not any("onerror" in image for image in images)


def test_only_the_package_s_own_script_and_style_may_run(written: Path) -> None:
    def source(text: str) -> str:
        digest = hashlib.sha256(text.encode()).digest()
        return f"'sha256-{base64.b64encode(digest).decode()}'"

    for read in pages_of(written):
        (policy,) = [a["content"] or "" for _, a in read.tags if a.get("http-equiv")]
        rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
        script = read.code.get("script", "")
        assert script in ("", (SHARED / "list.js").read_text())
        expected = {
            "default-src": "'none'",
            "style-src": source(read.code["style"]),
            "img-src": "data:",
            "base-uri": "'none'",
            "form-action": "'none'",
        }
        assert rules == expected | ({"script-src": source(script)} if script else {})


def test_pages_load_nothing(written: Path) -> None:
    for path in (written, *(written.parent / PLACE).glob("*.html")):
        html = path.read_text(encoding="utf-8")
        read = Page(html)
        for tag, attrs in read.tags:
            assert tag not in {"link", "iframe", "object", "embed"}
            for name in ("src", "srcset", "xlink:href"):
                pictures = ("data:image/svg+xml;base64,", "data:image/jpeg;base64,")
                assert (attrs.get(name) or pictures[0]).startswith(pictures)
        assert not re.findall(r"https?://|url\(|@import", html)


def test_pictures_refer_to_themselves_alone(page: Page) -> None:
    assert len(page.pictures()) > 10
    for svg in page.pictures():
        for element in svg.iter():
            assert not element.tag.endswith(("script", "foreignObject"))
            for name, value in element.attrib.items():
                if name.endswith("href"):
                    assert value.startswith(("#", "data:image/png;base64,"))


def test_sections_come_in_order_and_all_are_in_the_contents(page: Page) -> None:
    assert list(page.sections) == [
        *("", "overview", "samples", "index", "training", "quality", "details")
    ]
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    for section in page.sections.keys() - {""}:
        assert f"#{section}" in links
        assert page.sections[section].strip()


def test_links_within_and_between_pages_lead_somewhere(written: Path) -> None:
    anchors = {}
    links = []
    for path in (written, *(written.parent / PLACE).glob("*.html")):
        read = Page(path.read_text(encoding="utf-8"))
        anchors[path.resolve()] = {a["id"] for _, a in read.tags if a.get("id")}
        links += [(path, a["href"] or "") for tag, a in read.tags if tag == "a"]
    assert len(links) > 40
    for path, link in links:
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path.resolve()
        assert target in anchors, link
        assert not anchor or anchor in anchors[target], link


def test_best_ensemble_is_named_with_its_numbers(page: Page) -> None:
    text = " ".join(page.sections["overview"].split())
    assert "Best ensemble: final, on val: CCC 0.612 valence, 0.500 arousal, 0.556 mean." in text


def test_failures_are_named_at_the_top_and_explained_below(page: Page) -> None:
    assert "1 sample failed and took no part: broken & bent" in " ".join(page.sections[""].split())
    assert page.table("quality")[:2] == [
        ["Sample", "Stage", "Reason"],
        ["broken & bent", "extract_frames", 'cannot be opened: "EOF" <b>cut</b>'],
    ]
    assert "3 samples did not fail but should be looked at" in page.sections["quality"]


def test_sound_alone_is_not_counted_as_video(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    corpus.add("a", known={"duration_s": 5400.0, "decoded_share": 0.0, "valid_share": None})
    corpus.add("b", known={"duration_s": 90.0})
    page = write(tmp_path / "r.html", empty_inputs(tmp_path, samples=tuple(corpus.samples)))
    start = " ".join(page.sections[""].split())
    assert "1.5 minutes of video, 1.5 h of sound alone, " in start


def test_warnings_are_grouped_the_rarest_first(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    for k in range(20):
        corpus.add(f"s{k}", frames=30, known={"face_px": 20 + k})
    corpus.add("odd", frames=30, known={"silent_share": 0.75, "face_px": 10})
    corpus.add("mute", frames=30, loudness=0.0)
    corpus.add("quiet", frames=30, loudness=0.0)
    page = write(tmp_path / "r.html", empty_inputs(tmp_path, samples=tuple(corpus.samples)))
    table = page.table("quality")[1:4]
    assert table[:2] == [
        ["silent for 75% of the time (usual here: 0%)", "1", "odd"],
        ["silent", "2", "mute, quiet"],
    ]
    assert table[2][:2] == ["small face: 10 px and similar", "21"]
    assert table[2][2].endswith(", …")
    assert len(table[2][2].split(", ")) == 13


def test_ccc_of_ensembles_then_models(page: Page) -> None:
    table = page.table("overview")
    assert table[1] == ["final", "val", "0.612", "0.500", "0.556", "1,800", "6"]
    assert table[2] == ["visual", "val", "0.400", "–", "–", "1,800", "6"]
    by_seed = [np.mean([v for (_, s), v in MODELS.items() if s == seed], axis=0) for seed in (0, 1)]
    expected = []
    for values in [*np.array(by_seed).T, np.mean(by_seed, axis=1)]:
        expected.append(f"{np.mean(values):.3f} ± {statistics.stdev(values):.3f}")
    assert table[4] == ["tr", "val", *expected, "2", "2"]
    assert table[5] == ["lstm", "val", "−0.010", "0.200", "0.095", "1", "1"]
    assert table[7] == ["tr", "0", "0", "val", "0.400", "0.300", "0.350", "1,800", "6"]
    assert table[7 + len(MODELS) + 1][0] == "Sample"
    text = " ".join(page.sections["overview"].split())
    assert "concatenation of all annotated frames" in text
    assert "after clipping to [−1, 1] and smoothing" in text


def test_best_ensemble_is_not_one_scored_on_training_data(tmp_path: Path) -> None:
    rows = scores("ensemble", "a", "", "", -1, "train", 0.99, 0.99)
    rows += scores("ensemble", "b", "", "", -1, "val", 0.2, 0.1)
    metrics = Corpus(tmp_path / "scored").metrics(rows)
    page = write(tmp_path / "r.html", empty_inputs(tmp_path, metrics=metrics))
    assert "Best ensemble: b, on val" in page.text


def ccc_of(inputs: ReportInputs, names: list[str]) -> dict[str, float]:
    """CCC by target as the CCC table computes it, over the frames of some samples together."""
    labels = {s.name: s.labels for s in inputs.samples if s.labels is not None}
    pairs = read_pairs(PredictionTable(inputs.ensembles["final"]), names, labels)
    return {row.target.value: row.ccc for row in evaluate("final", "val", pairs)}


def test_samples_are_listed_from_the_worst_with_their_own_ccc(
    page: Page, inputs: ReportInputs
) -> None:
    table = page.table("index")[1:]
    by_sample = {name: ccc_of(inputs, [name]) for name in ORDER}
    means = {name: statistics.fmean(of.values()) for name, of in by_sample.items()}
    worst_first = sorted(ORDER, key=means.__getitem__)
    assert [row[0] for row in table] == [*worst_first, HOSTILE, "broken & bent"]
    for row in table[: len(ORDER)]:
        of = by_sample[row[0]]
        assert row[2:5] == [f"{x:.3f}" for x in (of["valence"], of["arousal"], means[row[0]])]
    assert table[-2][2:5] == ["–"] * 3
    assert table[-1][-1] == "failed in extract_frames"
    lowest = page.table("overview")[-len(ORDER) :]
    assert [row[0] for row in lowest] == worst_first
    captions = [a["alt"] or "" for tag, a in page.tags if tag == "img"]
    traced = [text for text in captions if text.endswith("over time")]
    expected = [f"Valence and arousal of {name} over time" for name in [*worst_first, HOSTILE]]
    assert traced == expected


def test_the_density_has_the_ccc_of_the_table(page: Page, inputs: ReportInputs) -> None:
    of = ccc_of(inputs, list(ORDER))
    drawn = " ".join(words(svg) for svg in page.pictures())
    for target in ("valence", "arousal"):
        assert f"{target}: CCC {of[target]:.3f}" in drawn
    text = " ".join(page.sections["overview"].split())
    assert "Annotated frames of 5 samples (val), as the ensemble final predicts them." in text


def test_the_confusion_of_quadrants_counts_frames(page: Page, inputs: ReportInputs) -> None:
    table = PredictionTable(inputs.ensembles["final"])
    labels = {s.name: s.labels for s in inputs.samples if s.labels is not None}
    counts: dict[tuple[str, str], int] = {}
    for name in ORDER:
        for given, wanted in zip(table.values(name), read_labels_table(labels[name]), strict=True):
            if not np.isnan(wanted).any():
                key = tuple(
                    ("positive" if v >= 0 else "negative") + ("active" if a >= 0 else "passive")
                    for v, a in (wanted, given)
                )
                counts[key] = counts.get(key, 0) + 1
    kinds = ("positiveactive", "negativeactive", "negativepassive", "positivepassive")
    expected = []
    for row in kinds:
        total = sum(counts.get((row, column), 0) for column in kinds)
        expected += [f"{100 * counts.get((row, column), 0) / total:.0f} %" for column in kinds]
    (drawn,) = [w for svg in page.pictures() if "quadrants" in (w := words(svg))]
    assert re.findall(r"\d+ %", drawn) == expected


def test_corpus_shows_suspicious_samples_first(page: Page) -> None:
    rows = page.table("quality")
    table = {row[0]: row[1:] for row in rows if len(row) == 11 and row[0] != "Sample"}
    assert list(table) == [
        *("broken & bentleft, group video", "mute", "turned_away", "deaf"),
        *("calm", "long_one", HOSTILE),
    ]
    rows = list(table.values())
    assert rows[0] == ["train", *["–"] * 8, "failed in extract_frames"]
    assert rows[2] == [
        *("val", "13.3", "400", "0.250", "90", "0.25", "0", "−20.0", "320"),
        "face in 25.0% of the frames; faces taken from up to 10.0 s away",
    ]
    assert rows[1][7:] == ["−∞", "240", "silent"]
    assert rows[3][7:] == ["none", "240", "audio: the file has no audio stream"]
    faces_and_sound = ["1.000", "90", "1.00", "0", "−20.0"]
    assert rows[4] == ["val", "30.0", "900", *faces_and_sound, "720", ""]
    assert rows[6] == ["test", "10.0", "300", *faces_and_sound, "–", ""]


def notes(page: Page) -> list[str]:
    """Last cell of each row of the table of the corpus."""
    return [row[-1] for row in page.table("quality") if len(row) == 11][1:]


@pytest.mark.parametrize(
    ("known", "warning"),
    [
        ({"valid_share": 0.79}, "face in 79.0% of the frames"),
        ({"face_px": 39}, "small face: 39 px"),
        ({"switches": 4, "duration_s": 10.0}, "4 switches of the tracker"),
        ({"decoded_share": 0.98}, "2.0% of the frames failed to decode"),
        (
            {"inner_silent_share": 0.6},
            "silent for 60% of the time from first to last sound",
        ),
        ({"level_dbfs": -61.0}, "silent"),
        ({"level_dbfs": None}, "silent"),
        ({"valid_share": 0.8, "face_px": 40, "silent_share": 0.5}, ""),
        ({"switches": 2}, ""),
        ({"switches": 9, "duration_s": 100.0, "sound_s": 100.0}, ""),
        ({"decoded_share": 0.99}, "3 frames failed to decode"),
        ({"sound_s": 8.5}, "sound ends 1.5 s before the video"),
        ({"sound_s": 12.0}, "sound ends 2.0 s after the video"),
        ({"decoded_share": 0.0, "valid_share": None}, ""),
    ],
)
def test_what_makes_a_sample_suspicious(
    tmp_path: Path, known: dict[str, Any], warning: str
) -> None:
    corpus = Corpus(tmp_path)
    corpus.add("a", known=known)
    page = write(tmp_path / "r.html", empty_inputs(tmp_path, samples=tuple(corpus.samples)))
    assert notes(page) == [warning]


def test_all_contact_sheets_stand_in_pages(
    inputs: ReportInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "SHEETS_PER_PAGE", 3)
    page = write(tmp_path / "r.html", inputs)
    uri = "data:image/jpeg;base64," + base64.b64encode(SHEET).decode()
    assert uri not in (tmp_path / "r.html").read_text()
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    names = [sample.name for sample in inputs.samples]
    seen = []
    sheets = further(tmp_path / "r.html", "faces")
    assert len(sheets) == 3
    for number, sheet in enumerate(sheets, 1):
        assert f"report/faces-{number:03d}.html" in links
        assert "../r.html" in [attrs["href"] for tag, attrs in sheet.tags if tag == "a"]
        seen += [name for name in names if name in sheet.text.replace(f"Affect of {HOSTILE}", "")]
    assert sorted(seen) == sorted(names)
    assert "broken & bent" in sheets[0].text
    pictures = [a["src"] for sheet in sheets for tag, a in sheet.tags if tag == "img"]
    assert pictures == [uri] * 6


def test_a_corpus_without_any_sound_is_not_suspicious(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    corpus.add("a", loudness=None)
    corpus.add("b", loudness=None)
    inputs = empty_inputs(tmp_path, samples=tuple(corpus.samples))
    assert notes(write(tmp_path / "r.html", inputs)) == ["", ""]
    corpus.add("c")
    inputs = replace(inputs, samples=tuple(corpus.samples))
    assert notes(write(tmp_path / "r.html", inputs)) == ["no audio", "no audio", ""]


def test_no_face_and_lost_frames_are_reported(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    absent = ("fill_frames: no frame with a valid face",)
    corpus.add("a", frames=200, face_share=0.0, known={"decoded_share": 199 / 200}, absent=absent)
    page = write(tmp_path / "r.html", empty_inputs(tmp_path, samples=tuple(corpus.samples)))
    (row,) = [row for row in page.table("quality") if len(row) == 11][1:]
    assert row[4:6] == ["0.000", "–"]
    assert row[-1] == (
        "face in 0.0% of the frames; fill_frames: no frame with a valid face; "
        "1 frame failed to decode"
    )


def test_every_sample_has_a_trace_that_the_index_leads_to(
    inputs: ReportInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "TRACES_PER_PAGE", 2)
    monkeypatch.setattr(report, "WORST", 3)
    page = write(tmp_path / "r.html", inputs)
    assert len([a for tag, a in page.tags if tag == "img" and a.get("class") == "trace"]) == 3
    pages = further(tmp_path / "r.html", "traces")
    assert len(pages) == 3
    names = [row[0] for row in page.table("index")[1:-1]]
    links = [a["href"] or "" for tag, a in page.tags if tag == "a"]
    for k, name in enumerate(names):
        assert f"report/traces-{k // 2 + 1:03d}.html#s{k + 1}" in links
        texts = [a["alt"] for tag, a in pages[k // 2].tags if tag == "img"]
        assert f"Valence and arousal of {name} over time" in texts
    assert "Samples 3 to 4 of 6" in pages[1].text


def test_faces_over_time_stand_below_the_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    greys = [10 * k for k in range(16)]
    crops = [cv2.imencode(".png", np.full((112, 112, 3), g, np.uint8))[1] for g in greys]
    tiles = [Tile(k, k / 30, crop.tobytes()) for k, crop in enumerate(crops)]
    monkeypatch.setattr(synthetic_report, "SHEET", draw_sheet(tiles))
    corpus = Corpus(tmp_path)
    corpus.add("a")
    samples, ensembles = tuple(corpus.samples), {"e": corpus.ensemble("e", ["a"])}
    inputs = empty_inputs(tmp_path, samples=samples, ensembles=ensembles)
    page = write(tmp_path / "r.html", inputs)
    (strip,) = [a["src"] or "" for tag, a in page.tags if a.get("class") == "strip"]
    content = np.frombuffer(base64.b64decode(strip.partition(",")[2]), np.uint8)
    image = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE).astype(float)
    assert image.shape[1] == 16 * image.shape[0]
    middles = [part.mean() for part in np.split(image, 16, axis=1)]
    assert middles == pytest.approx(greys, abs=3)


def test_the_band_is_explained_where_there_are_several_models(page: Page) -> None:
    assert "± standard deviation of the models" in page.sections["samples"]


def test_players_are_linked(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    corpus.add("a")
    inputs = empty_inputs(
        tmp_path,
        samples=tuple(corpus.samples),
        ensembles={"e": corpus.ensemble("e", ["a"])},
        players={"a": "player/a #1.html"},
    )
    page = write(tmp_path / "r.html", inputs)
    links = [a["href"] for tag, a in page.tags if tag == "a"]
    assert links.count("player/a%20%231.html") == 2
    (traces,) = further(tmp_path / "r.html", "traces")
    assert "../player/a%20%231.html" in [a["href"] for tag, a in traces.tags if tag == "a"]


def test_the_agreement_of_annotators_stands_below_the_scores(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    corpus.add("a")
    path = corpus.samples[0].labels
    assert path is not None
    schema = pq.read_schema(path)
    agreement = {"valence": {"annotators": 3, "ccc": 0.61, "alpha": 0.8}}
    table = pq.read_table(path).replace_schema_metadata(
        {**(schema.metadata or {}), METADATA_KEY: json.dumps({"agreement": agreement}).encode()}
    )
    pq.write_table(table, path)
    rows = scores("ensemble", "e", "", "", -1, "val", 0.6, 0.5)
    inputs = empty_inputs(
        tmp_path,
        samples=tuple(corpus.samples),
        metrics=Corpus(tmp_path / "scored").metrics(rows),
    )
    page = write(tmp_path / "r.html", inputs)
    assert "Agreement of annotators, mean over 1 sample" in page.sections["overview"]
    assert "Agreement of annotators" not in page.sections[""]


def test_a_run_that_only_predicts_has_no_empty_sections(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    for name in ("a", "b"):
        corpus.add(name, "predict", labelled=False)
    inputs = empty_inputs(
        tmp_path,
        samples=tuple(corpus.samples),
        ensembles={"e": corpus.ensemble("e", ["a", "b"])},
    )
    page = write(tmp_path / "r.html", inputs)
    assert list(page.sections) == ["", "overview", "samples", "index", "quality"]
    assert "deviation of the models" not in page.text, "there is one model"
    for words_of_scores in ("CCC", "annotation hardly", "Training", "Submissions", "Models"):
        assert words_of_scores not in page.text
    text = " ".join(page.sections["overview"].split())
    assert "All frames of 2 samples, as the ensemble e predicts them" in text
    head, *rows = page.table("index")
    assert head == ["Sample", "Split", "Valence", "Arousal", "Length", "Face", "See", "Remarks"]
    table = PredictionTable(inputs.ensembles["e"])
    for row in rows:
        means = table.values(row[0]).mean(axis=0)
        assert row[2:4] == [f"{mean:.3f}".replace("-", "−") for mean in means]


def test_a_sample_that_nothing_predicted_is_in_the_index(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    corpus.add("a")
    corpus.add("b", "train", loudness=0.0)
    corpus.add("c", "val")
    inputs = empty_inputs(
        tmp_path,
        samples=tuple(corpus.samples),
        ensembles={"e": corpus.ensemble("e", ["a"])},
    )
    rows = write(tmp_path / "r.html", inputs).table("index")[1:]
    assert [(row[0], row[-1]) for row in rows] == [
        *(("a", ""), ("b", "for training; silent"), ("c", "not predicted"))
    ]


def test_a_sample_is_shown_as_the_first_ensemble_predicts_it(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    for name in ("a", "b"):
        corpus.add(name, labelled=False)
    inputs = empty_inputs(
        tmp_path,
        samples=tuple(corpus.samples),
        ensembles={
            "first": corpus.ensemble("first", ["a"]),
            "second": corpus.ensemble("second", ["a", "b"], shift=0.3),
        },
    )
    rows = {row[0]: row for row in write(tmp_path / "r.html", inputs).table("index")[1:]}
    for name, shift in (("a", 0.0), ("b", 0.3)):
        mean = corpus.predicted[name][1].mean(axis=0)[0] + shift
        assert rows[name][2] == f"{mean:.3f}".replace("-", "−")


def test_samples_annotated_for_one_target_are_scored_on_it(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    corpus.add("a")
    path = corpus.samples[0].labels
    assert path is not None
    time_s, _ = corpus.predicted["a"]
    frame = np.arange(len(time_s), dtype=np.int32)
    values = np.linspace(-0.5, 0.5, len(frame)).astype(np.float32)
    nothing = np.full(len(frame), np.nan, np.float32)
    every = np.ones(len(frame), bool)
    columns = {"valence": values, "arousal": nothing, "annotated": every}
    corpus._write(path, {"frame": frame, "time_s": time_s}, **columns)
    inputs = empty_inputs(
        tmp_path, samples=tuple(corpus.samples), ensembles={"e": corpus.ensemble("e", ["a"])}
    )
    page = write(tmp_path / "r.html", inputs)
    (row,) = page.table("index")[1:]
    assert row[3] == "–"
    assert row[2] == row[4] != "–"
    drawn = " ".join(words(svg) for svg in page.pictures())
    assert "valence: CCC" in drawn
    assert "arousal: CCC" not in drawn


def relabel(corpus: Corpus, number: int, valence: float, arousal: float) -> None:
    """Give a sample the label of a whole clip."""
    path = corpus.samples[number].labels
    assert path is not None
    time_s, _ = corpus.predicted[corpus.samples[number].name]
    count = len(time_s)
    columns = {
        "valence": np.full(count, valence, np.float32),
        "arousal": np.full(count, arousal, np.float32),
        "annotated": np.ones(count, bool),
    }
    corpus._write(path, {"frame": np.arange(count, dtype=np.int32), "time_s": time_s}, **columns)


def test_labels_of_whole_clips_are_judged_by_error(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    labels = {"far": (0.9, -0.9), "near": (0.1, 0.0)}
    for number, (name, label) in enumerate(labels.items()):
        corpus.add(name)
        relabel(corpus, number, *label)
    rows = scores("ensemble", "e", "", "", -1, "val", 0.0, 0.0)
    by_clip = [(*row, ccc) for row, ccc in zip(rows, (0.7, -0.4), strict=True)]
    inputs = empty_inputs(
        tmp_path,
        samples=tuple(corpus.samples),
        ensembles={"e": corpus.ensemble("e", list(labels))},
        metrics=Corpus(tmp_path / "scored").metrics(by_clip),
    )
    page = write(tmp_path / "r.html", inputs)
    assert "Samples with the largest error" in page.sections["samples"]
    assert "Lowest CCC" not in page.text
    table = page.table("overview")
    assert table[0][-2:] == ["Valence by clip", "Arousal by clip"]
    assert table[1][-2:] == ["0.700", "−0.400"]
    drawn = " ".join(words(svg) for svg in page.pictures())
    assert "mean absolute error per sample, worst first" in drawn
    head, *rows_of_index = page.table("index")
    assert "Error" not in head
    predicted = PredictionTable(inputs.ensembles["e"])
    assert [row[0] for row in rows_of_index] == ["far", "near"]
    for row in rows_of_index:
        errors = np.abs(predicted.values(row[0]) - np.array(labels[row[0]])).mean(axis=0)
        assert row[2:5] == [f"{x:.3f}" for x in (*errors, errors.mean())]


def test_a_sample_with_a_constant_annotation_has_an_error_and_no_ccc(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    for name in ("varied", "constant"):
        corpus.add(name)
    relabel(corpus, 1, 0.5, 0.5)
    inputs = empty_inputs(
        tmp_path,
        samples=tuple(corpus.samples),
        ensembles={"e": corpus.ensemble("e", ["varied", "constant"])},
    )
    page = write(tmp_path / "r.html", inputs)
    head, varied, constant = page.table("index")
    assert head[5] == "Error"
    assert [varied[0], constant[0]] == ["varied", "constant"]
    assert constant[2:5] == ["–"] * 3
    predicted = PredictionTable(inputs.ensembles["e"]).values("constant")
    assert constant[5] == f"{np.abs(predicted - 0.5).mean():.3f}"
    assert "mean absolute error valence" in " ".join(page.sections["samples"].split())


def test_the_page_stays_small(html: str) -> None:
    images = re.findall(r'src="data:([^"]*)"', html)
    assert max(map(len, images)) < 100_000
    assert len(html) - sum(map(len, images)) < 50_000


def test_size_grows_by_a_row_of_the_index_for_each_sample(tmp_path: Path) -> None:
    sizes = []
    for count in (10, 40):
        folder = tmp_path / str(count)
        corpus = Corpus(folder)
        for k in range(count):
            corpus.add(f"sample{k:03d}", frames=60)
        names = list(corpus.predicted)
        inputs = empty_inputs(
            folder, samples=tuple(corpus.samples), ensembles={"e": corpus.ensemble("e", names)}
        )
        write(folder / "r.html", inputs)
        html = (folder / "r.html").read_text()
        sizes.append(len(html) - sum(map(len, re.findall(r'src="data:([^"]*)"', html))))
        assert html.count('class="trace"') == report.WORST
    assert (sizes[1] - sizes[0]) / 30 < 2500


def test_training_without_validation_says_so(page: Page) -> None:
    drawn = [words(svg) for svg in page.pictures()]
    curves = [text for text in drawn if "validation CCC" in text]
    assert ["no validation" in text for text in curves] == [False, True]
    assert "4 runs, 30 epochs" in page.sections["training"]
    assert "1 run, 30 epochs" in page.sections["training"]


def test_models_are_drawn_with_their_seeds(page: Page) -> None:
    drawn = [words(svg) for svg in page.pictures() if "CCC, valence" in words(svg)]
    assert len(drawn) == 1
    for label in ("final", "visual", "tr", "lstm"):
        assert label in drawn[0].split()


def test_tables_of_the_paper_are_drawn_as_bars(tmp_path: Path) -> None:
    table = tmp_path / "table5.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        head = ["table", "row", "split", "target", "ours", "deviation", "replicates"]
        writer.writerow([*head, "Aff-Wild2", "samples", "frames"])
        for label in ("$x_1$ & more", "all"):
            for split, ccc in (("val", 0.4), ("test", 0.7)):
                writer.writerow(["table5", label, split, "valence", ccc, 0.01, 3, 0.5, 6, 90])
        writer.writerow(["table5", "nothing held out", "val", "valence", "", "", "", 0.6, "", ""])
    rows = scores("ensemble", "a", "", "", -1, "val", 0.6, 0.5)
    metrics = Corpus(tmp_path / "scored").metrics(rows)
    inputs = empty_inputs(tmp_path, tables={"table5": table}, metrics=metrics)
    page = write(tmp_path / "r.html", inputs)
    assert "scored on val" in " ".join(page.sections["overview"].split())
    (bars,) = [w for svg in page.pictures() if "$x_1$ & more" in (w := words(svg))]
    assert "nothing held out" not in bars
    assert "0.6" not in bars  # the axis ends where the held-out samples' bars do


def test_action_units_are_sorted_by_number(tmp_path: Path) -> None:
    of = {"f1": 0.5, "accuracy": 0.5, "shown": 1, "annotated": 2}
    card = {
        "name": "units",
        "recipe": {"network": "densenet"},
        "log": [{}],
        "date": "2024-05-01",
        "start": "random",
        "data": [],
        "untrained": [],
        "paper": {},
        "scores": {
            "test": {"s": {"mean_f1": 0.5, "images": 2, "units": {u: of for u in ("1", "12", "2")}}}
        },
    }
    page = write(tmp_path / "r.html", empty_inputs(tmp_path, backbones=(card,)))
    rows = [row[0] for row in page.table("details")]
    assert [row for row in rows if row.startswith("AU")] == ["AU1", "AU2", "AU12"]


def test_there_is_one_minus_sign(page: Page) -> None:
    hyphens = re.findall(r"(?:^|[\s(\[])-\d\S*", page.text)
    assert hyphens == []
    assert "−" in page.text


def test_submissions_and_facts(page: Page) -> None:
    table = page.table("details")
    assert table[1] == ["abaw", "final", "abaw3", "2", "submissions/abaw", "1: broken & bent"]
    assert table[2:4] == [[f"{HOSTILE}.txt", "ab" * 32], ["b.txt", "cd" * 32]]
    assert ["Machine", "a computer"] in table


def test_nothing_at_all_still_makes_a_page(tmp_path: Path) -> None:
    page = write(tmp_path / "r.html", empty_inputs(tmp_path))
    assert list(page.sections) == ["", "index", "quality"]
    for text in ("0 samples,", "No sample failed.", "There is no sample."):
        assert text in page.text
    assert page.code.keys() == {"style"}
    assert list((tmp_path / PLACE).glob("*.html")) == []


def test_pages_of_a_larger_corpus_go_and_people_s_files_stay(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path / "run")
    corpus.add("a", frames=30)
    samples, ensembles = tuple(corpus.samples), {"e": corpus.ensemble("e", ["a"])}
    inputs = empty_inputs(tmp_path, samples=samples, ensembles=ensembles)
    write(tmp_path / "r.html", inputs)
    (tmp_path / PLACE / "mine.html").write_text("mine")
    write(tmp_path / "r.html", replace(inputs, samples=(), ensembles={}))
    assert [path.name for path in (tmp_path / PLACE).glob("*.html")] == ["mine.html"]


def test_equal_inputs_make_equal_bytes(inputs: ReportInputs, html: str, tmp_path: Path) -> None:
    write(tmp_path / "report.html", inputs)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == html


def test_an_error_leaves_the_former_page(inputs: ReportInputs, tmp_path: Path) -> None:
    output = tmp_path / "r.html"
    output.write_text("former")
    sample = replace(inputs.samples[0], faces=tmp_path / "gone.parquet")
    with pytest.raises(FileNotFoundError), KeptFolder(tmp_path / PLACE) as folder:
        write_report(output, replace(inputs, samples=(sample,)), folder, PLACE)
    assert output.read_text() == "former"
    assert list((tmp_path / PLACE).iterdir()) == []


def test_pretrained_models_are_named_at_the_top(tmp_path: Path) -> None:
    notice = "Made with the pretrained model <b>: trained on FER2013."
    write(tmp_path / "r.html", empty_inputs(tmp_path, pretrained=({"notice": notice},)))
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    head = text[text.index("<header>") : text.index("</header>")]
    assert "Made with the pretrained model &lt;b&gt;: trained on FER2013." in head
