"""Making the sample sheet: from Aff-Wild2 as its organisers hand it out, or from any videos.

Standard library and jsonschema only, so that a sheet is made before anything heavy is installed.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from circumplex.errors import RequestError
from circumplex.files import replacing
from circumplex.samples import Sample, Split, read_samples

COLUMNS = ("sample", "video", "subject", "faces", "audio", "annotation", "split", "group")
VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4"}
    | {".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"}
)
SOUND_SUFFIXES = frozenset({".aac", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav"})
SPLIT_FOLDERS = {"trainset": Split.TRAIN, "validationset": Split.VAL}
"""Names of the annotation folders, their letters alone and in lower case."""
ANNOTATION_HEADER = "valence,arousal"
WHOLE = "largest"
SIDES = ("left", "right")


@dataclass(frozen=True)
class Corpus:
    """What was found.

    Attributes:
        samples: in the sheet's order: by split, then by name.
        without_video: samples whose video is not there; their path is where it was expected.
        without_crops: the same for the folder of crops.
        beside_another: samples without side in their name, whose faces are to be detected in a
            video that also has a sample of a side: the largest face may be the other's.
        unused_videos: number of videos that belong to no sample.
    """

    samples: tuple[Sample, ...]
    without_video: tuple[str, ...] = ()
    without_crops: tuple[str, ...] = ()
    beside_another: tuple[str, ...] = ()
    unused_videos: int = 0

    @property
    def counts(self) -> dict[Split, int]:
        """Samples a split, for the splits that have any."""
        found = Counter(sample.split for sample in self.samples)
        return {split: found[split] for split in Split if found[split]}


def find_affwild2(
    videos: Sequence[Path],
    annotations: Path,
    crops: Sequence[Path] = (),
    test_list: Path | None = None,
) -> Corpus:
    """Samples of the valence-arousal challenge in Aff-Wild2's layout.

    A sample is an annotation text below ``Train_Set`` or ``Validation_Set``, or a line of the test
    list. Its video is the one of its name; else ``<video>_left`` and ``<video>_right`` are the two
    persons of ``<video>``. Samples of one video share a group.

    Args:
        videos: folders of the videos, with any folders below.
        annotations: folder that holds the split folders at any depth; those without any text
            that begins with ``valence,arousal`` are another challenge's, and left out.
        crops: folders that hold ``<sample>/00001.jpg``; none: faces are to be detected.
        test_list: text with the name of a test sample a line.

    Raises:
        RequestError: a missing folder, no annotation, no video or no crops at all, two folders
            of a split, a sample of two splits, two videos or two folders of crops of one name.
    """
    origins = _annotated(_folder(annotations))
    for name in _listed(test_list):
        _add(origins, name, Split.TEST, None)
    media = find_media(videos, VIDEO_SUFFIXES)
    crop_folders = [_folder(folder) for folder in crops]
    samples = []
    order = list(Split)
    for name in sorted(origins, key=lambda name: (order.index(origins[name][0]), name)):
        split, annotation = origins[name]
        base, side = _sides(name)
        stem, subject = (name, WHOLE) if name in media else (base, side)
        samples.append(
            Sample(
                sample=name,
                video=media.get(stem, _folder(videos[0]) / f"{stem}.mp4"),
                subject=subject,
                faces=_crops_of(name, crop_folders),
                audio=None,
                annotation=annotation,
                split=split,
                group=base,
            )
        )
    found = set(media.values())
    used = {s.video for s in samples} & found
    if not used:
        raise RequestError(
            f"{_joined(videos)}: no video belongs to any of the {len(samples)} samples; a video is "
            f"named like its sample, such as {samples[0].sample}.mp4"
        )
    without_crops = tuple(s.sample for s in samples if s.faces and not s.faces.is_dir())
    if crops and len(without_crops) == len(samples):
        raise RequestError(
            f"{_joined(crops)}: no crops of any sample; give the folder that holds "
            f"{samples[0].sample}/00001.jpg"
        )
    sided = {s.video for s in samples if s.subject in SIDES}
    return Corpus(
        samples=tuple(samples),
        without_video=tuple(s.sample for s in samples if s.video not in found),
        without_crops=without_crops,
        beside_another=tuple(
            s.sample for s in samples if s.subject == WHOLE and s.video in sided and not s.faces
        ),
        unused_videos=len(found - used),
    )


def find_videos(folders: Sequence[Path], *, sound: bool = False) -> Corpus:
    """A sample of split predict for each video below the folders, named like its file.

    Args:
        folders: of the videos, with any folders below.
        sound: take files of sound without picture too.

    Raises:
        RequestError: a missing folder, no video, or two of one name.
    """
    suffixes = VIDEO_SUFFIXES | SOUND_SUFFIXES if sound else VIDEO_SUFFIXES
    media = find_media(folders, suffixes)
    return Corpus(
        tuple(
            Sample(name, media[name], WHOLE, None, None, None, Split.PREDICT, group=name)
            for name in sorted(media)
        )
    )


def find_media(folders: Sequence[Path], suffixes: frozenset[str]) -> dict[str, Path]:
    """Media files below the folders by their name without suffix; hidden files are left out.

    Raises:
        RequestError: a missing or unreadable folder, no file, or two of one name.
    """
    found: dict[str, Path] = {}
    for path in _walk(folders):
        if path.suffix.lower() not in suffixes:
            continue
        other = found.setdefault(path.stem, path)
        if other.resolve() != path.resolve():
            raise RequestError(
                f"two videos are named {path.stem!r}: {other} and {path}; a sample is named like "
                "its video, so rename one, or name only the folders that are meant"
            )
    if not found:
        raise RequestError(f"{_joined(folders)}: no video ({' '.join(sorted(suffixes))})")
    return found


def write_sheet(samples: Iterable[Sample], sheet: Path, *, force: bool = False) -> None:
    """Write the sample sheet, atomically, and read it back.

    Paths are written relative to the sheet, unless they share nothing with it but the root.

    Args:
        samples: rows, in order.
        sheet: file to write; its folder is made where it is missing.
        force: replace a sheet that is there.

    Raises:
        RequestError: the sheet exists, a name or path that a sheet cannot hold.
    """
    if os.path.lexists(sheet) and not force:
        raise RequestError(f"{sheet} exists: name another file, or replace it with --force")
    with replacing(sheet) as temporary:
        folder = _absolute(sheet.parent)
        rows = [COLUMNS, *(_cells(sample, folder) for sample in samples)]
        temporary.write_bytes(b"".join(map(_line, rows)))
        try:
            read_samples(temporary)
        except RequestError as error:
            raise RequestError(str(error).replace(str(temporary), str(sheet))) from error


def _annotated(annotations: Path) -> dict[str, tuple[Split, Path | None]]:
    """Split and annotation by sample."""
    texts: dict[Split, dict[Path, list[Path]]] = {}
    for path in _walk([annotations]):
        split = SPLIT_FOLDERS.get(re.sub(r"[^a-z]", "", path.parent.name.lower()))
        if split is not None and path.suffix.lower() == ".txt":
            texts.setdefault(split, {}).setdefault(path.parent, []).append(path)
    origins: dict[str, tuple[Split, Path | None]] = {}
    for split, folders in texts.items():
        meant = [folder for folder in folders if any(map(_is_valence_arousal, folders[folder]))]
        if len(meant) > 1:
            raise RequestError(
                f"{len(meant)} folders hold annotations of split {split}: {_joined(meant)}; "
                "name the one that is meant with --annotations"
            )
        for path in (path for folder in meant for path in folders[folder]):
            _add(origins, path.stem, split, path)
    if not origins:
        raise RequestError(
            f"{annotations}: no annotation: expected Train_Set/<sample>.txt or "
            f"Validation_Set/<sample>.txt, at any depth, that begin with {ANNOTATION_HEADER!r}"
        )
    return origins


def _is_valence_arousal(path: Path) -> bool:
    """Whether a text begins as this challenge's do; one that does not open fails in the run."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            header = file.readline(200)
    except OSError:
        return False
    return header.strip().lower().replace(" ", "") == ANNOTATION_HEADER


