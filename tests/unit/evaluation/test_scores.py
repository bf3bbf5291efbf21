import numpy as np
import pytest

from circumplex.ccc import ccc
from circumplex.evaluation.scores import evaluate
from circumplex.targets import Target


def test_rows_are_over_all_annotated_frames_of_all_samples():
    draw = np.random.default_rng(0)
    pairs = []
    for frames in (5, 1, 40):
        annotation = draw.uniform(-1, 1, size=(frames, 2))
        pairs.append((annotation + draw.normal(size=(frames, 2)), annotation))
    pairs[0][1][2] = np.nan
    pairs[2][1][7, 1] = np.nan  # in either value: out for both
    pairs.append((np.zeros((3, 2)), np.full((3, 2), np.nan)))
    rows = evaluate("m", "val", iter(pairs))
    assert [row.target for row in rows] == [Target.VALENCE, Target.AROUSAL]
    keep = [~np.isnan(annotation).any(axis=1) for _, annotation in pairs]
    for column, row in enumerate(rows):
        x = np.concatenate([p[k, column] for (p, _), k in zip(pairs, keep, strict=True)])
        y = np.concatenate([a[k, column] for (_, a), k in zip(pairs, keep, strict=True)])
        assert row.ccc == pytest.approx(ccc(x, y))
        assert (row.model, row.split, row.frames, row.samples) == ("m", "val", 44, 3)


def test_refusals():
    with pytest.raises(ValueError, match="no valid frame"):
        evaluate("m", "val", [])
    with pytest.raises(ValueError, match="annotation"):
        evaluate("m", "val", [(np.zeros((3, 2)), np.zeros((1, 2)))])
    with pytest.raises(ValueError, match="not finite"):
        evaluate("m", "val", [(np.full((3, 2), np.nan), np.zeros((3, 2)))])
