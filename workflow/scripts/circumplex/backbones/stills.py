"""The table of a set of still images: one row an image, Parquet, images decoded on access.

What backbones are trained on. Rows hold labels and where the image is, so that a million images
never sit in memory. An image is a file below the set's root, or encoded bytes in the table itself
(FER+ comes as pixels in a csv). Columns (``votes`` and ``action_units`` only where the set has
classes or action units):

=============== ============================== =====================================================
``image``       string                         name: path below the root, or of the row it came from
``inline``      binary, null                   encoded image where there is no file
``split``       string                         train, val or test
``digest``      fixed-size binary of 16        of the decoded pixels: equal for exact duplicates
``label``       int8                           index in `EXPRESSIONS`; -1 none
``votes``       list of float32, null          distribution over the set's classes; sums to 1
``valence``     float32                        in [-1, 1]; NaN none
``arousal``     float32                        in [-1, 1]; NaN none
``action_units`` list of float32               intensity, or 0 and 1; NaN where the set lacks it
``landmarks``   list of 10 float32, null       five points, px, as `faces.similarity` takes them;
                                               null where the image is an aligned crop already
``subject``     string                         person; empty where the set names none
=============== ============================== =====================================================
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from circumplex.config.still_sets import Target
from circumplex.errors import RequestError, SampleError
from circumplex.io.atomic import replacing
from circumplex.io.parquet import METADATA_KEY, describe_all, to_numpy

EXPRESSIONS = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
)
"""The order of FER+, and of the DenseNet's classifier. Sets of seven classes lack the last one."""
PAPER_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 15, 17, 20, 24, 26)
"""Action units of the paper's private set (section 3.2.1)."""
DESCRIPTIONS: Mapping[str, str] = {
    "image": "path below the set's root, or name of the row that holds it",
    "inline": "encoded image where there is no file",
    "split": "train, val or test",
    "digest": "digest of the decoded pixels: equal for exact duplicates",
    "label": "index of the expression; -1 without one",
    "votes": "distribution over the set's classes; sums to 1",
    "valence": "valence in [-1, 1]; NaN without one",
    "arousal": "arousal in [-1, 1]; NaN without one",
    "action_units": "intensity, or 0 and 1; NaN where the set lacks the unit",
    "landmarks": "five x, y pairs in pixels; null where the image is an aligned crop",
    "subject": "person; empty where the set names none",
}
"""What the columns of the table hold."""
NO_LABEL = -1
DIGEST_BYTES = 16
LANDMARK_VALUES = 10
ROWS_PER_GROUP = 4096
# An image is read with its row group: small groups where the images are in the table.
INLINE_ROWS_PER_GROUP = 32


class StillSplit(StrEnum):
    """What the images of a row are for."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


@dataclass(frozen=True)
class SetDescription:
    """What a table says of its set.

    Attributes:
        name: name of the set, as the config calls it.
        kind: kind of the reader.
        root: folder below which the images are; empty where all are in the table.
        classes: names of the set's expression classes, the first ones of `EXPRESSIONS`; empty
            where it has none.
        action_units: numbers of the set's action units; empty where it has none.
        present_from: least value of an action unit that counts as present.
        target: what its expressions are meant to be trained on.
        licence: what the user must know before use.
        code: digest of the code that made the table.
        input: digest of what it was made from.
    """

    name: str
    kind: str
    root: str = ""
    classes: tuple[str, ...] = ()
    action_units: tuple[int, ...] = ()
    present_from: float = 1.0
    target: Target = Target.MAJORITY
    licence: str = ""
    code: str = ""
    input: str = ""

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> "SetDescription":
        """Of a table's metadata."""
        lists = {key: tuple(values[key]) for key in ("classes", "action_units")}
        return cls(**{**values, **lists, "target": Target(values["target"])})


@dataclass(frozen=True, slots=True)
class Still:
    """A row; see the module's table. ``digest`` is filled in when the image is checked."""

    image: str
    split: StillSplit
    inline: bytes | None = None
    label: int = NO_LABEL
    votes: tuple[float, ...] | None = None
    valence: float = float("nan")
    arousal: float = float("nan")
    action_units: tuple[float, ...] = ()
    landmarks: tuple[float, ...] | None = None
    subject: str = ""
    digest: bytes = field(default=bytes(DIGEST_BYTES), compare=False)


