"""The table of stills: what is written is read, by split, image by image, in any process."""

import pickle
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from circumplex.backbones.stills import (
    EXPRESSIONS,
    INLINE_ROWS_PER_GROUP,
    NO_LABEL,
    PAPER_UNITS,
    SetDescription,
    Still,
    Stills,
    StillSplit,
    decode_image,
    read_stills,
    write_stills,
)
from circumplex.errors import RequestError, SampleError

SPLITS = list(StillSplit)
COUNT = 2 * INLINE_ROWS_PER_GROUP + 7
NAN = float("nan")


def _pixels(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 256, (8, 9, 3), np.uint8)


def _png(index: int) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(_pixels(index), cv2.COLOR_RGB2BGR))[1].tobytes()


def _still(index: int, inline: bool) -> Still:
    return Still(
        f"{index}.png",
        SPLITS[index % 3],
        inline=_png(index) if inline else None,
        label=index % 9 - 1,
        votes=None if index % 2 else (0.25, 0.75, *[0.0] * 6),
        valence=index / COUNT,
        action_units=(float(index % 2), NAN),
        landmarks=tuple(map(float, range(10))) if index % 5 == 0 else None,
        subject=f"s{index % 4}",
    )


@pytest.fixture(params=[True, False], ids=["inline", "files"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    for index in range(COUNT):
        (tmp_path / f"{index}.png").write_bytes(_png(index))
    path = tmp_path / "stills.parquet"
    description = SetDescription("made", "ferplus", str(tmp_path), EXPRESSIONS, (26, 3))
    assert write_stills(path, description, (_still(i, request.param) for i in range(COUNT))) == (
        COUNT
    )
    return path


def _check(stills: Stills, rows: list[int]) -> None:
    assert len(stills) == len(rows)
    assert stills.labels.tolist() == [row % 9 - 1 for row in rows]
    assert stills.subjects == [f"s{row % 4}" for row in rows]
    np.testing.assert_allclose(stills.valence, [row / COUNT for row in rows], rtol=1e-6)
    assert np.isnan(stills.arousal).all()
    for position, row in enumerate(rows):
        np.testing.assert_array_equal(stills.image(position), _pixels(row))
        assert np.isnan(stills.votes[position]).all() == bool(row % 2)
        landmarks = stills.landmarks(position)
        assert (landmarks is None) == (row % 5 != 0)
        if landmarks is not None:
            assert landmarks.tolist() == np.arange(10.0).reshape(5, 2).tolist()


def test_what_is_written_is_read(table: Path) -> None:
    _check(read_stills(table), list(range(COUNT)))


@pytest.mark.parametrize("split", SPLITS)
def test_a_split_holds_its_rows_alone(table: Path, split: StillSplit) -> None:
    _check(read_stills(table, split), list(range(SPLITS.index(split), COUNT, 3)))


def test_another_process_can_take_it_over(table: Path) -> None:
    stills = read_stills(table, "val")
    stills.image(0)
    _check(pickle.loads(pickle.dumps(stills)), list(range(1, COUNT, 3)))  # noqa: S301


def test_units_are_asked_by_number(table: Path) -> None:
    stills = read_stills(table)
    units = stills.units((3, 26, 1))
    assert np.isnan(units[:, [0, 2]]).all()
    assert units[:, 1].tolist() == [float(row % 2) for row in range(COUNT)]
    assert stills.units().shape == (COUNT, len(PAPER_UNITS))


def test_units_are_present_from_a_value_on(tmp_path: Path) -> None:
    path = tmp_path / "units.parquet"
    values = [0.0, 1.0, 1.5, 2.0, 5.0, NAN]
    rows = (Still("a", StillSplit.TRAIN, action_units=(value,)) for value in values)
    description = SetDescription("made", "disfa", action_units=(12,), present_from=2.0)
    write_stills(path, description, rows)
    stills = read_stills(path)
    assert stills.description == description
    np.testing.assert_array_equal(stills.present((12,))[:, 0], [0, 0, 0, 1, 1, NAN])


def test_a_set_without_classes_or_without_units(tmp_path: Path) -> None:
    rows = [Still("a", StillSplit.TRAIN), Still("b", StillSplit.VAL), Still("c", StillSplit.TRAIN)]
    for classes, units in (((), (4,)), (EXPRESSIONS, ()), ((), ())):
        path = tmp_path / "t.parquet"
        made = [replace(row, action_units=(1.0,) * len(units)) for row in rows]
        write_stills(path, SetDescription("s", "rafdb", "", classes, units), made)
        stills = read_stills(path, "train")
        assert stills.votes.shape == (2, len(classes))
        assert stills.action_units.shape == (2, len(units))
        assert np.isnan(stills.units()).sum() == 2 * (len(PAPER_UNITS) - len(units))


def test_an_empty_table_has_all_columns(tmp_path: Path) -> None:
    path = tmp_path / "empty.parquet"
    assert write_stills(path, SetDescription("none", "au_csv"), []) == 0
    stills = read_stills(path, StillSplit.TRAIN)
    assert len(stills) == 0
    assert stills.votes.shape == stills.action_units.shape == (0, 0)


def test_a_row_says_only_what_it_knows(tmp_path: Path) -> None:
    path = tmp_path / "one.parquet"
    write_stills(path, SetDescription("one", "rafdb"), [Still("gone.jpg", StillSplit.TRAIN)])
    stills = read_stills(path)
    assert stills.labels.tolist() == [NO_LABEL]
    assert stills.landmarks(0) is None
    with pytest.raises(SampleError, match=r"one: gone\.jpg: No such file"):
        stills.image(0)


def test_no_table_of_stills(tmp_path: Path) -> None:
    path = tmp_path / "text.parquet"
    path.write_text("PAR1")
    with pytest.raises(RequestError, match="no table of stills"):
        read_stills(path)
    with pytest.raises(RequestError, match="no table of stills"):
        read_stills(tmp_path / "missing.parquet")


@pytest.mark.parametrize("encoded", [b"", b"no image", _png(0)[:30]])
def test_a_broken_image_is_named(encoded: bytes) -> None:
    with pytest.raises(SampleError, match="set: face"):
        decode_image(encoded, "set: face")
