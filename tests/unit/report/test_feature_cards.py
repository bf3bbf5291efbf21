"""Feature cards, and the page of them in the documentation."""

import json

import opensmile
import pytest
import yaml

from circumplex.cli import cards
from circumplex.config.catalogue import published_weights
from circumplex.config.features import FEATURES, Feature
from circumplex.config.modalities import Modality
from circumplex.pipeline.costs import Cost, measure_costs
from circumplex.pipeline.store import Entry, Status
from circumplex.report.feature_cards import describe_cost, make_card
from places import ROOT

PAGE = (ROOT / "docs" / "features.md").read_text(encoding="utf-8")
STAGES = {name: feature.stage for name, feature in FEATURES.items()}
FULL = {"depth": 100, "channels": 64}  # the published IResNet
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["features"]


def section(name):
    return PAGE.partition(f"## `{name}`\n")[2].partition("\n## ")[0]


def test_the_page_is_what_the_code_says():
    assert cards.page() == PAGE, "run `circumplex cards`"


@pytest.mark.parametrize("name", FEATURES)
def test_a_card_says_all_that_was_asked(name):
    text = section(name)
    for row in ("values per frame", "input", "time base", "network", "licence", "citation", "cost"):
        assert f"\n| {row} | " in text, row
    dimension = FEATURES[name].dimension or CONFIG[name]["dimension"]
    assert f"| values per frame | {dimension} |" in text
    assert ("random:<seed>" in text) == ("weights" in CONFIG[name])
    assert ("| address |" in text) == ("weights" in CONFIG[name])
    for key, value in CONFIG[name].items():
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{key}` |")]
        assert f"| `{json.dumps(value)}` |" in row, "what the shipped config has is the default"
    if "weights" in CONFIG[name]:
        assert f"`{CONFIG[name]['weights']}" in text


@pytest.mark.parametrize(
    ("name", "feature_set", "levels"),
    [
        ("egemaps", opensmile.FeatureSet.eGeMAPSv01b, ["lld"]),
        ("compare", opensmile.FeatureSet.ComParE_2016, ["lld", "lld_de"]),
    ],
)
@pytest.mark.filterwarnings("ignore:Feature set")
def test_columns_are_opensmiles(name, feature_set, levels):
    smiles = [opensmile.Smile(feature_set, level) for level in levels]
    names = [column for smile in smiles for column in smile.column_names]
    assert f"{len(names)} columns" in section(name)
    assert ", ".join(f"`{column}`" for column in names) in section(name)


def test_published_weights_bring_their_own_licence():
    card = make_card(FEATURES["iresnet"], {"weights": "published:glint360k_r100", **FULL}, (), "")
    assert "non-commercial" in card.licence
    assert card.network.startswith("IResNet100 of ArcFace, 64 channels in its first stage")
    assert "Glint360K" in card.trained_on
    assert published_weights()["glint360k_r100"].files[0].sha256[:12] in card.weights
    assert not card.is_random


def test_a_stand_in_is_called_one():
    card = make_card(FEATURES["vggish"], {"weights": "random:3"}, (), "")
    assert card.is_random
    small = make_card(FEATURES["fau"], {"weights": "random:3", "depth": 18, "channels": 16}, (), "")
    assert small.network.startswith("IResNet18 of ArcFace, 16 channels "), "not the published one"
    assert card.weights.startswith("random:3, random weights")
    assert "random" in card.trained_on
    assert make_card(FEATURES["egemaps"], {}, ("a",), "").weights == ""


def test_an_imported_feature_is_called_so():
    feature = Feature("own", Modality.VISUAL, 7, imported=True)
    card = make_card(feature, {"dimension": 7, "imported": True}, (), describe_cost(None))
    assert (card.dimension, card.weights, card.modality) == (7, "", "visual")
    assert "imported" in card.network
    assert "as imported" in card.time_base
    replaced = make_card(Feature("fau", Modality.VISUAL, 512, imported=True), {}, (), "")
    assert "imported" in replaced.network, "not the extractor of that name"


HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


class Run:
    """Benchmarks, logs and indexes of a run, as Snakemake and the store write them."""

    def __init__(self, folder):
        self.folder = folder
        self.entries = {}

    def job(self, stage, shard, cpu_s, samples, counts="{made} made, 0 taken from the store"):
        for kind, suffix in (("benchmarks", "tsv"), ("logs", "log")):
            path = self.folder / kind / stage / f"{shard}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            made = sum(status is Status.OK for status in samples.values())
            text = f"{HEADER}9.9\t0:00:09\t1\t1\t1\t1\t0\t0\t50\t{cpu_s}\n"
            log = (
                f"2026-01-01 INFO circumplex.pipeline.store: {stage}: {counts.format(made=made)}\n"
            )
            path.write_text(text if kind == "benchmarks" else log)
        entries = {
            name: Entry(status, file=f"store/{name.upper()}") for name, status in samples.items()
        }
        self.entries.setdefault(stage, {})[shard] = entries


OK, FAILED = Status.OK, Status.FAILED


def test_cost_is_of_the_jobs_that_made_all_and_of_the_samples_that_they_made(tmp_path):
    run = Run(tmp_path)
    run.job("extract_vggish", "000", 3.0, {"a": OK, "b": FAILED})
    run.job("extract_vggish", "001", 5.0, {"c": OK, "d": OK})
    run.job("extract_vggish", "002", 0.1, {"e": OK}, "0 made, 1 taken from the store")
    run.job("extract_egemaps", "000", "NA", {"a": OK})
    run.job("extract_compare", "000", 1.0, {"a": FAILED})
    video_s = {"a": 10.0, "b": 100.0, "c": 4.0, "d": 6.0, "e": 50.0}
    costs = measure_costs(tmp_path, STAGES, run.entries, video_s)
    assert costs == {"vggish": Cost(8.0, 20.0)}
    assert costs["vggish"].per_second == pytest.approx(0.4)
    assert describe_cost(costs["vggish"]).startswith("0.4 CPU s per second of video")
    assert "over 20 s" in describe_cost(costs["vggish"])
    assert "from the store" in describe_cost(None)


def test_what_samples_share_is_counted_once(tmp_path):
    run = Run(tmp_path)
    samples = {"a": OK, "A": OK, "b": OK}
    run.job("extract_vggish", "000", 6.0, samples, "2 made, 1 taken from the store")
    run.job("extract_wav2vec2", "000", 6.0, samples, "1 made, 2 taken from the store")
    costs = measure_costs(tmp_path, STAGES, run.entries, {"a": 10.0, "A": 10.0, "b": 20.0})
    assert costs == {"vggish": Cost(6.0, 30.0)}


def test_cost_without_benchmarks_is_unknown(tmp_path):
    entries = {"extract_vggish": {"000": {"a": Entry(OK)}}}
    assert measure_costs(tmp_path, STAGES, entries, {"a": 1.0}) == {}
