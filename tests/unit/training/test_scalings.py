"""Scaling by group: from each group's own frames, at training and for groups never seen."""

import numpy as np
import pytest

from circumplex.ccc import CccAccumulator
from circumplex.config.training import Normalisation, TrainingSpec
from circumplex.features.pack_reader import PackReader
from circumplex.model.checkpoints import load_model, save_model
from circumplex.model.normalisation import GroupScaling
from circumplex.training.dataset import LabelReader, SegmentLoader
from circumplex.training.predict import Predictor
from circumplex.training.scalings import SampleScalings, fit_scalings
from circumplex.training.segments import Segment
from circumplex.training.train import Training, TrainingData
from synthetic_data import write_labels, write_pack

BY_GROUP = {"voice": Normalisation.ZSCORE_BY_GROUP}
SPEAKERS, CLIPS, FRAMES = 6, 6, 40
MARGIN = 0.2
"""Of CCC, by which scaling by group must beat the training part's; fixed before the first run."""


def read(folder, features):
    frames = {name: len(values) for name, values in features.items() if values is not None}
    return PackReader({"voice": [write_pack(folder, "voice", features, {**frames, "deaf": 5})]})


@pytest.fixture
def reader(tmp_path):
    draw = np.random.default_rng(0)

    def clip(frames, mean, deviation):
        values = draw.normal(mean, deviation, (frames, 3)).astype("f4")
        values[:, 1] = mean  # constant within the group, not between groups
        return values

    features = {
        "a1": clip(30, 5, 2),
        "a2": clip(50, 5, 2),
        "b1": clip(40, -70, 0.1),
        "one": clip(1, 3, 1),
        "deaf": None,
    }
    return read(tmp_path, features)


GROUPS = {"a1": "a", "a2": "a", "b1": "b", "one": "c", "deaf": "d"}


def apply(scaling, rows):
    out = np.empty(rows.shape, np.float32)
    scaling.apply(rows, out)
    return out


def rows_of(reader, *samples):
    blocks = [block for sample in samples for block in reader.blocks(sample, "voice")]
    return np.concatenate(blocks)


def test_each_group_has_mean_0_and_deviation_1(reader):
    fitted = fit_scalings(reader, ["voice"], BY_GROUP, ["a1", "a2", "b1"], GROUPS)
    assert fitted["voice"].varies.tolist() == [True, False, True]
    scalings = SampleScalings(reader, fitted, GROUPS)
    for members in (["a1", "a2"], ["b1"]):
        scaled = np.concatenate(
            [apply(scalings.of(name, "voice"), rows_of(reader, name)) for name in members]
        )
        np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-4)
        np.testing.assert_allclose(scaled.std(axis=0), [1, 0, 1], atol=1e-4)
    assert scalings.of("a1", "voice") is scalings.of("a2", "voice")


def test_degenerate_groups_give_zeros_and_stay_finite(reader):
    fitted = fit_scalings(reader, ["voice"], BY_GROUP, ["a1", "a2", "b1"], GROUPS)
    scalings = SampleScalings(reader, fitted, GROUPS)
    one_frame = apply(scalings.of("one", "voice"), rows_of(reader, "one"))
    np.testing.assert_array_equal(one_frame, np.zeros((1, 3)))
    # A group without the modality has nothing to fit; its rows are the packs' zeros.
    nothing = apply(scalings.of("deaf", "voice"), np.ones((4, 3), "f4"))
    np.testing.assert_array_equal(nothing, np.zeros((4, 3)))
    loader = SegmentLoader(reader, fitted, groups=GROUPS)
    segments = [Segment("deaf", 0, 5), Segment("one", 0, 1), Segment("a1", 0, 30)]
    assert np.isfinite(loader.load(segments).features).all()


def test_no_value_exceeds_the_root_of_the_frames(tmp_path):
    spike = np.zeros((10, 1), "f4")
    spike[4] = 1e6
    reader = read(tmp_path, {"s": spike})
    scaling = SampleScalings(reader, {"voice": GroupScaling(np.array([True]))}, {"s": "s"})
    assert np.abs(apply(scaling.of("s", "voice"), spike)).max() <= np.sqrt(9) + 1e-5


def test_a_column_that_never_varied_in_training_stays_zero_later(reader):
    fitted = fit_scalings(reader, ["voice"], BY_GROUP, ["a1", "a2", "b1"], GROUPS)
    scaling = fitted["voice"].fit([np.random.default_rng(1).normal(size=(20, 3)).astype("f4")])
    assert (scaling.scale > 0).tolist() == [True, False, True]


def test_a_sample_without_a_group_is_one_of_its_own(reader):
    fitted = fit_scalings(reader, ["voice"], BY_GROUP, ["a1", "b1"], {})
    alone = SampleScalings(reader, fitted, {}).of("a1", "voice")
    np.testing.assert_allclose(alone.mean, rows_of(reader, "a1").mean(axis=0), rtol=1e-5)


def speakers(folder):
    """Speakers who differ in offset by ten times what valence and arousal change."""
    draw = np.random.default_rng(7)
    mixing = draw.normal(size=(2, 6))
    features, labels, groups = {}, {}, {}
    for speaker in range(SPEAKERS):
        offset = draw.normal(0, 10, size=6)
        for clip in range(CLIPS):
            name = f"s{speaker}c{clip}"
            time = np.arange(FRAMES)[:, None] / 30
            values = 0.8 * np.sin(time * draw.uniform(2, 6, 2) + draw.uniform(0, 6, 2))
            noisy = values @ mixing + offset + draw.normal(0, 0.3, (FRAMES, 6))
            features[name] = noisy.astype("f4")
            labels[name] = values.astype("f4")
            groups[name] = f"speaker{speaker}"
    tables = {name: write_labels(folder / f"{name}.parquet", of) for name, of in labels.items()}
    return read(folder / "pack", features), LabelReader(tables), groups


def ccc_of_left_out_speakers(normalisation, data, folder):
    """Mean CCC of valence and arousal over all frames, each speaker predicted by the others'."""
    reader, labels, groups = data
    spec = TrainingSpec.read(
        {
            "encoder": {"kind": "gru", "segment_length": 40, "stride": 40, "hidden": 16,
                        "regressor": [16], "dropout": 0},
            "audio": ["voice"],
            "epochs": 20,
            "batch_size": 6,
            "learning_rate": 5e-3,
            "normalisation": {"voice": normalisation},
            "selection": "last",
        }
    )  # fmt: skip
    moments = [CccAccumulator(), CccAccumulator()]
    for left_out in sorted(set(groups.values())):
        train = [name for name, group in groups.items() if group != left_out]
        training = Training(
            spec, TrainingData(reader, labels, train, [], groups), seed=0, work=folder / left_out
        )
        save_model(training.run().model, folder / "model.pt")
        predictor = Predictor(load_model(folder / "model.pt"), reader, groups=groups)
        for name in sorted(groups.keys() - set(train)):
            predicted = predictor.predict(name)
            for column, of in enumerate(moments):
                of.update(predicted[:, column], labels.values(name)[:, column])
    return float(np.mean([of.ccc() for of in moments]))


@pytest.mark.slow
def test_scaling_by_group_beats_the_training_parts_on_speakers_left_out(tmp_path):
    data = speakers(tmp_path)
    scores = {
        kind: ccc_of_left_out_speakers(kind, data, tmp_path / kind)
        for kind in ("zscore", "zscore_by_group")
    }
    assert scores["zscore_by_group"] > scores["zscore"] + MARGIN, scores
    assert scores["zscore_by_group"] > 0.5, scores
