"""Find videos and sound files in a folder."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from circumplex.config.samples import Sample, Split
from circumplex.corpora.sheet import WHOLE_VIDEO, Corpus, absolute_path
from circumplex.errors import RequestError

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4"}
    | {".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"}
)
SOUND_SUFFIXES = frozenset({".aac", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav"})


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
            Sample(name, media[name], WHOLE_VIDEO, None, None, None, Split.PREDICT, group=name)
            for name in sorted(media)
        )
    )


def find_media(folders: Sequence[Path], suffixes: frozenset[str]) -> dict[str, Path]:
    """Media files below the folders by their name without suffix; hidden files are left out.

    Raises:
        RequestError: a missing or unreadable folder, no file, or two of one name.
    """
    found: dict[str, Path] = {}
    for path in walk_files(folders):
        if path.suffix.lower() not in suffixes:
            continue
        other = found.setdefault(path.stem, path)
        if other.resolve() != path.resolve():
            raise RequestError(
                f"two videos are named {path.stem!r}: {other} and {path}; a sample is named like "
                "its video, so rename one, or name only the folders that are meant"
            )
    if not found:
        raise RequestError(f"{join_paths(folders)}: no video ({' '.join(sorted(suffixes))})")
    return found


def walk_files(folders: Sequence[Path]) -> Iterator[Path]:
    """Files below the folders in a fixed order, without hidden ones; links are followed once.

    A file among the folders is taken as it is.
    """

    def refuse(error: OSError) -> None:
        raise RequestError(f"{error.filename}: the folder cannot be listed: {error.strerror}")

    visited: set[Path] = set()
    for path in folders:
        if path.is_file():
            yield absolute_path(path)
            continue
        root = existing_folder(path)
        for name, below, files in os.walk(root, followlinks=True, onerror=refuse):
            folder = Path(name)
            if folder.resolve() in visited:
                below.clear()
                continue
            visited.add(folder.resolve())
            below[:] = sorted(name for name in below if not name.startswith("."))
            yield from (folder / name for name in sorted(files) if not name.startswith("."))


def existing_folder(folder: Path) -> Path:
    """The absolute path of a folder.

    Raises:
        RequestError: it is no folder.
    """
    if not folder.is_dir():
        raise RequestError(f"{folder} is not a folder: correct its path")
    return absolute_path(folder)


def join_paths(folders: Sequence[Path]) -> str:
    """Paths as a message lists them."""
    return ", ".join(map(str, folders))
