import re

import pytest
from made_requests import ROOT

from circumplex.resources import (
    DEFAULT_SECONDS,
    estimate,
    guessed_seconds,
    memory_mb,
    minutes,
    needs,
)
from circumplex.samples import Sample, Split

RULES = sorted((ROOT / "workflow/rules").glob("*.smk"))


def sample(video):
    return Sample("a", video, "largest", None, None, None, Split.PREDICT, "a")


def test_every_rule_that_asks_by_the_table_is_in_it():
    text = "".join(path.read_text() for path in RULES)
    asked = set(re.findall(r'(?:memory|time_limit)\("(\w+)"\)', text))
    assert asked == needs().keys()


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


def test_an_estimate_adds_up():
    costs = estimate(3600.0, {"extract_iresnet": 2, "train_encoder": 6}, {"train_encoder": 6})
    assert costs["extract_iresnet"].cpu_hours == pytest.approx(8.6)
    assert costs["extract_iresnet"].disk_gb == pytest.approx(0.216)
    assert costs["train_encoder"].cpu_hours == pytest.approx(6 * 1.3)
    assert costs["train_encoder"].jobs == 6
