"""Write sample sheets."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from circumplex.config.samples import Sample, Split, read_samples
from circumplex.errors import RequestError
from circumplex.io.atomic import replacing

COLUMNS = ("sample", "video", "subject", "faces", "audio", "annotation", "split", "group")
FURTHER_COLUMNS = (
    *("annotation_valence", "annotation_arousal", "annotation_format"),
    *("valence", "arousal", "emotion", "image_rate"),
)
"""Columns that a sheet has only where a sample of it does not have their default."""
WHOLE_VIDEO = "largest"
"""Subject of a sample that is not one side of its video."""


@dataclass(frozen=True)
class Corpus:
    """Samples of a corpus, and what is missing or doubtful.

    Attributes:
        samples: samples in the sheet's order: by split, then by name.
        without_video: samples whose video is missing; their path is where it was expected.
        without_crops: samples whose folder of crops is missing.
        beside_another: samples without a side in their name whose faces are to be detected in a
            video that also has a left or right sample: the largest face may be the other person's.
        unused_videos: number of videos that belong to no sample.
        renamed: video by name, of samples whose name is not their video's.
        skipped: by reason, files and folders that are left out.
    """

    samples: tuple[Sample, ...]
    without_video: tuple[str, ...] = ()
    without_crops: tuple[str, ...] = ()
    beside_another: tuple[str, ...] = ()
    unused_videos: int = 0
    renamed: Mapping[str, Path] = field(default_factory=dict)
    skipped: Mapping[str, Sequence[Path]] = field(default_factory=dict)

    @property
    def counts(self) -> dict[Split, int]:
        """Samples per split, without the splits that have none."""
        counts = Counter(sample.split for sample in self.samples)
        return {split: counts[split] for split in Split if counts[split]}


def write_sheet(samples: Iterable[Sample], sheet: Path, *, force: bool = False) -> None:
    """Write the sample sheet, atomically, and read it back.

    Paths are written relative to the sheet, unless they only share the root folder with it.

    Args:
        samples: samples in the order of the rows.
        sheet: file to write; its folder is created if it is missing.
        force: whether to replace an existing sheet.

    Raises:
        RequestError: the sheet exists, or a name or path cannot be written in a sheet.
    """
    if os.path.lexists(sheet) and not force:
        raise RequestError(f"{sheet} exists: name another file, or replace it with --force")
    with replacing(sheet) as temporary:
        folder = absolute_path(sheet.parent)
        listed = list(samples)
        further = [column for column in FURTHER_COLUMNS if any(_has(s, column) for s in listed)]
        rows = [(*COLUMNS, *further), *(_cells(sample, folder, further) for sample in listed)]
        temporary.write_bytes(b"".join(map(_line, rows)))
        try:
            read_samples(temporary)
        except RequestError as error:
            raise RequestError(str(error).replace(str(temporary), str(sheet))) from error


def absolute_path(path: Path) -> Path:
    """Absolute path without ``..``, whose meaning after a symbolic link is ambiguous."""
    return path.resolve() if ".." in path.parts else path.absolute()


def _has(sample: Sample, column: str) -> bool:
    """Whether a sample has another value than the default in a column."""
    default = next(field.default for field in fields(Sample) if field.name == column)
    return bool(getattr(sample, column) != default)


def _cells(sample: Sample, folder: Path, further: Sequence[str]) -> tuple[str, ...]:
    def cell(path: Path | None) -> str:
        if path is None:
            return ""
        if path.is_relative_to(folder):
            return str(path.relative_to(folder))
        # Relative to the resolved folder: the system resolves links before it applies `..`.
        relative = Path(os.path.relpath(path, folder.resolve()))
        reaches_root = relative.parts.count("..") >= len(folder.resolve().parts) - 1
        return str(path if reaches_root else relative)

    def further_cell(column: str) -> str:
        value = getattr(sample, column)
        if isinstance(value, Path):
            return cell(value)
        return str(value) if _has(sample, column) else ""

    return (
        sample.sample,
        cell(sample.video),
        sample.subject,
        cell(sample.faces),
        cell(sample.audio),
        cell(sample.annotation),
        sample.split,
        sample.group,
        *(further_cell(column) for column in further),
    )


def _line(cells: Sequence[str]) -> bytes:
    for cell in cells:
        if re.search(r"[\t\r\n]", cell):
            raise RequestError(
                f"{cell!r} has a tab or line break, which a sheet cannot hold: rename it"
            )
    try:
        return ("\t".join(cells) + "\n").encode()
    except UnicodeEncodeError as error:
        raise RequestError(f"{error.object!r} is not UTF-8: rename it") from error
