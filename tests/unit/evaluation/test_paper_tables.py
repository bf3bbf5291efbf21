"""Tables of the paper, read back as CSV, Markdown and HTML; and where their numbers come from."""

import csv
import json
import statistics
from html.parser import HTMLParser

import pytest
import yaml

from circumplex.config.features import FEATURES
from circumplex.errors import RequestError
from circumplex.evaluation.paper_tables import (
    PUBLISHED,
    make_lines,
    write_csv,
    write_html,
    write_markdown,
    write_notes,
)
from circumplex.evaluation.scores import CccRow
from circumplex.pipeline.checks import make_plan
from circumplex.pipeline.manifest import score_numbers, table_numbers, trained
from circumplex.pipeline.store import Entry, Status, write_index
from circumplex.targets import Target
from example_requests import builder_of, config_of, request_config
from places import ROOT

ROWS = [
    {
        "label": "T <D> | W",
        "replicates": [[("model", f"x/official/seed{s}", "val")] for s in range(3)],
        "published": {"valence": 0.529, "arousal": 0.5969},
    },
    {
        "label": "average",
        "replicates": [
            [("model", f"y/fold{k}/seed{s}", f"fold{k}") for k in (1, 2)] for s in range(2)
        ],
    },
    {"label": "mix", "replicates": [[("ensemble", "m", "")]], "published": {"mean": 0.6}},
]
CCC = {
    ("x/official/seed0", "val"): (0.1, 0.3),
    ("x/official/seed1", "val"): (0.2, 0.5),
    ("x/official/seed2", "val"): (0.6, 0.1),
    **{
        (f"y/fold{k}/seed{s}", f"fold{k}"): (0.1 * k, 0.1 * s - 0.4) for k in (1, 2) for s in (0, 1)
    },
}
TEST = {("m", "test"): (0.25, 0.75), ("x/official/seed0", "test"): (0.5, 0.5)}


def scorer(known):
    def score(unit, split):
        if (unit.name, split) not in known:
            return []
        values = known[unit.name, split]
        return [
            CccRow(unit.name, split, target, value, 100, 2, clip_ccc=0.0)
            for target, value in zip(Target, values, strict=True)
        ]

    return score


def test_means_and_deviations_over_seeds():
    lines = make_lines(ROWS, "val", scorer(CCC))
    assert [(line.label, line.split) for line in lines] == [
        ("T <D> | W", "val"),
        ("average", "all folds"),
        ("mix", "val"),
    ]
    valence = lines[0].cells["valence"]
    assert valence.mean == pytest.approx(0.3)
    assert valence.deviation == pytest.approx(statistics.stdev([0.1, 0.2, 0.6]))
    assert lines[0].cells["mean"].replicates == pytest.approx((0.2, 0.35, 0.35))
    assert lines[1].cells["valence"].replicates == pytest.approx((0.15, 0.15))
    assert lines[1].cells["arousal"].replicates == pytest.approx((-0.4, -0.3))
    assert (lines[1].samples, lines[1].frames) == (4, 200)
    assert lines[2].cells == {}
    assert lines[2].published == {"mean": 0.6}


def test_the_test_set_where_it_is_annotated():
    lines = make_lines(ROWS, "test", scorer(CCC | TEST))
    found = {(line.label, line.split): line for line in lines}
    assert found["mix", "test"].cells["mean"].mean == 0.5
    assert found["mix", "test"].cells["mean"].deviation is None
    assert found["mix", "test"].published == {"mean": 0.6}
    assert found["T <D> | W", "test"].cells == {}, (
        "one seed of three is scored: not a mean of three"
    )
    assert found["T <D> | W", "val"].published == {}


def test_csv_has_a_column_of_that_corpus(tmp_path):
    lines = make_lines(ROWS, "val", scorer(CCC))
    write_csv(tmp_path / "t.csv", "table9", ["valence", "arousal"], lines)
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 9
    assert rows[0]["row"] == "T <D> | W"
    assert float(rows[0]["ours"]) == pytest.approx(0.3, abs=1e-6)
    assert float(rows[0][PUBLISHED]) == 0.529
    assert (rows[0]["replicates"], rows[0]["samples"]) == ("3", "2")
    assert (rows[2]["target"], rows[2][PUBLISHED]) == ("mean", "")
    assert rows[8]["ours"] == rows[8]["deviation"] == ""
    assert float(rows[8]["Aff-Wild2"]) == 0.6


def test_markdown_side_by_side(tmp_path):
    lines = make_lines(ROWS, "val", scorer(CCC))
    said = write_notes("val", {"densenet": "random:0"})
    write_markdown(tmp_path / "t.md", "Title", ["valence"], lines, said)
    text = (tmp_path / "t.md").read_text().splitlines()
    assert text[2] == "| model | split | valence | Aff-Wild2 |"
    assert text[4] == "| T <D> \\| W | val | 0.300 ± 0.265 | 0.5290 |"
    assert text[6] == "| mix | val | – | – |"
    assert any("SEEDED RANDOM WEIGHTS" in line and "random:0" in line for line in text)
    assert not any("SEEDED" in note for note in write_notes("val", {}))


