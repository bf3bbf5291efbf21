import math

import numpy as np
import pytest
import torch

from circumplex.features.extractors import densenet
from circumplex.features.tuning import PLAIN, Trial, Tuner, compare, recommend
from circumplex.features.tuning_inputs import inputs_of, read_crops, read_sound, synthesise_crops


def trial(seconds, cosine=1.0, same_bits=True, **settings):
    return Trial({**PLAIN, **settings}, seconds, 1.0, 1.0, cosine, 0.0, same_bits)


def test_the_fastest_setting_that_keeps_the_features():
    plain, last = trial(10.0), trial(8.0, channels_last=True)
    half = trial(4.0, cosine=0.99991, precision="bfloat16")
    rough = trial(2.0, cosine=0.9998, precision="bfloat16")
    moving = trial(1.0, same_bits=False, compile=True)
    unknown = trial(1.0, cosine=float("nan"))
    assert recommend([plain, last, half, rough, moving, unknown]) is half
    assert recommend([plain, trial(9.8)]) is plain, "not worth another setting"
    with pytest.raises(ValueError, match="no setting"):
        recommend([rough])


def test_agreement_by_hand():
    reference = np.float32([[3, 4], [0, 2], [0, 0]])
    found = np.float32([[3, 4], [0.2, 2], [0, 0]])
    cosine, error = compare(found, reference)
    assert cosine == pytest.approx(2 / np.hypot(0.2, 2))
    assert error == pytest.approx(0.1)
    assert compare(reference, reference) == (pytest.approx(1), 0)


@pytest.mark.slow
def test_tuning_tries_every_layout_and_precision(tmp_path, monkeypatch):
    monkeypatch.setattr("circumplex.features.tuning.LEAST_SECONDS", 0)
    monkeypatch.setattr("circumplex.features.tuning.LEAST_BATCHES", 1)
    monkeypatch.setattr("circumplex.features.tuning.HOPELESS", math.inf)  # processors differ
    options = {"weights": "random:0", "batch_size": 2, "precision": "float32"}
    options["channels_last"] = True
    trials = list(Tuner(densenet.build, options, "cpu", lambda e: inputs_of(e, tmp_path)).trials())
    settings = [(t.settings["precision"], t.settings["channels_last"]) for t in trials]
    assert settings[0] == ("float32", False)
    assert len(set(settings)) == len(settings) == 4
    assert all(t.offered and t.seconds > 0 for t in trials)
    assert trials[0].cosine == pytest.approx(1)
    assert max(t.error for t in trials[2:]) > 1e-3 > trials[1].error


def test_a_precision_that_the_processor_emulates_is_measured_once():
    now, batches = 0.0, []

    class Imitating:
        def __init__(self, settings):
            self.precision = settings["precision"]

        def network(self, batch):
            nonlocal now
            now += 100.0 if self.precision == "bfloat16" else 1.0
            batches.append(self.precision)
            return torch.from_numpy(batch)

        def batch(self, inputs):
            return inputs

        embed = batch

    trials = list(
        Tuner(
            lambda settings, _: Imitating(settings),
            PLAIN,
            "cpu",
            lambda _: np.ones((2, 3), np.float32),
            clock=lambda: now,
        ).trials()
    )
    assert [t.seconds for t in trials if t.settings["precision"] == "bfloat16"] == [100.0]
    assert batches.count("bfloat16") == 1
    assert batches.count("float32") == 4 * 3, "both layouts, eager and compiled, of 3 s each"
    assert recommend(trials) is trials[0]


def test_synthetic_inputs_fill_a_batch(tmp_path):
    assert synthesise_crops(3).shape == (3, 112, 112, 3)
    assert read_crops(tmp_path, 2).shape == (2, 112, 112, 3)
    assert read_sound(tmp_path, 5000).shape == (5000,)