def _listed(test_list: Path | None) -> list[str]:
    if test_list is None:
        return []
    try:
        lines = test_list.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"test list {test_list} cannot be read: {error}") from error
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise RequestError(f"test list {test_list} is empty: write the name of a sample a line")
    for name in names:
        if re.search(r"[/\\,\t]", name):
            raise RequestError(
                f"test list {test_list}: {name[:60]!r} is no sample's name; write one a line, "
                "without folder, suffix or other columns"
            )
    return names


def _add(
    origins: dict[str, tuple[Split, Path | None]], name: str, split: Split, path: Path | None
) -> None:
    if name in origins:
        raise RequestError(
            f"sample {name!r} is in split {origins[name][0]} and again in split {split}; "
            "a sample belongs to one split, once"
        )
    origins[name] = (split, path)


def _sides(name: str) -> tuple[str, str]:
    """``<video>_left`` is the left person of ``<video>``."""
    base, _, side = name.rpartition("_")
    return (base, side) if base and side in SIDES else (name, WHOLE)


def _crops_of(name: str, folders: Sequence[Path]) -> Path | None:
    found = [folder / name for folder in folders if (folder / name).is_dir()]
    if len(found) > 1:
        raise RequestError(f"two folders hold crops of sample {name!r}: {found[0]} and {found[1]}")
    return next(iter([*found, *(folder / name for folder in folders)]), None)


