"""Find videos and sound files in folders."""

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
    """Make a sample of split predict for each video below the folders, with its file's name.

    Args:
        folders: folders of the videos, searched recursively.
        sound: whether to include sound files.

    Raises:
        RequestError: a folder is missing, there is no video, or two have the same name.
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
    """Find media files below the folders, by name without suffix; hidden files are ignored.

    Raises:
        RequestError: a folder is missing or unreadable, there is no file, or two have the same
            name.
    """
    media: dict[str, Path] = {}
    for path in walk_files(folders):
        if path.suffix.lower() not in suffixes:
            continue
        other = media.setdefault(path.stem, path)
        if other.resolve() != path.resolve():
            raise RequestError(
                f"two videos are named {path.stem!r}: {other} and {path}; a sample has the name of "
                "its video, so rename one of them, or name fewer folders"
            )
    if not media:
        raise RequestError(f"{join_paths(folders)}: no video ({' '.join(sorted(suffixes))})")
    return media


def walk_files(folders: Sequence[Path]) -> Iterator[Path]:
    """Yield the files below the folders in a fixed order.

    A file among the folders is taken as it is. Hidden files and folders are skipped. Links are
    followed, but no folder is visited twice.

    Raises:
        RequestError: a folder is missing or cannot be listed.
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
    """Absolute path of a folder that must exist.

    Raises:
        RequestError: the path is not a folder.
    """
    if not folder.is_dir():
        raise RequestError(f"{folder} is not a folder: correct its path")
    return absolute_path(folder)


def join_paths(folders: Sequence[Path]) -> str:
    """Join paths for a message."""
    return ", ".join(map(str, folders))