def still_schema(description: SetDescription) -> pa.Schema:
    """Schema of a set's table, with its description as metadata."""
    encoded = json.dumps(asdict(description), sort_keys=True, ensure_ascii=False).encode()
    fields = [
        pa.field("image", pa.string(), nullable=False),
        pa.field("inline", pa.binary()),
        pa.field("split", pa.string(), nullable=False),
        pa.field("digest", pa.binary(DIGEST_BYTES), nullable=False),
        pa.field("label", pa.int8(), nullable=False),
        pa.field("votes", pa.list_(pa.float32(), len(description.classes))),
        pa.field("valence", pa.float32(), nullable=False),
        pa.field("arousal", pa.float32(), nullable=False),
        pa.field(
            "action_units",
            pa.list_(pa.float32(), len(description.action_units)),
            nullable=False,
        ),
        pa.field("landmarks", pa.list_(pa.float32(), LANDMARK_VALUES)),
        pa.field("subject", pa.string(), nullable=False),
    ]
    # Parquet has no lists of no values.
    lengths = {"votes": len(description.classes), "action_units": len(description.action_units)}
    kept = [column for column in fields if lengths.get(column.name, 1)]
    return describe_all(pa.schema(kept, metadata={METADATA_KEY: encoded}), DESCRIPTIONS)