def _walk(folders: Sequence[Path]) -> Iterator[Path]:
    """Files below the folders in a fixed order, without hidden ones; links are followed once."""

    def refuse(error: OSError) -> None:
        raise RequestError(f"{error.filename}: the folder cannot be listed: {error.strerror}")

    visited: set[Path] = set()
    for root in map(_folder, folders):
        for name, below, files in os.walk(root, followlinks=True, onerror=refuse):
            folder = Path(name)
            if folder.resolve() in visited:
                below.clear()
                continue
            visited.add(folder.resolve())
            below[:] = sorted(name for name in below if not name.startswith("."))
            yield from (folder / name for name in sorted(files) if not name.startswith("."))


def _folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise RequestError(f"{folder} is not a folder: correct its path")
    return _absolute(folder)


def _absolute(path: Path) -> Path:
    """Without ``..``, whose meaning after a link depends on who reads it."""
    return path.resolve() if ".." in path.parts else path.absolute()


def _cells(sample: Sample, folder: Path) -> tuple[str, ...]:
    def cell(path: Path | None) -> str:
        if path is None:
            return ""
        if path.is_relative_to(folder):
            return str(path.relative_to(folder))
        # Upwards only from the real folder: the system resolves links before it goes up.
        relative = Path(os.path.relpath(path, folder.resolve()))
        reaches_root = relative.parts.count("..") >= len(folder.resolve().parts) - 1
        return str(path if reaches_root else relative)

    return (
        sample.sample,
        cell(sample.video),
        sample.subject,
        cell(sample.faces),
        cell(sample.audio),
        cell(sample.annotation),
        sample.split,
        sample.group,
    )


def _line(cells: Sequence[str]) -> bytes:
    for cell in cells:
        if re.search(r"[\t\r\n]", cell):
            raise RequestError(f"{cell!r} has a tab or line break, which a sheet cannot hold")
    try:
        return ("\t".join(cells) + "\n").encode()
    except UnicodeEncodeError as error:
        raise RequestError(f"{error.object!r} is not UTF-8, rename it") from error


def _joined(folders: Sequence[Path]) -> str:
    return ", ".join(map(str, folders))
