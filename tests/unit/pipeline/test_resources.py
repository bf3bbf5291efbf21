import re

import pytest

from circumplex.config.features import FEATURES
from circumplex.config.samples import Sample, Split
from circumplex.pipeline.resources import (
    DEFAULT_SECONDS,
    expected_seconds,
    guessed_seconds,
    memory_mb,
    minutes,
    needs,
    scratch_mb,
)
from places import ROOT

RULES = sorted((ROOT / "workflow/rules").glob("*.smk"))


def sample(video):
    return Sample("a", video, "largest", None, None, None, Split.PREDICT, "a")


def test_every_rule_that_asks_by_the_table_is_in_it():
    text = "".join(path.read_text() for path in RULES)
    asked = set(re.findall(r'(?:memory|time_limit)\("(\w+)"\)', text))
    extracted = {feature.stage for feature in FEATURES.values()}  # one rule in a loop
    assert asked | extracted == needs().keys()
    assert "memory(feature.stage)" in text
    assert "time_limit(feature.stage)" in text


def test_a_job_of_a_shard_is_expected_to_take_its_part_of_the_work():
    expected = expected_seconds(600.0, 4, ["train_encoder"])
    assert expected["extract_iresnet"] == pytest.approx(3 + 8.6 * 150)
    assert expected["train_encoder"] == pytest.approx(3 + 1.3 * 600)
    assert expected_seconds(0.0, 0, [])["fill_frames"] == 3


def test_requests_grow_with_the_input_and_on_retry():
    assert memory_mb("align_faces", 2) == 2 * memory_mb("align_faces", 1)
    one = minutes("extract_iresnet", 600, 4, 1)
    assert one == round(10 + 3 * 8.6 * 600 / 4 / 60)
    assert minutes("extract_iresnet", 6000, 4, 1) > 8 * one
    assert minutes("extract_iresnet", 600, 4, 2) == pytest.approx(2 * one, abs=1)


def test_a_video_that_cannot_be_sized_counts_as_a_usual_one(tmp_path):
    video = tmp_path / "a.mp4"
    assert guessed_seconds([sample(video)]) == DEFAULT_SECONDS
    video.write_bytes(bytes(120_000))
    assert guessed_seconds([sample(video), sample(video)]) == pytest.approx(4)


def test_scratch_grows_with_the_sound():
    hour, none = scratch_mb("extract_compare", 3600), scratch_mb("extract_compare", 0)
    assert hour - none == pytest.approx(3600 * 100 * 130 * 4 / 1e6, rel=0.01)  # rows of float32


def test_stages_with_gpu_hours_are_those_that_ask_for_a_gpu():
    rules = re.split(r"^rule ", "".join(path.read_text() for path in RULES), flags=re.MULTILINE)
    looped = "gpu=GPU if feature.need.gpu else 0"
    assert any(looped in rule for rule in rules)
    asking = {rule.partition(":")[0] for rule in rules if "gpu=GPU" in rule.replace(looped, "")}
    asking |= {feature.stage for feature in FEATURES.values() if feature.need.gpu}
    assert asking == {stage for stage, need in needs().items() if need.gpu}


def test_limits_of_time_allow_for_large_pictures():
    need = needs()["align_faces"]
    assert need.limit_s == pytest.approx(3 * need.cpu_s)
    assert minutes("align_faces", 600, threads=1, attempt=1) == round(10 + 3 * need.limit_s * 10)