def write_stills(path: Path, description: SetDescription, stills: Iterable[Still]) -> int:
    """Write a table as its rows come, atomically; `still_digest` must be in each row.

    Returns:
        Its number of rows.
    """
    schema = still_schema(description)
    rows = 0
    with (
        replacing(path) as temporary,
        pq.ParquetWriter(
            temporary, schema, compression="zstd", use_dictionary=["split", "subject"]
        ) as writer,
    ):
        pending: list[Still] = []

        def end_group() -> None:
            columns = [
                pa.array([getattr(still, name) for still in pending], type=schema.field(name).type)
                for name in schema.names
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            pending.clear()

        for still in stills:
            pending.append(still)
            rows += 1
            inline = still.inline is not None
            if len(pending) >= (INLINE_ROWS_PER_GROUP if inline else ROWS_PER_GROUP):
                end_group()
        if pending or not rows:
            end_group()
    return rows


def decode_image(encoded: bytes, name: str) -> NDArray[np.uint8]:
    """An encoded image as RGB (height, width, 3).

    Raises:
        SampleError: it is no image, or cut short.
    """
    try:
        buffer = np.frombuffer(encoded, np.uint8)
        decoded = cv2.imdecode(buffer, cv2.IMREAD_COLOR_RGB) if len(buffer) else None
    except cv2.error as error:
        raise SampleError(f"{name}: cannot be decoded: {error.err}") from error
    if decoded is None:
        raise SampleError(f"{name}: is no image, or a broken one")
    return np.asarray(decoded, np.uint8)


@dataclass(frozen=True, eq=False)
class Stills:
    """A table of stills, or one split of it. Columns are read when first asked for, images never.

    Attributes:
        path: path of the table.
        split: only its rows; none for all of them.
        description: description of the set.
        rows: positions of this split's rows in the table, ascending.
    """

    path: Path
    split: StillSplit | None
    description: SetDescription
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def labels(self) -> NDArray[np.int8]:
        """Index in `EXPRESSIONS` of each image, or `NO_LABEL`."""
        return self._column("label", np.int8)

    @cached_property
    def votes(self) -> NDArray[np.float32]:
        """(rows, classes): distributions; NaN in rows that have none."""
        return self._lists("votes", len(self.description.classes))

    @cached_property
    def valence(self) -> NDArray[np.float32]:
        """In [-1, 1], NaN where there is none."""
        return self._column("valence", np.float32)

    @cached_property
    def arousal(self) -> NDArray[np.float32]:
        """In [-1, 1], NaN where there is none."""
        return self._column("arousal", np.float32)

    @cached_property
    def action_units(self) -> NDArray[np.float32]:
        """(rows, action units of the set), NaN where unknown."""
        return self._lists("action_units", len(self.description.action_units))

    @cached_property
    def subjects(self) -> list[str]:
        """Person of each image; empty where the set names none."""
        return list(self._texts("subject").to_pylist())

    def units(self, wanted: Sequence[int] = PAPER_UNITS) -> NDArray[np.float32]:
        """(rows, wanted): action units by number, NaN where the set or the image lacks one."""
        own = {unit: column for column, unit in enumerate(self.description.action_units)}
        found = np.full((len(self), len(wanted)), np.nan, np.float32)
        for column, unit in enumerate(wanted):
            if unit in own:
                found[:, column] = self.action_units[:, own[unit]]
        return found

    def present(self, wanted: Sequence[int] = PAPER_UNITS) -> NDArray[np.float32]:
        """The same as 1 and 0: present or not; NaN stays."""
        units = self.units(wanted)
        return np.where(np.isnan(units), units, units >= self.description.present_from)

    def name(self, index: int) -> str:
        """Of an image, as messages call it."""
        return f"{self.description.name}: {self._names[index].as_py()}"

    def image(self, index: int) -> NDArray[np.uint8]:
        """An image, decoded: RGB (height, width, 3).

        Raises:
            SampleError: it is missing or cannot be decoded.
        """
        encoded = self._inline(index) if self._has_inline else None
        if encoded is None:
            path = Path(self.description.root, self._names[index].as_py())
            try:
                encoded = path.read_bytes()
            except OSError as error:
                raise SampleError(f"{self.name(index)}: {error.strerror}: {path}") from error
        return decode_image(encoded, self.name(index))

    def landmarks(self, index: int) -> NDArray[np.float32] | None:
        """Five points (5, 2) in pixels of the image, or none where it is an aligned crop."""
        points = self._landmarks[index]
        return None if np.isnan(points[0]) else points.reshape(5, 2)

    @cached_property
    def _names(self) -> pa.Array:
        return self._texts("image")

    @cached_property
    def _landmarks(self) -> NDArray[np.float32]:
        return self._lists("landmarks", LANDMARK_VALUES)

    @cached_property
    def _has_inline(self) -> bool:
        metadata = self._file.metadata
        column = self._file.schema_arrow.names.index("inline")
        chunks = (metadata.row_group(g).column(column) for g in range(metadata.num_row_groups))
        return any(chunk.statistics is None or chunk.statistics.num_values for chunk in chunks)

    def _inline(self, index: int) -> bytes | None:
        row = int(self.rows[index])
        group = int(np.searchsorted(self._group_starts, row, side="right")) - 1
        column = self._file.read_row_group(group, columns=["inline"], use_threads=False)["inline"]
        value: bytes | None = column[row - int(self._group_starts[group])].as_py()
        return value

    @cached_property
    def _group_starts(self) -> NDArray[np.int64]:
        metadata = self._file.metadata
        counts = [metadata.row_group(g).num_rows for g in range(metadata.num_row_groups)]
        return np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)

    @cached_property
    def _file(self) -> pq.ParquetFile:
        return pq.ParquetFile(self.path, memory_map=True)

    def _pieces(self, name: str) -> Iterator[tuple[slice, pa.Array]]:
        """A column by row group, and which of this split's rows each piece is.

        Piece by piece, since a column takes several times its size while Parquet decodes it.
        """
        ends = np.searchsorted(self.rows, [*self._group_starts[1:], self._file.metadata.num_rows])
        first = 0
        for group, (start, end) in enumerate(zip(self._group_starts, ends, strict=True)):
            if end > first:
                # Without threads: a loader's worker is forked, which a pool does not survive.
                read = self._file.read_row_group(group, columns=[name], use_threads=False)
                chosen = pa.array(self.rows[first:end] - start)
                yield slice(first, int(end)), read[name].take(chosen).combine_chunks()
            first = int(end)

    def _texts(self, name: str) -> pa.Array:
        pieces = [piece for _, piece in self._pieces(name)]
        return pa.concat_arrays(pieces) if pieces else pa.array([], pa.string())

    def _column(self, name: str, kind: type[np.generic]) -> NDArray[Any]:
        column = np.empty(len(self), kind)
        for rows, piece in self._pieces(name):
            column[rows] = to_numpy(piece)
        return column

    def _lists(self, name: str, length: int) -> NDArray[np.float32]:
        matrix = np.full((len(self), length), np.nan, np.float32)
        for rows, piece in self._pieces(name) if length else ():
            known = ~np.asarray(piece.is_null())
            matrix[rows][known] = to_numpy(piece.drop_null())
        return matrix

    def __getstate__(self) -> dict[str, Any]:
        # A worker that is spawned opens the file itself.
        return {name: value for name, value in self.__dict__.items() if name != "_file"}


def read_stills(path: str | os.PathLike[str], split: StillSplit | str | None = None) -> Stills:
    """Open a table of stills; all of it, or one split.

    Raises:
        RequestError: it is no such table.
    """
    path = Path(path)
    chosen = None if split is None else StillSplit(split)
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            metadata = json.loads(file.schema_arrow.metadata[METADATA_KEY])
            description = SetDescription.parse(metadata)
            pieces = [
                _select_rows(piece["split"], chosen)
                for piece in file.iter_batches(columns=["split"], use_threads=False)
            ]
    except (OSError, pa.ArrowInvalid, TypeError, KeyError, ValueError) as error:
        raise RequestError(f"{path} is no table of stills: {error}") from error
    mask = np.concatenate(pieces) if pieces else np.empty(0, bool)
    rows = np.flatnonzero(mask).astype(np.int64)
    return Stills(path, chosen, description, rows)


def _select_rows(splits: pa.Array, chosen: StillSplit | None) -> NDArray[np.bool_]:
    if chosen is None:
        return np.ones(len(splits), bool)
    return np.asarray(pc.equal(splits, chosen.value).to_numpy(zero_copy_only=False), bool)
