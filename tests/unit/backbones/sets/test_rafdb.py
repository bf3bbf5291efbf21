from pathlib import Path

import pytest

from circumplex.backbones.sets.registry import make_reader
from circumplex.backbones.stills import EXPRESSIONS, StillSplit
from circumplex.errors import StillSetError
from synthetic_stills import (
    make_rafdb,
)

TRAIN, VAL, TEST = StillSplit


def read(kind: str, **options):
    reader = make_reader(kind, options)
    return reader, reader.describe("made"), list(reader.stills())


@pytest.mark.parametrize("below", ["", "basic"])
def test_rafdb(tmp_path, below) -> None:
    path = make_rafdb(tmp_path) / below
    _, description, stills = read("rafdb", path=str(path))
    assert len(description.classes) == 7
    assert [EXPRESSIONS[still.label] for still in stills] == [
        *("sadness", "neutral", "surprise", "happiness", "fear"),
    ]
    assert [still.split for still in stills] == [TRAIN] * 3 + [TEST] * 2
    assert all((Path(description.root) / still.image).is_file() for still in stills)


@pytest.mark.parametrize(
    "line", ["train_00001.jpg 8", "train_00001.jpg", "x_1.jpg 1", "train_1.jpg 1 2"]
)
def test_rafdb_defects(tmp_path, line) -> None:
    path = make_rafdb(tmp_path)
    label = path / "basic/EmoLabel/list_patition_label.txt"
    label.write_text(label.read_text() + line + "\n")
    with pytest.raises(StillSetError, match=r"list_patition_label\.txt, line 6: "):
        read("rafdb", path=str(path))


def test_rafdb_names_come_once(tmp_path) -> None:
    path = make_rafdb(tmp_path)
    label = path / "basic/EmoLabel/list_patition_label.txt"
    label.write_text(label.read_text() + "test_0002.jpg 3\n")
    with pytest.raises(StillSetError, match=r"line 6: .*twice"):
        read("rafdb", path=str(path))
