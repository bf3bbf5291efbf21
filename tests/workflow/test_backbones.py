"""Backbones trained by the run that extracts with them, and what a change of one reruns."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from circumplex.io.atomic import read_json
from circumplex.io.digests import file_digest
from circumplex.io.parquet import read_metadata
from places import ROOT
from projects import AFTER_TRAINING, Outcome, Project, planned

RECIPES = {  # the feature of each
    "expression_densenet": "densenet",
    "expression_iresnet": "iresnet",
    "action_unit_iresnet": "fau",
}
AFTER_FEATURES = {"list_failures", "pack_features", "train_encoder", *AFTER_TRAINING}


def made(project: Project, done: Outcome, rule: str) -> int:
    """Samples that the jobs of a rule computed, as their logs say."""
    jobs = [job for name, job in done.jobs if name == rule]
    assert jobs
    logs = [(project.results / f"logs/{rule}/{job}.log").read_text() for job in jobs]
    return sum(int(re.search(r"(\d+) made", log)[1]) for log in logs)  # type: ignore[index]


def test_features_name_the_checkpoint_and_the_report_shows_its_card(
    finished: tuple[Project, Outcome],
) -> None:
    project, done = finished
    assert {job for rule, job in done.jobs if rule == "train_backbone"} == set(RECIPES)
    page = (project.results / "report.html").read_text()
    for recipe, feature in RECIPES.items():
        card = read_json(project.results / f"backbones/{recipe}.json")
        assert card["sha256"] == file_digest(project.results / f"backbones/{recipe}.safetensors")
        options = read_metadata(project.results / f"extract_{feature}/clip04.parquet")["options"]
        assert options["weights"] == f"sha256:{card['sha256']}"
        assert f"{feature} (random:" not in page
        assert f"trained on {card['date']}" in page
        if feature != "fau":
            accuracy = card["scores"]["test"]["drawn"]["accuracy"]
            assert f"accuracy {accuracy:.3f} of 8 images" in page


def test_a_changed_recipe_reruns_its_features_and_what_follows(project: Project) -> None:
    # Another seed: of two epochs the first could stay the best, and nothing would be extracted.
    project.edit(
        "config/tiny.yaml",
        "expression_densenet: {epochs: 1}",
        "expression_densenet: {epochs: 1, seed: 1}",
    )
    done = project.snakemake()
    assert done.code == 0, done.text
    assert done.rules == {"train_backbone", "extract_densenet", *AFTER_FEATURES}
    assert {job.split()[0] for rule, job in done.jobs if rule == "pack_features"} == {"densenet"}
    assert made(project, done, "extract_densenet") > 0
    assert planned(project) == set()


def test_defaults_that_are_written_out_make_nothing_stale(project: Project) -> None:
    project.edit(
        "config/tiny.yaml",
        "expression_densenet: {epochs: 1}",
        "expression_densenet: {epochs: 1, class_balance: 0.0, augmentation: {flip: 0.5}}",
    )
    assert planned(project) == set()


def test_a_checkpoint_lost_or_altered_is_made_again_and_makes_nothing_stale(
    project: Project,
) -> None:
    checkpoint = project.results / "backbones/expression_densenet.safetensors"
    before = checkpoint.read_bytes()
    checkpoint.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    # The training too, so that it is repeated and not taken from the store.
    (project.results / "train_backbone/expression_densenet.safetensors").resolve().unlink()
    done = project.snakemake()
    assert done.code == 0, done.text
    assert made(project, done, "train_backbone") == 1
    assert checkpoint.read_bytes() == before
    assert made(project, done, "extract_densenet") == 0
    assert planned(project) == set()


@pytest.mark.parametrize("days", [0, 400])
def test_a_touched_checkpoint_makes_nothing_stale(project: Project, days: int) -> None:
    """Today, or by a clock that was wrong; without Snakemake's own records too."""
    date = time.time() + days * 86_400
    for path in (project.results / "backbones").iterdir():
        os.utime(path, (date, date))
    assert planned(project) == set()
    shutil.rmtree(project.root / ".snakemake")
    assert planned(project) == set()


def test_what_cannot_be_trained_stops_the_run_in_words(fresh: Project) -> None:
    fresh.edit(
        "config/tiny.yaml",
        "expression_densenet: {epochs: 1}",
        "expression_densenet: {phases: [[drwan]]}",
    )
    outcome = fresh.snakemake(options=("-n",))
    assert outcome.code == 1
    assert "does not declare; did you mean 'drawn'" in outcome.text
    fresh.edit("config/tiny.yaml", "{phases: [[drwan]]}", "{epochs: 1}")
    (fresh.corpus / "stills/stills.csv").unlink()
    outcome = fresh.snakemake(options=("-n",))
    assert outcome.code == 1
    assert "backbones.still_sets.drawn: path: no such file or folder" in outcome.text
    assert "Traceback (most recent" not in outcome.text


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_overfits_64_faces(corpus: Path, recipe: str) -> None:
    # The expressions' IResNet has its full width; the action units' is narrower, for speed.
    channels = 32 if recipe == "action_unit_iresnet" else 64
    command = [sys.executable, "-m", "demo.checks.overfit", "--corpus", str(corpus)]
    # One thread: the other worker's jobs would stall two that wait for each other.
    command += ["--depth", "18", "--channels", str(channels), "--threads", "1"]
    command += ["--recipes", recipe]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("holds\n")


def test_two_processes_train_one_network(finished: tuple[Project, Outcome], tmp_path: Path) -> None:
    from circumplex.backbones.worker import Description, read_record

    project, _ = finished
    values = {"task": "expression", "network": "densenet", "phases": [["drawn"]], "epochs": 1}
    table = project.results / "list_stills/drawn.parquet"
    outputs = []
    for count in (1, 2):
        output, work = tmp_path / f"{count}.safetensors", tmp_path / f"work{count}"
        path = tmp_path / f"{count}.json"
        Description(
            "together",
            {**values, "batch_size": 16},
            {"drawn": str(project.root / table)},
            None,
            str(work),
            str(output),
            str(tmp_path / f"{count}.tensorboard"),
            "cpu",
            1,
        ).write(path)
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command += [f"--nproc-per-node={count}", "-m", "circumplex.backbones.worker", str(path)]
        done = subprocess.run(
            command,
            cwd=project.root,
            env={**os.environ, "PYTHONPATH": "workflow/scripts"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        outputs.append(output)
    one, two = (read_record(output) for output in outputs)
    # Every image is scored once, whichever process does; norms see half a batch, so that weights
    # are near each other, not equal.
    assert one["scores"]["val"]["drawn"]["images"] == two["scores"]["val"]["drawn"]["images"]
    assert two["log"][0]["loss"] == pytest.approx(one["log"][0]["loss"], rel=0.2)
    first, second = (load_file(output) for output in outputs)
    name = "features.conv0.weight"
    drift = torch.nn.functional.cosine_similarity(first[name].flatten(), second[name].flatten(), 0)
    assert drift > 0.95
