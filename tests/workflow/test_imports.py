"""From features on disk to tables and submissions: no video, no extractor, every strategy."""

import csv
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from circumplex.io.digests import file_digest
from circumplex.io.parquet import read_columns, read_metadata
from circumplex.model.checkpoints import load_model
from circumplex.predictions.table import PredictionTable
from projects import Outcome, Project, copy_project, made_once
from submitted import read_submission

NAMES = {"densenet": "affectnet", "fau": "FAU_situ", "wav2vec2": "wav2vec"}
FEATURES = ("densenet", "iresnet", "fau", "egemaps", "compare", "vggish", "wav2vec2")
SAMPLES = {
    "train": ["a_left", "a_right", "b", "c", "d"],
    "val": ["e", "f"],
    "test": ["g", "h"],
}
DIMENSION = 4
TRANSFORMER = "transformer_D_WC"
ONE = {"encoder": "lstm", "features": ["densenet"], "seeds": [0]}
SMALL = {
    "samples": "own/samples.tsv",
    "results": "results",
    "shards": 1,
    "features": {name: {"import": "own/data", "dimension": DIMENSION} for name in FEATURES},
    "encoders": {
        "lstm": {"segment_length": 25, "stride": 25, "hidden": 8, "regressor": [8]},
        "transformer": {"hidden": 8, "layers": 1, "feed_forward": 8, "regressor": [8]},
    },
    "training": {"epochs": 1, "batch_size": 2, "valence_epochs": [1, 1], "arousal_epochs": [1, 1]},
    "folds": {"count": 2},
    "experiments": {
        "lstm_D_W": {"seeds": [0, 1]},
        "transformer_D_WC": {"seeds": [0]},
        "transformer_IF_WVCE": {"seeds": [0]},
        "folded": {**ONE, "strategy": "kfold"},
        "mixed": {**ONE, "strategy": "train_val_mix"},
    },
    "ensembles": {
        "main": {"valence": ["lstm_D_W"], "arousal": ["lstm_D_W"]},
        "folded": {"valence": ["folded"], "arousal": ["folded"], "method": "stacked_ridge"},
        "weighted": {
            "valence": ["lstm_D_W", "transformer_D_WC"],
            "arousal": ["lstm_D_W", "transformer_D_WC"],
            "method": "ccc_weighted",
        },
        "mixed": {"valence": ["mixed"], "arousal": ["mixed"]},
    },
    "submissions": {
        "main": {"ensemble": "main", "format": "abaw6", "list": "own/list.txt"},
        "folded": {"ensemble": "folded", "format": "abaw3"},
        "mixed": {"ensemble": "mixed", "format": "abaw3"},
    },
    "smoothing": {"search": {"valence": [0, 10, 20], "arousal": [50]}},
    "tables": {
        "table_own": {
            "title": "Submissions",
            "rows": [{"label": name, "submission": name} for name in ("folded", "mixed")],
        }
    },
}
CONFIGS = ("config/paper/table1.yaml", "small.yaml")
LISTED = ["h/00002.jpg", "g/00001.jpg", "h/00001.jpg", "g/00075.jpg"]


def frames(sample: str) -> int:
    return 60 + 2 * ord(sample[0]) % 15


def make_data(root: Path) -> None:
    """The published training code's data folder, with values that tell of their targets."""
    for folder in ("features", "targets"):
        (root / folder).mkdir(parents=True)
    draw = np.random.default_rng(0)
    mixing = {name: draw.normal(size=(2, DIMENSION)) for name in FEATURES}
    for split, samples in SAMPLES.items():
        for sample in samples:
            rows = frames(sample)
            targets = np.cumsum(draw.normal(0, 0.1, size=(rows, 2)), axis=0).clip(-1, 1)
            with h5py.File(root / f"targets/{split}_valid_targets.h5", "a") as file:
                file[f"{sample}/length"] = rows
                if split != "test":
                    file[f"{sample}/valence"], file[f"{sample}/arousal"] = targets.T
            for name in FEATURES:
                path = root / f"features/{split}_{NAMES.get(name, name)}.h5"
                with h5py.File(path, "a") as file:
                    noise = draw.normal(size=(rows, DIMENSION))
                    file[f"{sample}/fts"] = (targets @ mixing[name] + noise).astype(np.float32)


