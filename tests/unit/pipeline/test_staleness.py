"""docs/reruns.md: what becomes stale after an edit of a module, and after each config key."""

import copy
import os
import re
import shutil

import pytest

from circumplex.config.root import read_config
from circumplex.pipeline.graph import Graph
from example_requests import ROWS, builder_of, config_of, jobs_of, write_sheet
from places import ROOT


def requests_of(config, folder, root=ROOT):
    """Digest of the request of every job that the config may ask for, by stage and unit."""
    builder = builder_of(config, folder, root)
    graph = Graph(builder)
    return {
        (stage, unit): graph.job(stage, unit).request.digest for stage, unit in jobs_of(builder)
    }


def stale(before, after):
    """Stages that have a job whose request differs, or that has come or gone."""
    jobs = before.keys() | after.keys()
    return {stage for stage, unit in jobs if before.get((stage, unit)) != after.get((stage, unit))}


TRACES = {"export_ensemble", "make_manifest"}  # name what the numbers come from
MODELS = {"train_encoder", "predict_frames", *TRACES}
ALL_MEMBERS = MODELS | {"ensemble_predictions", "evaluate", "make_report"}
ENSEMBLES = {"ensemble_predictions", "make_report", *TRACES}
BACKBONE = {"train_backbone", "extract_densenet", *TRACES}
CHANGES = {  # key: another value, and the stages that it makes stale by itself, before what follows
    "compute.gpu": (1, set()),
    "compute.threads.extract": (3, set()),
    "compute.threads.train": (3, set()),
    "weights_cache": ("elsewhere", {"fetch_weights"}),
    "media.audio_only_fps": (25.0, {"extract_frames", *TRACES}),
    "faces.min_face_size": (40, {"align_faces", *TRACES}),
    "faces.thresholds": ([0.5, 0.7, 0.7], {"align_faces", *TRACES}),
    "faces.factor": (0.8, {"align_faces", *TRACES}),
    "faces.min_probability": (0.8, {"align_faces", *TRACES}),
    "faces.detect_every": (2, {"align_faces", *TRACES}),
    "faces.crop_format": ("png", {"align_faces", *TRACES}),
    "faces.jpeg_quality": (90, {"align_faces", *TRACES}),
    "fill.no_valid_face": ("zeros", {"fill_frames", *TRACES}),
    "labels.max_difference": (5, {"read_labels"}),
    "labels.max_difference_without_video": (5, set()),
    "labels.max_difference_share": (0.1, {"read_labels"}),
    "labels.longest_gap_s": (1.0, {"read_labels"}),
    "labels.lag_s": (1.0, {"read_labels"}),
    "labels.combination": ("ewe", {"read_labels"}),
    "labels.table": ({"range": [-100, 100]}, {"read_labels"}),
    "features.densenet.weights": (
        "random:9",
        {"extract_densenet", "make_report", "check_failures", *TRACES},
    ),
    "features.densenet.batch_size": (8, {"extract_densenet", *TRACES}),
    "features.densenet.mean": (0.0, {"extract_densenet", *TRACES}),
    "features.densenet.deviation": (1.0, {"extract_densenet", *TRACES}),
    "features.iresnet.depth": (34, {"extract_iresnet", "make_report", *TRACES}),
    "features.iresnet.channels": (8, {"extract_iresnet", "make_report", *TRACES}),
    "features.iresnet.batch_size": (8, {"extract_iresnet", *TRACES}),
    "features.fau.depth": (34, {"extract_fau", "make_report", *TRACES}),
    "features.egemaps.feature_set": ("eGeMAPSv01a", {"extract_egemaps", *TRACES}),
    "features.vggish.hop_s": (0.96, {"extract_vggish", *TRACES}),
    "features.vggish.batch_size": (8, {"extract_vggish", *TRACES}),
    "features.wav2vec2.size": ("base", {"extract_wav2vec2", "make_report", *TRACES}),
    "features.wav2vec2.window_s": (10.0, {"extract_wav2vec2", *TRACES}),
    "features.wav2vec2.context_s": (1.0, {"extract_wav2vec2", *TRACES}),
    "compute.gpus_per_backbone": (2, set()),
    "backbones.still_sets.drawn.classes": (7, {"list_stills", *BACKBONE}),
    "backbones.still_sets.drawn.drop_duplicates": (True, {"list_stills", *BACKBONE}),
    "backbones.recipes.expression_densenet.epochs": (7, BACKBONE),
    "backbones.recipes.expression_densenet.paper": ({"drawn": 0.5}, {"train_backbone"}),
    "backbones.recipes.action_unit_iresnet.epochs": (7, {"train_backbone"}),
    "packs.dtype": ("float16", {"pack_features", *TRACES}),
    "folds.count": (3, {"make_folds", "export_ensemble"}),
    "folds.seed": (3, {"make_folds", "export_ensemble"}),
    "encoders.lstm.hidden": (64, {"train_encoder"}),
    "encoders.lstm.learning_rate": (0.1, {"train_encoder"}),
    "encoders.transformer.stride": (50, {"train_encoder"}),
    "training.batch_size": (8, {"train_encoder"}),
    "training.loss": ("ccc_mse", {"train_encoder"}),
    "training.normalisation": ("none", {"train_encoder"}),
    "labels.emotions.calm": ([0.5, -0.5], set()),
    "experiments.lstm_DIF_WVCE.features": (["densenet", "iresnet", "compare"], MODELS),
    "experiments.lstm_DIF_WVCE.seeds": ([0], ALL_MEMBERS | {"smooth_predictions"}),
    "ensembles.main.valence": (["lstm_DIF_WVCE"], ENSEMBLES),
    "ensembles.main.arousal": (["lstm_DIF_WVCE"], ENSEMBLES),
    "submissions.main.format": ("abaw6", {"write_submission"}),
    "smoothing.convention": ("published_code", {"smooth_predictions", "export_ensemble"}),
    "smoothing.valence": (10, {"smooth_predictions", "export_ensemble"}),
    "smoothing.arousal": (10, {"smooth_predictions", "export_ensemble"}),
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    config = config_of("demo")
    config["samples"] = str(write_sheet(folder / "samples.tsv", ROWS))
    config["results"] = str(folder / "results")
    made = {"kind": "image_table", "path": config["samples"]}
    config["backbones"]["still_sets"] = {"drawn": made}
    config["features"]["densenet"]["weights"] = "trained:expression_densenet"
    for name in ("iresnet", "fau"):
        config["features"][name]["weights"] = "random:0"
    for name in ("seed0", "seed1", "seed2"):
        del config["ensembles"][name], config["submissions"][name]
    return folder, config, requests_of(config, folder)


@pytest.mark.parametrize("key", CHANGES)
def test_a_config_key_makes_its_stages_stale_and_no_others(key, demo):
    folder, config, before = demo
    value, expected = CHANGES[key]
    config = copy.deepcopy(config)
    *above, last = key.split(".")
    at = config
    for part in above:
        at = at[part]
    assert at.get(last) != value
    at[last] = value
    assert stale(before, requests_of(config, folder)) == expected


def test_defaults_that_are_written_out_or_left_out_make_nothing_stale(demo):
    folder, config, before = demo
    assert stale(before, requests_of(read_config(config), folder)) == set()


DEPENDENT = {  # key: what holds where it is left out, which another key decides
    "experiments.lstm_DIF_WVCE.training.order": "in_step",
    "experiments.lstm_DIF_WVCE.training.learning_rate": 3e-4,
    "backbones.recipes.expression_densenet.start": "random:0",
    "backbones.recipes.expression_densenet.augmentation.flip": 0.5,
    "backbones.recipes.expression_densenet.augmentation.mean": 131.0754,
    "backbones.recipes.expression_iresnet.augmentation.shift_px": 4.0,
    "submissions.main.rows": "video",
    "submissions.main.max_difference": 30,
    "ensembles.main.method": "mean",
}


@pytest.mark.parametrize("key", DEPENDENT)
def test_what_follows_from_another_key_may_be_written_out(key, demo):
    folder, config, before = demo
    config = copy.deepcopy(config)
    *above, last = key.split(".")
    at = config
    for part in above:
        at[part] = at = at.get(part) or {}
    assert at.get(last) != DEPENDENT[key]
    at[last] = DEPENDENT[key]
    # An export describes the experiment in the config's own words.
    named = {"export_ensemble"} if key.startswith("experiments") else set()
    assert stale(before, requests_of(config, folder)) == named


def grouped(folder, config, groups):
    rows = [{**row, "group": groups.get(row["sample"], "")} for row in ROWS]
    config = copy.deepcopy(config)
    config["samples"] = str(write_sheet(folder / "grouped.tsv", rows))
    return requests_of(config, folder)


def test_groups_concern_models_that_scale_by_them(demo, tmp_path):
    _, config, _ = demo
    config = copy.deepcopy(config)
    changed = {"train0": "anna", "train1": "anna"}
    before, after = (grouped(tmp_path, config, groups) for groups in ({}, changed))
    assert stale(before, after) == {"make_folds"}
    config["training"]["normalisation"] = "zscore_by_group"
    before, after = (grouped(tmp_path, config, groups) for groups in ({}, changed))
    assert stale(before, after) == {"make_folds", "train_encoder", "predict_frames"}
    predicted = {"test0": "anna"}
    assert stale(before, grouped(tmp_path, config, predicted)) == {"predict_frames"}


def stale_after(demo, tmp_path, change):
    """Stages whose requests differ once ``change`` has altered copies of config and lock file."""
    folder, config, _ = demo
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    config = copy.deepcopy(config)
    weights = tmp_path / "densenet.safetensors"
    weights.write_bytes(b"one network")
    config["features"]["densenet"]["weights"] = str(weights)
    before = requests_of(config, folder, tmp_path)
    change(config, weights, tmp_path)
    return stale(before, requests_of(config, folder, tmp_path))


def other_weights(_config, weights, _root):
    weights.write_bytes(b"another one")
    os.utime(weights, (1, 1))


def moved_weights(config, weights, root):
    config["features"]["densenet"]["weights"] = str(weights.rename(root / "elsewhere"))


def new_version(package):
    def change(_config, _weights, root):
        lock = root / "requirements.lock"
        lock.write_text(re.sub(rf"^{package}==\S+", f"{package}==99", lock.read_text(), flags=re.M))

    return change


def added_experiment(config, _weights, _root):
    experiment = copy.deepcopy(config["experiments"]["lstm_DIF_WVCE"])
    config["experiments"]["another"] = {**experiment, "features": ["densenet", "mfcc"]}
    config["ensembles"]["other"] = {"valence": ["another"], "arousal": ["another"]}


def added_extractor(config, _weights, _root):
    config["features"]["mfcc"] = {"dimension": 13}


LOCKED = {  # package: stages whose modules import it, directly or not
    "opensmile": {"extract_egemaps", "extract_compare"},
    "facenet-pytorch": {"align_faces"},
    "tqdm": set(),
    "snakemake": set(),
}
NEW_MODEL = {"train_encoder", "predict_frames", "smooth_predictions", "evaluate", "make_report"}
NEW_FEATURE = {"extract_mfcc", "pack_features", "list_failures"}
NEW_ENSEMBLE = {"ensemble_predictions", "export_ensemble", "make_manifest"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (other_weights, {"extract_densenet", *TRACES}),
        (moved_weights, {"make_report"}),  # which names the file
        (added_extractor, set()),  # which no experiment asks for
        (added_experiment, {*NEW_MODEL, *NEW_FEATURE, *NEW_ENSEMBLE}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_weights_and_experiments(change, expected, demo, tmp_path):
    assert stale_after(demo, tmp_path, change) == expected


@pytest.mark.parametrize("package", LOCKED)
def test_a_packages_version_makes_the_stages_stale_that_import_it(package, demo, tmp_path):
    found = stale_after(demo, tmp_path, new_version(package))
    assert found - TRACES == LOCKED[package]
