"""The report, read back as a browser would: by an HTML parser, and its pictures as XML."""

import base64
import math
import re
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest

from circumplex.report import page as report
from circumplex.report.figures import (
    Curve,
    Series,
    downsample,
    face_gaps,
    trace_figure,
    training_figure,
)
from circumplex.report.page import ReportInputs, write_report
from synthetic_report import (
    HOSTILE,
    MODELS,
    SHEET,
    Corpus,
    Page,
    empty_inputs,
    make_inputs,
    picture,
    scores,
    words,
)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> ReportInputs:
    return make_inputs(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def html(inputs: ReportInputs, tmp_path_factory: pytest.TempPathFactory) -> str:
    output = tmp_path_factory.mktemp("page") / "report.html"
    write_report(output, inputs)
    assert [path.name for path in output.parent.iterdir()] == ["report.html"]
    return output.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_random_weights_come_before_everything_else(page: Page) -> None:
    start = " ".join(page.sections[""].split())
    title, _, rest = start.partition("These results were made with seeded random weights for: ")
    assert title.split("</script>")[-1].strip() == ""  # the title alone stands before
    assert rest.startswith("iresnet (random:1), vggish (random:2). They say nothing about")


def test_features_are_shown_with_weights_licence_columns_and_cost(page: Page) -> None:
    text = " ".join(page.sections["features"].split())
    assert "random:2, random weights" in text
    assert "glintr100.onnx (sha256 4ab1d6435d63...)" in text
    assert "non-commercial research only" in text
    assert "0.05 CPU seconds per second of video" in text
    assert f"Loudness_sma3, {HOSTILE}_sma3" in text
    assert "512 unnamed values" in text
    assert "openSMILE 3, feature set eGeMAPSv01b" in text
    assert "eGeMAPSv01b, low-level descriptorsnoneaudEERING" in text


def test_no_box_without_random_weights(tmp_path: Path) -> None:
    write_report(tmp_path / "r.html", empty_inputs(tmp_path))
    assert "random weights" not in (tmp_path / "r.html").read_text()


def test_no_text_becomes_markup(page: Page, html: str) -> None:
    assert "script" not in {tag for tag, _ in page.tags}
    assert HOSTILE not in html
    assert not [a for _, attrs in page.tags for a in attrs if a.startswith("on")]
    for section in ("", "corpus", "traces", "submissions"):
        assert HOSTILE in page.sections[section]
    assert 'cannot be opened: "EOF" <b>cut</b>' in page.sections["failures"]


def test_attributes_survive_quotes(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    name = '"><img src=x onerror=alert(1)>'
    corpus.add(name)
    inputs = empty_inputs(
        tmp_path, samples=tuple(corpus.samples), ensembles={"e": corpus.ensemble("e", [name])}
    )
    write_report(tmp_path / "r.html", inputs, [tmp_path / "sheets" / "page001.html"])
    images = [a for tag, a in Page((tmp_path / "r.html").read_text()).tags if tag == "img"]
    sheet = f"Face crops of {name} at regular times"
    assert [i["alt"] for i in images] == [sheet, f"Valence and arousal of {name} over time"]
    page = Page((tmp_path / "sheets" / "page001.html").read_text())
    images += [a for tag, a in page.tags if tag == "img"]
    assert images[2]["alt"] == sheet
    assert not any("onerror" in image for image in images)


def test_page_loads_nothing(page: Page, html: str) -> None:
    for tag, attrs in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed"}
        for name in ("src", "href", "srcset", "xlink:href"):
            pictures = ("data:image/svg+xml;base64,", "data:image/jpeg;base64,")
            assert (attrs.get(name) or "#").startswith(("#", *pictures))
    assert "http://" not in html
    assert "https://" not in html
    assert "url(" not in html
    assert "@import" not in html
    policy = [a["content"] for tag, a in page.tags if a.get("http-equiv")]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_pictures_refer_to_themselves_alone(page: Page) -> None:
    for svg in page.pictures():
        for element in svg.iter():
            assert not element.tag.endswith(("script", "foreignObject"))
            for name, value in element.attrib.items():
                if name.endswith("href"):
                    assert value.startswith(("#", "data:image/png;base64,"))


def test_every_section_is_in_the_contents(page: Page) -> None:
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    for section in page.sections.keys() - {""}:
        assert f"#{section}" in links
        assert page.sections[section].strip()
    assert list(page.sections) == [
        *("", "failures", "scores", "corpus", "sheets"),
        *("traces", "training", "submissions", "features", "facts"),
    ]


def test_sound_alone_is_not_counted_as_video(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    corpus.add("a", known={"duration_s": 5400.0, "decoded_share": 0.0, "valid_share": None})
    corpus.add("b", known={"duration_s": 90.0})
    write_report(tmp_path / "r.html", empty_inputs(tmp_path, samples=tuple(corpus.samples)))
    start = " ".join(Page((tmp_path / "r.html").read_text()).sections[""].split())
    assert "1.5 minutes of video, 1.5 h of sound alone, " in start


def test_summary_states_size_and_best_ensemble(page: Page) -> None:
    start = " ".join(page.sections[""].split())
    # 900 + 5000 + 400 + 300 + 300 + 300 frames, 30 a second
    assert "7 samples (5 val, 1 test, 1 train), 4.0 minutes of video, 7,200 frames." in start
    assert "Best ensemble: final, on val: CCC 0.612 valence, 0.500 arousal, 0.556 mean." in start


def test_failures_name_sample_stage_and_reason(page: Page) -> None:
    assert page.table("failures")[1:] == [
        ["broken & bent", "extract_frames", 'cannot be opened: "EOF" <b>cut</b>']
    ]
    assert "3 samples did not fail but should be looked at" in page.sections["failures"]


def test_ccc_of_ensembles_then_models(page: Page) -> None:
    table = page.table("scores")
    assert table[1] == ["final", "val", "0.612", "0.500", "0.556", "1,800", "6"]
    assert table[2] == ["visual", "val", "0.400", "–", "–", "1,800", "6"]
    by_seed = [np.mean([v for (_, s), v in MODELS.items() if s == seed], axis=0) for seed in (0, 1)]
    expected = []
    for values in [*np.array(by_seed).T, np.mean(by_seed, axis=1)]:
        expected.append(f"{np.mean(values):.3f} ± {statistics.stdev(values):.3f}")
    assert table[4] == ["tr", "val", *expected, "2", "2"]
    assert table[5] == ["lstm", "val", "−0.010", "0.200", "0.095", "1", "1"]
    assert table[7] == ["tr", "0", "0", "val", "0.400", "0.300", "0.350", "1,800", "6"]
    assert len(table) == 7 + len(MODELS) + 1
    assert "concatenation of all annotated frames" in page.sections["scores"]
    assert "after clipping to [−1, 1] and smoothing" in page.sections["scores"]


def test_best_ensemble_is_not_one_scored_on_training_data(tmp_path: Path) -> None:
    rows = scores("ensemble", "a", "", "", -1, "train", 0.99, 0.99)
    rows += scores("ensemble", "b", "", "", -1, "val", 0.2, 0.1)
    metrics = Corpus(tmp_path / "scored").metrics(rows)
    write_report(tmp_path / "r.html", empty_inputs(tmp_path, metrics=metrics))
    assert "Best ensemble: b, on val" in (tmp_path / "r.html").read_text()


def test_corpus_shows_suspicious_samples_first(page: Page) -> None:
    table = {row[0]: row[1:] for row in page.table("corpus")[1:]}
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
    write_report(tmp_path / "r.html", empty_inputs(tmp_path, samples=tuple(corpus.samples)))
    assert Page((tmp_path / "r.html").read_text()).table("corpus")[1][-1] == warning


def test_contact_sheets_are_bounded_and_all_stand_in_pages(
    inputs: ReportInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "MAX_SHEETS", 2)
    paths = [tmp_path / "sheets" / f"page{k}.html" for k in (1, 2, 3)]
    write_report(tmp_path / "r.html", inputs, paths)
    uri = "data:image/jpeg;base64," + base64.b64encode(SHEET).decode()
    html = (tmp_path / "r.html").read_text()
    page = Page(html)
    assert html.count(uri) == 1  # the first of the two failed before it had any
    assert "mute" in page.sections["sheets"]
    assert "turned_away" not in page.sections["sheets"]
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    for path in paths:
        assert str(path.relative_to(tmp_path)) in links
    names = [sample.name for sample in inputs.samples]
    seen = []
    for path in paths:
        html = path.read_text()
        page = Page(html)
        assert HOSTILE not in html
        assert "script" not in {tag for tag, _ in page.tags}
        assert not re.findall(r"https?://|url\(|@import", html)
        assert "../r.html" in [attrs["href"] for tag, attrs in page.tags if tag == "a"]
        seen += [name for name in names if name in page.text.replace(f"Affect of {HOSTILE}", "")]
    assert sorted(seen) == sorted(names)
    assert "broken & bent" in Page(paths[0].read_text()).text


def test_a_corpus_without_any_sound_is_not_suspicious(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    corpus.add("a", loudness=None)
    corpus.add("b", loudness=None)
    write_report(tmp_path / "r.html", empty_inputs(tmp_path, samples=tuple(corpus.samples)))
    notes = [row[-1] for row in Page((tmp_path / "r.html").read_text()).table("corpus")[1:]]
    assert notes == ["", ""]
    corpus.add("c")
    write_report(tmp_path / "r.html", empty_inputs(tmp_path, samples=tuple(corpus.samples)))
    notes = [row[-1] for row in Page((tmp_path / "r.html").read_text()).table("corpus")[1:]]
    assert notes == ["no audio", "no audio", ""]


def test_no_face_and_lost_frames_are_reported(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    absent = ("fill_frames: no frame with a valid face",)
    corpus.add("a", frames=200, face_share=0.0, known={"decoded_share": 199 / 200}, absent=absent)
    write_report(tmp_path / "r.html", empty_inputs(tmp_path, samples=tuple(corpus.samples)))
    row = Page((tmp_path / "r.html").read_text()).table("corpus")[1]
    assert row[4:6] == ["0.000", "–"]
    assert row[-1] == (
        "face in 0.0% of the frames; fill_frames: no frame with a valid face; "
        "1 frame failed to decode"
    )


def test_traces_are_capped_and_say_where_the_rest_is(
    inputs: ReportInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "MAX_TRACES", 2)
    monkeypatch.setattr(report, "OPEN_TRACES", 1)
    write_report(tmp_path / "r.html", replace(inputs, training_logs={}))
    page = Page((tmp_path / "r.html").read_text())
    assert len(page.pictures()) == 2
    assert "1 more trace\n" in page.sections["traces"]
    assert "4 more samples not drawn here." in page.sections["traces"]
    for path in inputs.ensembles.values():
        assert str(path) in page.sections["traces"]


def test_annotated_samples_are_drawn_first(page: Page) -> None:
    captions = [a["alt"] or "" for tag, a in page.tags if tag == "img"]
    captions = [caption for caption in captions if "Face crops" not in caption]
    names = ["mute", "turned_away", "deaf", "calm", "long_one", HOSTILE]
    assert captions[:6] == [f"Valence and arousal of {name} over time" for name in names]
    assert f"{HOSTILE} test, no annotation" in " ".join(page.sections["traces"].split())


def test_a_page_of_many_samples_stays_small(html: str) -> None:
    images = re.findall(r'src="data:([^"]*)"', html)
    assert max(map(len, images)) < 150_000
    assert len(html) - sum(map(len, images)) < 40_000


def test_training_without_validation_says_so(page: Page) -> None:
    with_validation, without = page.pictures()[-2:]
    assert "no validation" not in words(with_validation)
    assert words(without).count("no validation") == 2
    assert "4 runs, 30 epochs" in page.sections["training"]
    assert "1 run, 30 epochs" in page.sections["training"]


def test_submissions_and_facts(page: Page) -> None:
    table = page.table("submissions")
    assert table[1] == ["abaw", "final", "abaw3", "2", "submissions/abaw", "1: broken & bent"]
    assert table[2:] == [[f"{HOSTILE}.txt", "ab" * 32], ["b.txt", "cd" * 32]]
    assert ["Configuration", "demo.yaml"] in page.table("facts")


def test_nothing_at_all_still_makes_a_page(tmp_path: Path) -> None:
    write_report(tmp_path / "r.html", empty_inputs(tmp_path))
    page = Page((tmp_path / "r.html").read_text())
    for text in ("0 samples,", "No sample failed.", "No ensemble was scored", "No single model"):
        assert text in page.text
    for text in ("No ensemble has predicted", "Nothing was trained", "No submission"):
        assert text in page.text


def test_equal_inputs_make_equal_bytes(inputs: ReportInputs, html: str, tmp_path: Path) -> None:
    write_report(tmp_path / "r.html", inputs)
    assert (tmp_path / "r.html").read_text(encoding="utf-8") == html


def test_an_error_leaves_the_former_page(inputs: ReportInputs, tmp_path: Path) -> None:
    output = tmp_path / "r.html"
    output.write_text("former")
    sample = replace(inputs.samples[0], faces=tmp_path / "gone.parquet")
    with pytest.raises(FileNotFoundError):
        write_report(output, replace(inputs, samples=(sample,)))
    assert output.read_text() == "former"
    assert list(tmp_path.iterdir()) == [output]


def test_more_ensembles_than_strokes(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    corpus.add("a", frames=50)
    names = [f"e{i}" for i in range(6)]
    tables = {name: corpus.ensemble(name, ["a"]) for name in names}
    inputs = empty_inputs(tmp_path, samples=tuple(corpus.samples), ensembles=tables)
    write_report(tmp_path / "r.html", inputs)
    assert "2 further ensembles not drawn." in (tmp_path / "r.html").read_text()


@pytest.mark.parametrize(("frames", "points"), [(1, 10), (10, 10), (11, 10), (95, 10), (1000, 7)])
def test_downsampling_is_the_mean_of_what_is_known(frames: int, points: int) -> None:
    rng = np.random.default_rng(frames)
    values = rng.standard_normal((frames, 2))
    values[rng.uniform(size=(frames, 2)) < 0.3] = np.nan
    values[: frames // 3] = np.nan
    time_s = np.cumsum(rng.uniform(0.01, 0.1, frames))
    small = downsample(Series(time_s, values), points)
    run = math.ceil(frames / points)
    assert len(small.time_s) == math.ceil(frames / run) <= points
    for k in range(len(small.time_s)):
        part = slice(k * run, (k + 1) * run)
        assert small.time_s[k] == pytest.approx(np.mean(time_s[part]))
        for column in range(2):
            known = [v for v in values[part, column] if not math.isnan(v)]
            expected = sum(known) / len(known) if known else math.nan
            assert small.values[k, column] == pytest.approx(expected, nan_ok=True)


def test_face_gaps_weigh_frames_by_their_time() -> None:
    """Frames at 0, 1 and 3 s: the second is shown for two seconds, the last for 1.5."""
    gaps = face_gaps(np.array([0.0, 1.0, 3.0]), np.array([True, False, True]), bins=9)
    assert gaps == pytest.approx([0, 0, 1, 1, 1, 1, 0, 0, 0])  # bins of half a second
    halves = face_gaps(np.array([0.0, 1.0, 3.0]), np.array([True, False, True]), bins=1)
    assert halves == pytest.approx([2 / 4.5])
    assert face_gaps(np.array([5.0]), np.array([False]), bins=3) == pytest.approx([1, 1, 1])


def strokes(svg: ElementTree.Element, colour: str) -> list[str]:
    return [
        element.attrib["d"]
        for element in svg.iter()
        if element.tag.endswith("path")
        and f"stroke: {colour}" in element.attrib.get("style", "")
        and "clip-path" in element.attrib
    ]


def test_annotation_gaps_break_the_line() -> None:
    time_s = np.arange(100) / 25
    values = np.tile(np.sin(time_s)[:, None], 2)
    gapped = values.copy()
    gapped[40:60] = np.nan
    whole = picture(trace_figure([Series(time_s, values)], Series(time_s, values), None))
    broken = picture(trace_figure([Series(time_s, values)], Series(time_s, gapped), None))
    assert [path.count("M") for path in strokes(whole, "#1f2937")] == [1, 1]
    assert [path.count("M") for path in strokes(broken, "#1f2937")] == [2, 2]
    assert [path.count("M") for path in strokes(broken, "#0b6aa8")] == [1]


def test_figures_of_one_frame_or_epoch() -> None:
    one = Series(np.array([0.0]), np.array([[0.1, 0.2]]))
    nothing = Series(np.array([0.0]), np.array([[np.nan, np.nan]]))
    face = Series(np.array([0.0]), np.array([1.0]))
    assert "valence" in words(picture(trace_figure([one, None], nothing, face)))
    curve = Curve(np.array([1]), np.array([1.5]), np.array([[0.1, np.nan]]))
    assert words(picture(training_figure([curve]))).count("no validation") == 1


def test_drawing_leaves_the_settings_of_matplotlib_alone() -> None:
    before = dict(mpl.rcParams)
    training_figure([Curve(np.arange(1, 4), np.ones(3), np.zeros((3, 2)))])
    assert dict(mpl.rcParams) == before


def test_pretrained_models_are_named_at_the_top(tmp_path: Path) -> None:
    notice = "Made with the pretrained model <b>: trained on FER2013."
    write_report(tmp_path / "r.html", empty_inputs(tmp_path, pretrained=({"notice": notice},)))
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    head = text[text.index("<header>") : text.index("</header>")]
    assert "Made with the pretrained model &lt;b&gt;: trained on FER2013." in head