class Cells(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.rows, self.attributes = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.attributes += attrs
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1] and data.strip():
            self.rows[-1][-1] += data


def test_html_is_escaped_and_marks_no_winner(tmp_path):
    lines = make_lines(ROWS, "val", scorer(CCC))
    write_html(tmp_path / "t.html", "A & B", ["valence", "arousal"], lines, ["<b>"])
    page = Cells((tmp_path / "t.html").read_text())
    assert page.rows[0] == ["model", "split", "valence", "arousal", "mean"]
    assert page.rows[1] == ["ours", "Aff-Wild2"] * 3
    assert page.rows[2][:4] == ["T <D> | W", "val", "0.300 ± 0.265", "0.5290"]
    kinds = {value for name, value in page.attributes if name == "class"}
    assert kinds == {"scroll", "number", "number published"}


def test_every_number_names_what_it_is_the_mean_of(tmp_path):
    lines = make_lines(ROWS, "val", scorer(CCC))
    numbers = table_numbers("table9", lines)
    assert len(numbers) == 6
    assert numbers[0]["from"] == {f"x/official/seed{s}": v for s, v in enumerate((0.1, 0.2, 0.6))}
    for number in numbers:
        assert number["ccc"] == pytest.approx(statistics.fmean(number["from"].values()))
    entry = Entry(Status.OK, file="store/a.pt", sha256="abc")
    write_index(tmp_path / "i.json", {"x/official/seed0": entry})
    trace = {"models": {"x/official/seed0": {"seed": 0}}, "ensembles": {}, "features": {}}
    made = trained(trace, [str(tmp_path / "i.json")])
    checkpoint = {"file": "store/a.pt", "sha256": "abc"}
    assert made["models"] == {"x/official/seed0": {"seed": 0, "checkpoint": checkpoint}}
    row = {"model": "m", "split": "val", "target": "valence", "ccc": 0.5}
    assert score_numbers([row])[0]["from"] == {"m": 0.5}
    json.dumps([made, numbers])


def published_rows():
    """PAPER_TABLES, typed a second time: table, row, valence, arousal, mean."""
    text = """
    1 LD+W .5544 .6531 -
    1 TD+W,C .6050 .6416 -
    1 TI,F+W,V,C,E .5883 .6689 -
    2 fold1 .6177 .6134 .6156
    2 fold2 .5292 .6296 .5794
    2 fold3 .6495 .6651 .6573
    2 fold4 .5468 .6116 .5792
    2 fold5 .5272 .6405 .5839
    2 average .5741 .6320 .6031
    2 originalvalidationset .5883 .6689 .6286
    3 TD+W,C .6089 - -
    3 TD+W,C,V,E .6113 - -
    3 TI,F+W,V .5833 - -
    3 TI,F+V,C,E .5831 - -
    3 ensembleofthefour .6555 - -
    4 LD+W - .6591 -
    4 TD+W - .6488 -
    4 TD+W,C - .6458 -
    4 TD+W,V,E - .6456 -
    4 TI,F+W,V - .6628 -
    4 TI,F+W,V,C,E - .6604 -
    4 ensembleofthesix - .7088 -
    5 TD,noaudio .5290 .5969 -
    5 TD+W .5596 .6460 -
    5 TI,F+W .5357 .6412 -
    5 TD+W,C .6050 .6416 -
    5 TD+W,V,C,E .5972 .6370 -
    5 TI+W,V,C,E .5055 .6166 -
    5 TF+W,V,C,E .5707 .6168 -
    5 TI,F+W,V,C,E .5883 .6689 -
    6 1Ensemble1 .5605 .5165 .5385
    6 2Ensemble2 .5779 .5781 .5780
    6 3Train-Val-Mix .6060 .5960 .6010
    6 4Ensemble3 .5898 .6018 .5958
    6 55-Fold .5929 .5985 .5957
    """
    for line in text.split("\n"):
        if line.strip():
            table, row, *numbers = line.split()
            pairs = zip(("valence", "arousal", "mean"), numbers, strict=True)
            yield int(table), row, {name: float(n) for name, n in pairs if n != "-"}


def test_presets_hold_the_papers_numbers_and_features():
    letters: dict[str, str] = {}
    for name in sorted(FEATURES, key=lambda name: FEATURES[name].order):  # the paper's first
        letters.setdefault(name[0].upper(), name)
    expected = list(published_rows())
    for number in range(1, 7):
        preset = yaml.safe_load((ROOT / f"config/paper/table{number}.yaml").read_text())
        rows = preset["tables"][f"table{number}"]["rows"]
        found = [(number, r["label"].replace(" ", ""), r["published"]) for r in rows]
        assert found == [row for row in expected if row[0] == number]
        for row in rows:
            label = row["label"]
            if label[:2] in ("T ", "L "):
                experiment = preset["experiments"][row["experiment"]]
                named = [c for c in label[2:].replace("no audio", "") if c.isupper()]
                assert set(experiment["features"]) == {letters[c] for c in named}
                assert experiment["encoder"] == {"T": "transformer", "L": "lstm"}[label[0]]
                assert experiment["seeds"] == [0, 1, 2]


