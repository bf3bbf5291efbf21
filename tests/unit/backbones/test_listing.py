"""Listing a set: bad images named and counted, duplicates found, staleness by content."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from circumplex.backbones.listing import list_stills
from circumplex.backbones.sets.registry import make_reader
from circumplex.backbones.stills import EXPRESSIONS, SetDescription, Still, StillSplit, read_stills
from circumplex.errors import RequestError, StillSetError
from circumplex.io.digests import DigestCache
from circumplex.pipeline.still_sets import still_set_digest
from synthetic_stills import make_affectnet, make_ferplus, make_rafdb, pixels, write_image

TRAIN, VAL, TEST = StillSplit


class Made:
    """Rows as a reader gives them."""

    def __init__(self, root: Path, rows: list[Still], units: tuple[int, ...] = ()) -> None:
        self.left_out: Counter[str] = Counter(unwanted=2)
        self.description = SetDescription("made", "rafdb", str(root), EXPRESSIONS, units)
        self._rows = rows

    def describe(self, _: str) -> SetDescription:
        return self.description

    def stills(self) -> Iterator[Still]:
        yield from self._rows


def listed(reader: Made, path: Path, drop: bool = False, threads: int = 2):
    return list_stills(reader, reader.description, path, drop_duplicates=drop, threads=threads)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    for seed in range(6):
        write_image(folder / f"{seed}.png", seed)
    return folder


def rows(*named: tuple[int, StillSplit]) -> list[Still]:
    return [Still(f"{seed}.png", split, label=seed % 3) for seed, split in named]


@pytest.mark.parametrize("drop", [False, True])
def test_duplicates_over_splits(images: Path, tmp_path: Path, drop: bool) -> None:
    # The same pixels in another format, under another name.
    for copy, seed in (("a.bmp", 0), ("b.bmp", 1), ("c.bmp", 2)):
        assert cv2.imwrite(str(images / copy), pixels(seed))
    made = rows(*((seed, TRAIN) for seed in range(6)))
    made += [Still("a.bmp", TEST), Still("b.bmp", VAL), Still("c.bmp", TRAIN, label=2)]
    summary = listed(Made(images, made), tmp_path / "t.parquet", drop)
    duplicates = summary["duplicates"]
    assert duplicates["groups"] == 3
    assert duplicates["across_splits"] == 2
    assert duplicates["other_labels"] == 2, "the copies of 0 and 1 have no label"
    assert sorted(duplicates["named"]) == [
        ["train: 0.png", "test: a.bmp"],
        ["train: 1.png", "val: b.bmp"],
    ]
    assert duplicates["dropped"] == 2 * drop
    counts = {split: summary["splits"][split]["images"] for split in StillSplit}
    assert counts == {TRAIN: 7 - 2 * drop, VAL: 1, TEST: 1}
    kept = read_stills(tmp_path / "t.parquet", TRAIN)
    names = [kept.name(index) for index in range(len(kept))]
    assert ("made: 0.png" in names) is not drop
    assert "made: c.bmp" in names, "a copy within the training set stays"
    np.testing.assert_array_equal(kept.image(0)[:, :, 0], pixels(2 * drop))
    assert summary["left_out"] == {"unwanted": 2}


def test_dropped_rows_leave_images_in_the_table_intact(tmp_path: Path) -> None:
    def inline(seed: int) -> bytes:
        return bytes(cv2.imencode(".png", pixels(seed))[1])

    made = [Still(f"row {seed}", TRAIN, inline=inline(seed)) for seed in range(100)]
    made += [Still(f"copy {seed}", TEST, inline=inline(seed)) for seed in range(0, 100, 3)]
    listed(Made(tmp_path, made), tmp_path / "t.parquet", drop=True)
    train = read_stills(tmp_path / "t.parquet", TRAIN)
    expected = [seed for seed in range(100) if seed % 3]
    assert [train.name(k) for k in range(len(train))] == [f"made: row {s}" for s in expected]
    for index, seed in enumerate(expected):
        np.testing.assert_array_equal(train.image(index)[:, :, 0], pixels(seed))


def broken(path: Path, how: str) -> None:
    match how:
        case "missing":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("<html>404</html>")
        case "cut":
            path.write_bytes(path.read_bytes()[:-100])
        case "folder":
            path.unlink()
            path.mkdir()


def many(folder: Path, count: int) -> list[Still]:
    noise = cv2.imencode(".jpg", pixels(0))[1].tobytes()
    for number in range(count):
        (folder / f"{number}.jpg").write_bytes(noise)
    return [Still(f"{number}.jpg", TRAIN) for number in range(count)]


@pytest.mark.parametrize("how", ["missing", "empty", "text", "cut", "folder"])
def test_one_bad_image_in_a_hundred_is_named_and_skipped(tmp_path: Path, how: str, caplog) -> None:
    made = many(tmp_path, 100)
    broken(tmp_path / "42.jpg", how)
    summary = listed(Made(tmp_path, made), tmp_path / "t.parquet")
    assert summary["unusable"]["count"] == 1
    assert "42.jpg" in summary["unusable"]["named"][0]
    assert "42.jpg" in caplog.text
    stills = read_stills(tmp_path / "t.parquet")
    assert [stills.name(k) for k in range(41, 43)] == ["made: 41.jpg", "made: 43.jpg"]


def test_two_bad_images_in_a_hundred_are_an_error(tmp_path: Path) -> None:
    made = many(tmp_path, 100)
    broken(tmp_path / "3.jpg", "cut")
    broken(tmp_path / "4.jpg", "missing")
    with pytest.raises(StillSetError, match=r"2 of 100 images .*3\.jpg: .*4\.jpg"):
        listed(Made(tmp_path, made), tmp_path / "t.parquet")
    assert list(tmp_path.glob("*parquet*")) == []


def test_landmarks_in_one_point_are_no_landmarks(tmp_path: Path) -> None:
    made = many(tmp_path, 200)
    made[7] = Still("7.jpg", TRAIN, landmarks=(5.0,) * 10)
    summary = listed(Made(tmp_path, made), tmp_path / "t.parquet")
    assert summary["unusable"]["named"] == ["7.jpg: all landmarks are the same point"]


def test_random_damage_is_an_unusable_image_or_none(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    made = many(tmp_path, 40) + [Still(f"{k}.png", VAL) for k in range(40)]
    for number in range(40):
        write_image(tmp_path / f"{number}.png", number)
    for still in made:
        data = bytearray((tmp_path / still.image).read_bytes())
        for position in rng.integers(0, len(data), 3):
            data[position] = rng.integers(0, 256)
        (tmp_path / still.image).write_bytes(data[: rng.integers(1, len(data) + 1)])
    with pytest.raises(StillSetError, match="images cannot be used"):
        listed(Made(tmp_path, made), tmp_path / "t.parquet")


def test_a_set_without_images(tmp_path: Path) -> None:
    with pytest.raises(StillSetError, match="holds no image"):
        listed(Made(tmp_path, []), tmp_path / "t.parquet")


def test_the_table_is_the_same_for_any_threads(images: Path, tmp_path: Path) -> None:
    made = rows(
        *((seed % 6, SPLIT) for seed, SPLIT in zip(range(300), [*StillSplit] * 100, strict=True))
    )
    tables = []
    for threads in (1, 4):
        listed(Made(images, made), tmp_path / "t.parquet", threads=threads)
        tables.append((tmp_path / "t.parquet").read_bytes())
    assert tables[0] == tables[1]


def test_counts(images: Path, tmp_path: Path) -> None:
    nan = float("nan")
    made = [
        Still(
            "0.png", TRAIN, label=1, valence=0.5, arousal=0.1, subject="p", action_units=(1, nan)
        ),
        Still("1.png", TRAIN, label=-1, subject="q", action_units=(0, 3)),
        Still("2.png", VAL, label=1, subject="q", action_units=(nan, nan)),
    ]
    summary = listed(Made(images, made, units=(4, 26)), tmp_path / "t.parquet")
    assert summary["splits"]["train"] == {
        "images": 2,
        "classes": {"none": 1, "happiness": 1},
        "valence_and_arousal": 1,
        "action_units": {
            "AU04": {"coded": 2, "present": 1},
            "AU26": {"coded": 1, "present": 1},
        },
        "subjects": 2,
    }
    assert summary["splits"]["val"]["action_units"]["AU26"] == {"coded": 0, "present": 0}
    assert summary["subjects_in_several_splits"] == ["q"]


@pytest.mark.parametrize("kind", ["ferplus", "rafdb", "affectnet"])
def test_published_layouts_become_tables(tmp_path: Path, kind: str) -> None:
    make = {"ferplus": make_ferplus, "rafdb": make_rafdb, "affectnet": make_affectnet}[kind]
    reader = make_reader(kind, {"path": str(make(tmp_path / "set"))})
    description = reader.describe(kind)
    summary = list_stills(reader, description, tmp_path / "t.parquet", drop_duplicates=True)
    stills = read_stills(tmp_path / "t.parquet")
    assert stills.description == description
    assert len(stills) == sum(split["images"] for split in summary["splits"].values()) > 2
    assert all(stills.image(index).ndim == 3 for index in range(len(stills)))


def test_a_set_is_stale_by_content(tmp_path: Path) -> None:
    path = make_rafdb(tmp_path / "set")
    cache = DigestCache(tmp_path / "digests.json")
    options = {"kind": "rafdb", "path": str(path)}

    def digest() -> str:
        return still_set_digest("raf", options, cache)

    before = digest()
    label = path / "basic/EmoLabel/list_patition_label.txt"
    image = path / "basic/Image/aligned/train_00001_aligned.jpg"
    for touched in (label, image):
        os.utime(touched, (1, 1))
    assert digest() == before
    (tmp_path / "link").symlink_to(path)
    assert still_set_digest("raf", {**options, "path": str(tmp_path / "link")}, cache) == before

    text = label.read_text()
    label.write_text(text.replace("train_00001.jpg 5", "train_00001.jpg 4"))
    assert digest() != before, "of the same size"
    label.write_text(text)
    assert digest() == before
    data = image.read_bytes()
    image.write_bytes(data + b"x")
    assert digest() != before
    image.write_bytes(data)
    image.rename(image.with_name("train_00009_aligned.jpg"))
    assert digest() != before


def test_a_link_back_does_not_go_round(tmp_path: Path) -> None:
    path = make_rafdb(tmp_path / "set")
    (path / "basic/up").symlink_to(path)
    assert still_set_digest(
        "raf", {"kind": "rafdb", "path": str(path)}, DigestCache(tmp_path / "d.json")
    )


def test_a_set_that_is_not_there(tmp_path: Path) -> None:
    options = {"kind": "bp4d", "path": str(tmp_path), "images": str(tmp_path / "crops")}
    with pytest.raises(RequestError, match=r"still_sets\.au: images: no such file or folder"):
        still_set_digest("au", options, DigestCache(tmp_path / "d.json"))
