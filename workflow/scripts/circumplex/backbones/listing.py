"""The table of a set of stills, made: every image opened once, duplicates found, counts kept."""

import hashlib
import io
import logging
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from circumplex.backbones.sets.base import StillReader
from circumplex.backbones.stills import (
    DIGEST_BYTES,
    EXPRESSIONS,
    NO_LABEL,
    SetDescription,
    Still,
    StillSplit,
    read_stills,
    write_stills,
)
from circumplex.errors import StillSetError
from circumplex.faces.similarity import ARCFACE_TEMPLATE, similarity
from circumplex.io.atomic import replacing

logger = logging.getLogger(__name__)
MOST_NAMED = 20
LARGEST_SHARE = 0.01
"""Of images that cannot be used: above it something is wrong with the set, not with the images."""
RANK = {StillSplit.TRAIN: 0, StillSplit.VAL: 1, StillSplit.TEST: 2}
WAITING = 64  # images opened ahead of the one to be written, a thread


@dataclass
class Unusable:
    """Images that were skipped, as the set was read.

    Attributes:
        count: number of them.
        named: the first of them, with what is wrong.
    """

    count: int = 0
    named: list[str] = field(default_factory=list)

    def add(self, problem: str) -> None:
        """Count an image; warn of the first ones."""
        self.count += 1
        if self.count <= MOST_NAMED:
            self.named.append(problem)
            logger.warning("skipped: %s", problem)


def list_stills(
    reader: StillReader,
    description: SetDescription,
    path: Path,
    *,
    drop_duplicates: bool,
    threads: int = 1,
) -> dict[str, Any]:
    """Write a set's table, atomically.

    Args:
        reader: reader of the set.
        description: from the reader, with the digests filled in.
        path: path of the table.
        drop_duplicates: of images that are in several splits, keep those of the test set, else
            those of the validation set.
        threads: that open images.

    Returns:
        What is in the table and what is not: counts by split, class, action unit and reason.

    Raises:
        StillSetError: the set is not as published, holds no image, or more than one in a hundred
            cannot be used.
    """
    unusable = Unusable()
    with replacing(path) as temporary:
        listed = write_stills(
            temporary, description, _check(reader.stills(), description.root, threads, unusable)
        )
        total = listed + unusable.count
        if unusable.count > LARGEST_SHARE * total:
            named = "; ".join(unusable.named[:5])
            raise StillSetError(
                f"{description.name}: {unusable.count} of {total} images cannot be used: {named}"
            )
        if not listed:
            raise StillSetError(f"{description.name}: holds no image; left out: {reader.left_out}")
        duplicates, less = _duplicates(temporary)
        if drop_duplicates and less.any():
            _drop(temporary, less)
        duplicates["dropped"] = int(less.sum()) if drop_duplicates else 0
    left_out = {reason: count for reason, count in sorted(reader.left_out.items()) if count}
    return {
        "splits": {split.value: _summary(path, split) for split in StillSplit},
        "left_out": left_out,
        "unusable": {"count": unusable.count, "named": unusable.named},
        "duplicates": duplicates,
        "subjects_in_several_splits": _shared_people(path),
    }


def _check(stills: Iterable[Still], root: str, threads: int, unusable: Unusable) -> Iterator[Still]:
    """The rows whose images can be used, in order; a few are opened ahead by threads."""
    waiting: deque[tuple[Still, Future[bytes]]] = deque()

    def oldest() -> Iterator[Still]:
        still, future = waiting.popleft()
        try:
            yield replace(still, digest=future.result())
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            unusable.add(f"{still.image}: {error}")

    with ThreadPoolExecutor(threads) as pool:
        for still in stills:
            waiting.append((still, pool.submit(_digest, still, root)))
            if len(waiting) >= WAITING * threads:
                yield from oldest()
        while waiting:
            yield from oldest()