def config_with(tmp_path, *presets, **changes):
    places = request_config(tmp_path)
    return {**config_of(*presets), **{k: places[k] for k in ("samples", "results")}, **changes}


def plan_of(tmp_path, *presets, **changes):
    return make_plan(config_with(tmp_path, *presets, **changes))


def test_replicates_are_seeds_and_folds(tmp_path):
    plan = plan_of(tmp_path, "paper/table2")
    rows = plan.tables["table2"]["rows"]
    name = "transformer_IF_WVCE_5fold"
    assert plan.replicates(rows[1]) == [
        [("model", f"{name}/fold2/seed{s}", "fold2")] for s in (0, 1, 2)
    ]
    average = plan.replicates(rows[5])
    assert [len(replicate) for replicate in average] == [5, 5, 5]
    assert average[1][4] == ("model", f"{name}/fold5/seed1", "fold5")
    assert plan.replicates(rows[6])[0][0][2] == "val"


def test_submissions_are_scored_by_their_ensembles(tmp_path):
    plan = plan_of(tmp_path, "paper/table6")
    found = [plan.replicates(row) for row in plan.tables["table6"]["rows"]]
    assert found == [
        [[("ensemble", name, held_out)]]
        for name, held_out in [
            ("ensemble1", "val"),
            ("ensemble2", "val"),
            ("train_val_mix", ""),
            ("ensemble3", "val"),
            ("five_fold", "out of fold"),
        ]
    ]
    assert len(plan.members("five_fold", "valence")) == 5
    assert len(plan.members("ensemble2", "valence")) == 4
    assert len(plan.members("ensemble2", "arousal")) == 6
    mix = plan.training_values("lstm_D_W_mix")
    assert (mix["valence_epochs"], mix["arousal_epochs"]) == ([11, 16], [16, 25])


def test_a_table_trains_its_own_rows_alone(tmp_path):
    config = config_with(tmp_path, "demo", "paper/table1")
    trace = builder_of(config, tmp_path).request("make_table", "table1").trace
    assert {m["experiment"] for m in trace["models"].values()} == {
        "lstm_D_W",
        "transformer_D_WC",
        "transformer_IF_WVCE",
    }
    assert trace["ensembles"] == {}
    vggish = trace["features"]["vggish"]["extract_vggish"]
    assert vggish["options"]["weights"] == "random:3"
    densenet = trace["features"]["densenet"]["extract_densenet"]
    assert densenet["options"]["weights"].startswith("trained:"), "and what it is trained from"


ROW = {"label": "x", "experiment": "lstm_D_W"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"label": "x"}, "row 'x': give one of experiment, ensembles and submission"),
        (ROW | {"submission": "main"}, "give one of"),
        (ROW | {"experiment": "lstm_D_V"}, "'lstm_D_V' does not exist; did you mean 'lstm_D_W'"),
        ({"label": "x", "ensembles": ["mian"]}, "did you mean 'main'"),
        ({"label": "x", "submission": "mian"}, "did you mean 'main'"),
        (ROW | {"fold": 1}, "row 'x' has no fold 1"),
        (ROW | {"publishd": {}}, "did you mean 'published'"),
        (ROW | {"published": {"valence": 55}}, "must be a number from -1 to 1"),
    ],
)
def test_invalid_tables_are_refused(tmp_path, row, message):
    with pytest.raises(RequestError, match=message):
        plan_of(tmp_path, tables={"table9": {"title": "t", "rows": [row]}})


def test_the_published_code_preset(tmp_path):
    from circumplex.config.training import TrainingSpec

    plan = plan_of(tmp_path, "paper/table1", "paper/published_code")
    lstm = TrainingSpec.read(plan.training_values("lstm_D_W"))
    transformer = TrainingSpec.read(plan.training_values("transformer_D_WC"))
    for spec in (lstm, transformer):
        assert (spec.order, spec.bucket_batches, spec.betas) == ("in_step", 1, (0.5, 0.999))
        assert (spec.clip_norm, spec.reduction, spec.epochs) == (5.0, "mean", 30)
        assert (spec.encoder.initialisation, spec.encoder.dropout) == ("normal", 0.3)
    assert (lstm.decay_after, transformer.decay_after) == (3, 10)
    assert (lstm.learning_rate, transformer.learning_rate) == (3e-4, 2e-4)
    assert (lstm.encoder.fusion_relu, lstm.encoder.fusion_dropout) == (True, 0.1)
    assert (transformer.encoder.fusion_relu, transformer.encoder.fusion_dropout) == (False, 0.0)
    assert transformer.encoder.encoder_dropout == 0.1
    assert transformer.encoder.positions == "sinusoidal"
    assert not transformer.encoder.mask_padding
    smoothing = {"convention": "published_code", "valence": 50, "arousal": 20}
    assert plan.smoothing == smoothing
