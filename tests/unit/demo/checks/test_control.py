"""The control: what it says of honest features, and of a leak that is planted on purpose."""

import numpy as np
import pytest

from circumplex.config.training import TrainingSpec
from circumplex.features.pack_reader import PackReader
from circumplex.predictions.smoothing import SmoothingSpec
from demo.checks.control import SHUFFLES, Finding, Material, describe, run_control, shuffle
from synthetic_data import SyntheticData, write_pack

LENGTHS = {f"s{number:02}": 60 + 5 * number for number in range(20)}
TRAIN, VAL, TEST = list(LENGTHS)[:12], list(LENGTHS)[12:14], list(LENGTHS)[14:]


class LeakyMaterial(Material):
    """Features that have seen the annotations: those of the run, and the withheld ones."""

    def reader(self, annotations, folder):
        seen = {"leak": {**annotations, **self.truth}}
        pack = write_pack(folder / "leak", "leak", seen["leak"], LENGTHS)
        return PackReader({**self.packs, "leak": [pack]})


def material_of(folder, kind=Material, further=()):
    data = SyntheticData(folder, LENGTHS)
    data.readers()
    encoder = {"kind": "lstm", "segment_length": 30, "stride": 30, "hidden": 16, "regressor": [8]}
    options = {"encoder": encoder, "visual": ["face", *further], "audio": ["voice"], "epochs": 4}
    return kind(
        spec=TrainingSpec.read({**options, "batch_size": 4, "learning_rate": 1e-2}),
        packs={feature: [folder / feature / "shard.json"] for feature in ("face", "voice")},
        train={sample: data.labels[sample] for sample in TRAIN},
        val={sample: data.labels[sample] for sample in VAL},
        truth={sample: data.labels[sample] for sample in TEST},
        smoothing=SmoothingSpec(valence=2, arousal=2),
    )


@pytest.mark.slow
def test_real_annotations_stand_out_and_shuffles_score_nothing(tmp_path):
    found = run_control(material_of(tmp_path), cores=1)
    for finding in found.values():
        assert finding.real > 0.6
        assert len(finding.shuffled) == SHUFFLES
        assert finding.p == 1 / (SHUFFLES + 1)
        assert abs(finding.mean) < 0.2
        assert abs(finding.mean) <= finding.two_errors


@pytest.mark.slow
def test_a_leak_that_is_planted_on_purpose_is_found(tmp_path):
    found = run_control(material_of(tmp_path, LeakyMaterial, ["leak"]), cores=1)
    for finding in found.values():
        assert finding.mean > finding.two_errors
        assert finding.mean > 0.3
        assert not finding.holds


def test_a_shuffle_deals_out_all_annotations_at_the_lengths_of_the_samples():
    annotations = {
        name: np.full((frames, 2), number, np.float32)
        for number, (name, frames) in enumerate({"a": 3, "b": 5, "c": 4}.items())
    }
    dealt = [shuffle(annotations, number) for number in range(1, 30)]
    assert {name: len(values) for name, values in dealt[0].items()} == {"a": 3, "b": 5, "c": 4}
    given = [tuple(int(values[0, 0]) for values in of.values()) for of in dealt]
    assert all(sorted(order) == [0, 1, 2] for order in given)
    assert (0, 1, 2) in given, "by chance a sample keeps its own"
    assert len(set(given)) > 3
    np.testing.assert_array_equal(shuffle(annotations, 4)["b"], dealt[3]["b"])


def test_p_counts_the_shuffles_that_score_as_high():
    assert Finding(0.5, (0.1,) * 19).p == 0.05
    assert Finding(0.5, (0.5, *(0.1,) * 18)).p == 0.1
    assert not Finding(0.5, (0.5, *(-0.1, 0.1) * 9)).holds


def test_the_mean_of_the_shuffles_may_lie_two_standard_errors_from_zero():
    finding = Finding(0.9, (0.3, -0.1) * 10)
    # Mean 0.1; deviation with n - 1: 0.2 * sqrt(20 / 19); error: that over sqrt(20).
    assert finding.two_errors == pytest.approx(0.4 / 19**0.5)
    assert finding.mean == pytest.approx(0.1)
    assert not finding.holds
    assert Finding(0.9, (0.28, -0.12) * 10).holds


def test_the_table_prints_p_and_the_verdict_of_each_target():
    found = {"valence": Finding(0.9, (0.3, -0.3) * 10), "arousal": Finding(0.2, (0.3,) * 20)}
    text = "\n".join(describe(found, "x/official/seed0"))
    assert "0.048          1.000" in text
    assert "holds  DOES NOT HOLD" in text