@dataclass(frozen=True)
class Imported:
    """A finished run on imported features."""

    project: Project
    outcome: Outcome

    @property
    def results(self) -> Path:
        return self.project.root / "results"


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Imported:
    """A worker's own copy of the run: some of these tests change it."""

    def make(folder: Path) -> str:
        project = copy_project(folder)
        own = project.root / "own"
        make_data(own / "data")
        (own / "list.txt").write_text("\n".join(f"{row},-5,-5" for row in LISTED))
        command = [sys.executable, "-m", "circumplex", "sheet", "published"]
        command += ["--folder", str(own / "data"), "--annotations", str(own / "annotations")]
        subprocess.run([*command, "--output", str(own / "samples.tsv")], check=True)
        (project.root / "small.yaml").write_text(yaml.safe_dump(SMALL))
        outcome = project.snakemake(configs=CONFIGS)
        assert outcome.code == 0, outcome.text
        return outcome.text

    folder, text = made_once("imports", make, tmp_path_factory, worker_id)
    project = Project(folder).clone(tmp_path_factory.mktemp("imported") / "project")
    return Imported(project, Outcome(0, text))


def test_no_extractor_runs_and_no_video_is_needed(imported: Imported) -> None:
    extracting = {rule for rule in imported.outcome.rules if rule.startswith("extract_")}
    assert extracting == set()
    assert {"import_features", "import_frames"} <= imported.outcome.rules
    assert "video" not in (imported.project.root / "own/samples.tsv").read_text().split("\n", 1)[1]


def test_every_sample_has_its_own_features(imported: Imported) -> None:
    for split, samples in SAMPLES.items():
        for sample in samples:
            for name in FEATURES:
                source = f"own/data/features/{split}_{NAMES.get(name, name)}.h5"
                with h5py.File(imported.project.root / source) as file:
                    expected = file[f"{sample}/fts"][()]
                path = imported.results / f"import_{name}" / f"{sample}.parquet"
                np.testing.assert_array_equal(read_columns(path, [name])[0], expected)


def test_a_second_run_does_nothing(imported: Imported) -> None:
    again = imported.project.snakemake(configs=CONFIGS)
    assert again.code == 0
    assert again.rules == set()


def test_every_strategy_runs_to_submissions(imported: Imported) -> None:
    lines = (imported.results / "submissions/main/predictions.csv").read_text().splitlines()[1:]
    assert [line.split(",")[0] for line in lines] == LISTED
    for name in ("folded", "mixed"):
        for sample in SAMPLES["test"]:
            values = read_submission(imported.results / f"submissions/{name}/{sample}.txt")
            assert len(values) == frames(sample)
            assert np.ptp(values, axis=0).min() > 0


def test_no_model_is_scored_on_what_it_learned_from(imported: Imported) -> None:
    models = sorted((imported.results / "train_encoder").rglob("*.pt"))
    assert len(models) == 7
    known = {sample for split in ("train", "val") for sample in SAMPLES[split]}
    left_out: list[set[str]] = []
    for path in models:
        metadata = load_model(path).metadata
        run = path.relative_to(imported.results / "train_encoder").with_suffix("")
        predicted = set(PredictionTable(imported.results / f"predict_frames/{run}.parquet").samples)
        trained, validated = set(metadata["train_samples"]), set(metadata["val_samples"])
        assert not trained & (predicted | validated)
        assert not trained & set(SAMPLES["test"])
        if "/fold" in str(run):
            assert trained | validated == known
            assert ("a_left" in trained) == ("a_right" in trained), "one group, one fold"
            left_out.append(validated)
        elif "mix" in str(run):
            assert (trained, validated) == (known, set())
        else:
            assert (trained, validated) == (set(SAMPLES["train"]), set(SAMPLES["val"]))
    assert set.union(*left_out) == known
    assert not set.intersection(*left_out)


def test_windows_are_chosen_on_validation_alone(imported: Imported) -> None:
    held_out = {"lstm_D_W/official/seed0": SAMPLES["val"], "mixed/mix/seed0": []}
    for run, expected in held_out.items():
        metadata = read_metadata(imported.results / f"smooth_predictions/{run}.parquet")
        assert sorted(metadata["searched_on"]) == expected
        chosen = metadata["smoothing"]["valence"]
        scores = metadata["search"]["valence"]
        assert chosen == (int(max(scores, key=scores.get)) if expected else 20)
        assert metadata["smoothing"]["arousal"] == 50


def test_fitted_ensembles_say_what_was_fitted(imported: Imported) -> None:
    for name, experiments in (("folded", {"folded"}), ("weighted", {"lstm_D_W", TRANSFORMER})):
        metadata = read_metadata(imported.results / f"ensemble_predictions/{name}.parquet")
        for target in ("valence", "arousal"):
            assert metadata["combination"][target]["weights"].keys() == experiments


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_tables_set_ours_beside_the_published_numbers(imported: Imported) -> None:
    rows = rows_of(imported.results / "tables/table1.csv")
    first = rows[0]
    assert (first["row"], first["split"], first["Aff-Wild2"]) == ("L D + W", "val", "0.5544")
    assert (first["replicates"], first["samples"]) == ("2", "2")
    assert first["deviation"]
    assert rows[3]["deviation"] == "", "one seed"
    own = {(row["row"], row["split"]) for row in rows_of(imported.results / "tables/table_own.csv")}
    assert own == {("folded", "out of fold"), ("mixed", "val")}
    for suffix in ("md", "html"):
        assert "0.5544" in (imported.results / f"tables/table1.{suffix}").read_text()