def _digest(still: Still, root: str) -> bytes:
    """Digest of an image's pixels.

    Read by Pillow, which refuses a file that is cut short; OpenCV fills what is missing with grey.
    """
    encoded = Path(root, still.image).read_bytes() if still.inline is None else still.inline
    with Image.open(io.BytesIO(encoded)) as image:
        pixels = np.asarray(image.convert("RGB"))
    if still.landmarks is not None:
        similarity(np.reshape(still.landmarks, (5, 2)), ARCFACE_TEMPLATE)
    state = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=DIGEST_BYTES)
    state.update(pixels.tobytes())
    return state.digest()


def _duplicates(path: Path) -> tuple[dict[str, Any], NDArray[np.bool_]]:
    """Describe equal images, and find those that are in a stricter split too: test before val."""
    table = pq.read_table(path, columns=["digest", "split", "image", "label"])
    column = table["digest"].combine_chunks()
    digests = np.frombuffer(column.buffers()[1], np.dtype(f"V{DIGEST_BYTES}"))[: len(column)]
    splits = table["split"].combine_chunks().dictionary_encode()
    codes = splits.indices.to_numpy(zero_copy_only=False)
    names = splits.dictionary.to_pylist()
    labels = table["label"].to_numpy()
    _, group, sizes = np.unique(digests, return_inverse=True, return_counts=True)
    less = np.zeros(len(column), bool)
    described: dict[str, Any] = {"groups": int((sizes > 1).sum()), "across_splits": 0, "named": []}
    described["other_labels"] = 0
    members = np.flatnonzero(sizes[group] > 1)
    members = members[np.argsort(group[members], kind="stable")]
    for rows in np.split(members, np.flatnonzero(np.diff(group[members])) + 1):
        if not len(rows):
            continue
        found = {names[code] for code in codes[rows]}
        described["other_labels"] += len(set(labels[rows])) > 1
        if len(found) > 1:
            described["across_splits"] += 1
            ranks = np.array([RANK[names[code]] for code in codes[rows]])
            less[rows] = ranks < ranks.max()
            if len(described["named"]) < MOST_NAMED:
                images = table["image"].take(pa.array(rows[:MOST_NAMED])).to_pylist()
                described["named"].append(
                    [f"{names[code]}: {i}" for code, i in zip(codes[rows], images, strict=False)]
                )
    return described, less


def _drop(path: Path, rows: NDArray[np.bool_]) -> None:
    """Write a table anew without some rows, a row group at a time."""
    with replacing(path) as temporary, pq.ParquetFile(path) as file:
        start = 0
        with pq.ParquetWriter(
            temporary, file.schema_arrow, compression="zstd", use_dictionary=["split", "subject"]
        ) as writer:
            for number in range(file.num_row_groups):
                group = file.read_row_group(number)
                kept = ~rows[start : start + len(group)]
                start += len(group)
                if kept.any():
                    writer.write_table(group.filter(pa.array(kept)))


def _summary(path: Path, split: StillSplit) -> dict[str, Any]:
    stills = read_stills(path, split)
    counts = Counter(stills.labels.tolist())
    units, present = stills.action_units, stills.present(stills.description.action_units)
    return {
        "images": len(stills),
        "classes": {
            EXPRESSIONS[label] if label != NO_LABEL else "none": count
            for label, count in sorted(counts.items())
        },
        "valence_and_arousal": int((~np.isnan(stills.valence + stills.arousal)).sum()),
        "action_units": {
            f"AU{unit:02d}": {
                "coded": int((~np.isnan(units[:, column])).sum()),
                "present": int(np.nansum(present[:, column])),
            }
            for column, unit in enumerate(stills.description.action_units)
        },
        "subjects": len(_people(path, split)),
    }


def _shared_people(path: Path) -> list[str]:
    splits = Counter(person for split in StillSplit for person in _people(path, split))
    return sorted(person for person, count in splits.items() if count > 1)[:MOST_NAMED]


def _people(path: Path, split: StillSplit) -> set[str]:
    chosen = pc.field("split") == split.value
    table = pq.read_table(path, columns=["subject"], filters=chosen)
    return set(pc.unique(table["subject"]).to_pylist()) - {""}
