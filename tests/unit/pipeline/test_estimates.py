"""Costs of a run: which jobs are counted, how they grow, and how a finished run corrects them."""

from collections import Counter

import pytest

from circumplex.pipeline.costs import Measured
from circumplex.pipeline.estimates import (
    GPU_SPEED,
    SNAKEMAKE,
    SNAKEMAKE_JOB_S,
    Estimator,
    Material,
    count_jobs,
)
from circumplex.pipeline.graph import Graph
from example_requests import ROWS, builder_of, config_of, jobs_of, overlay, write_sheet

USUAL = Material(seconds=100, frames=3000, pixels=640 * 360)


def estimated(folder, *presets, material=USUAL, images=0, measured=None, **changes):
    config = overlay(config_of(*presets), changes)
    config["samples"] = str(write_sheet(folder / "samples.tsv", ROWS))
    config["results"] = str(folder / "results")
    if "demo" in presets:
        drawn = {"kind": "image_table", "path": config["samples"]}
        config["backbones"]["still_sets"] = {"drawn": drawn}
    builder = builder_of(config, folder)
    plan = builder.plan
    jobs = count_jobs(Graph(builder), plan)
    known = {sample.sample: material for sample in plan.samples}
    return builder, Estimator(plan, known, {"drawn": images}).costs(jobs, measured or {})


@pytest.mark.parametrize(
    "presets", [("demo",), ("demo", "tiny"), ("public_weights",)], ids="+".join
)
def test_every_job_of_a_run_is_counted(tmp_path, presets):
    builder, costs = estimated(tmp_path, *presets)
    own = {"export_ensemble", "make_proxy"}  # made when asked for, and for samples that are shown
    expected = Counter(stage for stage, _ in jobs_of(builder) if stage not in own)
    counted = {stage: cost.jobs for stage, cost in costs.items() if stage in expected}
    missing = {stage: n for stage, n in expected.items() if counted.get(stage) != n}
    unasked = {"fetch_weights", "make_folds", "write_predictions", "make_player"}
    assert missing.keys() <= unasked
    assert all(stage not in costs for stage in missing)
    assert costs[SNAKEMAKE].cpu_s > SNAKEMAKE_JOB_S * sum(counted.values())


def test_work_grows_with_what_it_is_done_on(tmp_path):
    _, usual = estimated(tmp_path)
    _, longer = estimated(tmp_path, material=Material(1000, 30_000, 640 * 360))
    _, larger = estimated(tmp_path, material=Material(100, 3000, 1280 * 720))
    _, faster = estimated(tmp_path, material=Material(100, 6000, 640 * 360))
    _, at_rate = estimated(tmp_path, material=Material(100, 6000, 640 * 360), timeline={"rate": 30})
    network = {stage: cost.network_s for stage, cost in usual.items()}
    assert longer["extract_iresnet"].network_s == pytest.approx(10 * network["extract_iresnet"])
    # The search for faces grows with the pixels; its work on each face that it finds does not.
    largest_picture = Material(100, 3000, 1920 * 1080)
    _, largest = estimated(tmp_path, material=largest_picture)
    four, nine = (c["align_faces"].network_s for c in (larger, largest))
    assert nine - network["align_faces"] == pytest.approx((four - network["align_faces"]) * 8 / 3)
    assert 2 < four / network["align_faces"] < 4
    assert larger["extract_iresnet"].network_s == network["extract_iresnet"]
    assert faster["extract_iresnet"].network_s == pytest.approx(2 * network["extract_iresnet"])
    assert faster["extract_wav2vec2"].network_s == network["extract_wav2vec2"]
    assert at_rate["extract_iresnet"].network_s == pytest.approx(network["extract_iresnet"])
    assert usual["extract_iresnet"].gpu_s == pytest.approx(network["extract_iresnet"] / GPU_SPEED)
    assert usual["extract_compare"].gpu_s == 0


def test_smaller_networks_and_larger_faces_cost_less(tmp_path):
    _, usual = estimated(tmp_path)
    features = {"iresnet": {"depth": 18, "channels": 16}, "vggish": {"hop_s": 0.24}}
    _, other = estimated(tmp_path, features=features, faces={"min_face_size": 72})
    assert other["extract_iresnet"].network_s < 0.05 * usual["extract_iresnet"].network_s
    assert other["extract_vggish"].network_s == pytest.approx(4 * usual["extract_vggish"].network_s)
    assert other["align_faces"].network_s < 0.5 * usual["align_faces"].network_s


def test_training_grows_with_epochs_and_seeds_and_keeps_weights(tmp_path):
    _, usual = estimated(tmp_path)
    _, longer = estimated(tmp_path, training={"epochs": 60})
    assert longer["train_encoder"].network_s == pytest.approx(2 * usual["train_encoder"].network_s)
    assert longer["train_encoder"].disk_bytes == usual["train_encoder"].disk_bytes
    _, none = estimated(tmp_path, "demo")
    _, some = estimated(tmp_path, "demo", images=1000)
    assert some["train_backbone"].network_s > none["train_backbone"].network_s == 0


def test_a_finished_run_corrects_its_stages_and_by_their_mean_the_others(tmp_path):
    _, table = estimated(tmp_path)
    samples = tuple(row["sample"] for row in ROWS)
    stage = "extract_iresnet"
    done = Measured(2 * table[stage].cpu_s, table[stage].jobs, samples)
    _, corrected = estimated(tmp_path, measured={stage: done})
    for name, cost in corrected.items():
        assert cost.cpu_s == pytest.approx(2 * table[name].cpu_s), name
        assert cost.measured == (name == stage)
        assert cost.disk_bytes == table[name].disk_bytes
    half = Measured(table["align_faces"].cpu_s, table["align_faces"].jobs, samples)
    _, both = estimated(tmp_path, measured={stage: done, "align_faces": half})
    assert both["align_faces"].cpu_s == pytest.approx(table["align_faces"].cpu_s)
    assert table["extract_fau"].cpu_s < both["extract_fau"].cpu_s < 2 * table["extract_fau"].cpu_s