def test_every_number_leads_to_its_checkpoint(imported: Imported) -> None:
    manifest = json.loads((imported.results / "manifest.json").read_text())
    tables = {number["table"] for number in manifest["numbers"]}
    assert tables == {"evaluate/ccc", "table1", "table_own"}
    for number in manifest["numbers"]:
        for name in number["from"]:
            runs = [name]
            if name in manifest["ensembles"]:
                runs = [r for t in ("valence", "arousal") for r in manifest["ensembles"][name][t]]
            for run in runs:
                model = manifest["models"][run]
                checkpoint = imported.results / model["checkpoint"]["file"]
                assert file_digest(checkpoint) == model["checkpoint"]["sha256"]
                assert load_model(checkpoint).seed == model["seed"]
                assert set(model["features"]) <= set(manifest["features"])
    row = rows_of(imported.results / "tables/table1.csv")[0]
    (number,) = [
        n
        for n in manifest["numbers"]
        if (n["table"], n["row"], n["target"]) == ("table1", "L D + W", "valence")
    ]
    assert f"{number['ccc']:.6f}" == row["ours"]


def test_an_altered_submission_is_made_again(imported: Imported) -> None:
    path = imported.results / "submissions/folded/g.txt"
    before = path.read_bytes()
    path.write_bytes(before.replace(b"0.", b"0.0", 1))
    done = imported.project.snakemake(configs=CONFIGS)
    assert done.code == 0, done.text
    assert "write_submission" in done.rules
    assert "train_encoder" not in done.rules
    assert path.read_bytes() == before


def test_a_search_is_a_job_a_trial_and_goes_on(imported: Imported) -> None:
    def search(trials: int) -> tuple[Outcome, list[dict[str, str]]]:
        space = {
            "learning_rate": {"low": 1e-4, "high": 1e-1},
            "hidden": [4, 8],
            "features": [["densenet"], ["fau", "wav2vec2"]],
        }
        chosen = {"encoder": "gru", "encoder_options": {"regressor": [8]}, "seed": 0}
        rounds = {"sampler": "tpe", "sampler_seed": 1, "trials": trials, "parallel": 2}
        text = yaml.safe_dump({"search": {**chosen, **rounds, "space": space}})
        (imported.project.root / "search.yaml").write_text(text)
        outcome = imported.project.snakemake("search", configs=(*CONFIGS, "search.yaml"))
        assert outcome.code == 0, outcome.text
        return outcome, rows_of(imported.results / "search/trials.csv")

    first, before = search(3)
    assert first.rules == {"propose_trials", "train_trial", "summarise_search"}
    assert sorted(row["trial"] for row in before) == ["0", "1", "2"]
    scores = [float(row["score"]) for row in before]
    assert scores == sorted(scores, reverse=True)
    best = yaml.safe_load((imported.results / "search/best.yaml").read_text())
    model = load_model(imported.results / f"train_trial/trial{int(before[0]['trial']):03d}.pt")
    options = best["experiments"]["search_best"]
    assert model.spec["learning_rate"] == options["training"]["learning_rate"]
    assert model.spec["encoder"]["hidden"] == options["encoder_options"]["hidden"]
    assert set(model.dimensions) == set(options["features"])
    assert set(model.metadata["train_samples"]) == set(SAMPLES["train"])
    assert set(model.metadata["val_samples"]) == set(SAMPLES["val"])
    _, after = search(4)
    kept = [row for row in after if row["trial"] != "3"]
    assert kept == before
    log = (imported.results / "logs/train_trial/002.log").read_text()
    assert "0 made, 1 taken from the store" in log


def test_a_table_without_its_preset_says_what_to_add(imported: Imported) -> None:
    outcome = imported.project.snakemake("table5", configs=CONFIGS)
    assert outcome.code == 1
    assert "--configfile config/paper/table5.yaml -- table5" in outcome.text


def test_a_damaged_feature_file_fails_its_sample_by_name(imported: Imported) -> None:
    path = imported.project.root / "own/data/features/test_affectnet.h5"
    with h5py.File(path, "a") as file:
        file["h/fts"][3, 1] = np.nan
    outcome = imported.project.snakemake(configs=CONFIGS)
    assert outcome.code == 1
    assert "h: import_densenet: own/data/features/test_affectnet.h5: densenet of frame 3" in (
        outcome.text
    )
