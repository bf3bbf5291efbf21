from pathlib import Path

import numpy as np
import pytest

from circumplex.backbones.sets.registry import make_reader
from circumplex.backbones.stills import EXPRESSIONS, StillSplit
from circumplex.errors import StillSetError
from synthetic_stills import (
    LANDMARKS,
    make_affectnet,
)

TRAIN, VAL, TEST = StillSplit


def read(kind: str, **options):
    reader = make_reader(kind, options)
    return reader, reader.describe("made"), list(reader.stills())


def edit(path: Path, line: int, old: str, new: str) -> None:
    lines = path.read_text().splitlines()
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new)
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("in_folders", [False, True], ids=["csv", "npy"])
@pytest.mark.parametrize("classes", [7, 8])
def test_affectnet(tmp_path, in_folders, classes) -> None:
    path = make_affectnet(tmp_path, in_folders)
    reader, description, stills = read("affectnet", path=str(path), classes=classes)
    expected = ["neutral", "happiness", "contempt", "sadness", "surprise", "anger"]
    if classes == 7:
        expected.remove("contempt")
    assert [EXPRESSIONS[still.label] for still in stills] == expected
    assert [still.split for still in stills] == [TRAIN] * (classes - 4) + [VAL] * 2
    assert (stills[1].valence, stills[1].arousal) == (0.8, 0.1)
    assert all((Path(description.root) / still.image).is_file() for still in stills)
    assert dict(reader.left_out) == {
        "uncertain": 1,
        "no face": 1,
        **({"contempt": 1} if classes == 7 else {}),
    }
    points = LANDMARKS if in_folders else LANDMARKS.round(2)
    eyes = points[36:42].mean(0), points[42:48].mean(0)
    five = np.concatenate([*eyes, points[30], points[48], points[54]])
    assert stills[0].landmarks == pytest.approx(five)


def test_affectnet_held_out_makes_the_official_validation_set_the_test_set(tmp_path) -> None:
    path = make_affectnet(tmp_path)
    _, _, stills = read("affectnet", path=str(path), held_out={"share": 0.5})
    assert [still.split for still in stills[-2:]] == [TEST, TEST]
    assert {still.split for still in stills[:-2]} <= {TRAIN, VAL}


def test_affectnet_without_header_and_without_landmarks(tmp_path) -> None:
    path = make_affectnet(tmp_path)
    lines = (path / "validation.csv").read_text().splitlines()[1:]
    start, _, rest = lines[0].partition("50,50,")
    lines[0] = f"{start}50,50,NULL,{rest.partition(',')[2]}"
    (path / "validation.csv").write_text("\n".join(lines) + "\n")
    reader, _, stills = read("affectnet", path=str(path))
    assert [EXPRESSIONS[still.label] for still in stills[-1:]] == ["anger"]
    assert reader.left_out["without 68 landmarks"] == 1


def test_affectnet_defects(tmp_path) -> None:
    path = make_affectnet(tmp_path / "csv")
    edit(path / "training.csv", 3, ",1,0.8", ",11,0.8")
    with pytest.raises(StillSetError, match=r"training\.csv, line 3: expression '11'"):
        read("affectnet", path=str(path))
    edit(path / "training.csv", 3, ",11,0.8", ",1,NaN")
    with pytest.raises(StillSetError, match=r"training\.csv, line 3: valence is 'NaN'"):
        read("affectnet", path=str(path))
    with pytest.raises(StillSetError, match=r"training\.csv .*is missing"):
        read("affectnet", path=str(tmp_path))
    path = make_affectnet(tmp_path / "npy", in_folders=True)
    value = path / "train_set/annotations/1_val.npy"
    np.save(value, np.array([object()], dtype=object), allow_pickle=True)
    with pytest.raises(StillSetError, match=r"1_val\.npy: cannot be read: .*allow_pickle"):
        read("affectnet", path=str(path))
    np.save(value, np.zeros(2))
    with pytest.raises(StillSetError, match=r"1_val\.npy: holds .*, not one number"):
        read("affectnet", path=str(path))
    value.unlink()
    with pytest.raises(StillSetError, match=r"1_val\.npy: cannot be read"):
        read("affectnet", path=str(path))
