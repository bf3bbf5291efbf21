"""Find videos and sound files in folders."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from circumplex.config.samples import MAX_NAME, MAX_NAME_BYTES, Sample, Split
from circumplex.corpora.sheet import WHOLE_VIDEO, Corpus, absolute_path
from circumplex.errors import ModalityAbsent, RequestError, SampleError

KEPT_BYTES = 100
"""Of a name that is too long, before the digest of the path."""
MOST_NAMED = 20
"""Files that a message names."""

VIDEO_SUFFIXES = frozenset(
    {".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".m2t", ".m2ts"}
    | {".m2v", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogm", ".ogv"}
    | {".qt", ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv"}
)
SOUND_SUFFIXES = frozenset({".aac", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav"})
OTHER_SUFFIXES = frozenset(
    {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
    | {".csv", ".json", ".md", ".pdf", ".srt", ".tsv", ".txt", ".vtt", ".xml", ".yaml", ".yml"}
    | {".h5", ".hdf5", ".npy", ".npz", ".parquet", ".7z", ".gz", ".rar", ".tar", ".zip"}
)
"""Of files that are no video and need not be opened to see that."""
NO_FILM = frozenset({"concat", "hls", "image2", "ssa", "tty"})
"""Formats, by FFmpeg's name, that hold pictures, texts or lists of files."""
HIDDEN = "hidden"
NO_VIDEO = "no video"
SOUND = "sound without picture, which --sound takes"
SAME_FILE = "the same file as another one"
BROKEN_LINK = "link to nothing, or to itself"
VISITED = "link to a folder that is searched already"
RESULTS = "folder of results"
UNWRITABLE = "path with a tab or line break, or not UTF-8, which a sheet cannot hold: rename it"
Skip = Callable[[Path, str], None]
"""Is handed each file and folder that is left out, with the reason."""


def find_videos(
    folders: Sequence[Path], *, sound: bool = False, results: Path | None = None
) -> Corpus:
    """Make a sample of split predict for each video below the folders.

    A file of unknown suffix, or without one, is opened to see whether it is a video. What is left
    out is in the corpus with the reason, as are the names that are not the files' own.

    Args:
        folders: folders of the videos, searched recursively.
        sound: whether to include sound files.
        results: folder of results, which is not searched: it may hold copies of videos.

    Raises:
        RequestError: a folder is missing, or there is no video.
    """
    skipped: dict[str, list[Path]] = {}

    def skip(path: Path, reason: str) -> None:
        skipped.setdefault(reason, []).append(path)

    found: dict[Path, Path] = {}
    for path in walk_files(folders, skip, results):
        reason = _reason_against(path, sound)
        if reason is None and found.setdefault(path.resolve(), path) != path:
            reason = SAME_FILE
        if reason is not None:
            skip(path, reason)
    if not found:
        raise RequestError(_describe_nothing(folders, skipped))
    names = name_samples(list(found.values()))
    return Corpus(
        tuple(
            Sample(name, names[name], WHOLE_VIDEO, None, None, None, Split.PREDICT, group=name)
            for name in sorted(names)
        ),
        renamed={name: path for name, path in names.items() if name != path.stem},
        skipped={reason: tuple(paths) for reason, paths in skipped.items()},
    )


def _describe_nothing(folders: Sequence[Path], skipped: Mapping[str, Sequence[Path]]) -> str:
    """Say that there is no video, what there is, and what takes sound."""
    said = f"{join_paths(folders)}: no video"
    if sounds := skipped.get(SOUND):
        count = f"{len(sounds)} sound file{'' if len(sounds) == 1 else 's'}"
        return f"{said}, but {count} without picture, such as {sounds[0]}: add --sound to take them"
    seen = "; ".join(f"{reason}: {join_paths(p[:MOST_NAMED])}" for reason, p in skipped.items())
    return f"{said} ({seen})" if seen else said


def _reason_against(path: Path, sound: bool) -> str | None:
    """Why a file is no sample; none for a video, or for sound that is asked for."""
    suffix = path.suffix.lower()
    if not path.exists():
        return BROKEN_LINK
    if re.search(r"[\t\r\n\udc80-\udcff]", str(path)):
        return UNWRITABLE
    if suffix in SOUND_SUFFIXES:
        return None if sound else SOUND
    if suffix in VIDEO_SUFFIXES or (suffix not in OTHER_SUFFIXES and is_film(path)):
        return None
    return NO_VIDEO


def is_film(path: Path) -> bool:
    """Whether a file opens as moving pictures."""
    # PyAV is not asked of those whose files have the suffixes of videos.
    from circumplex.media.streams import select_stream
    from circumplex.media.video import open_media

    try:
        with open_media(path) as container:
            formats = container.format.name.split(",")
            select_stream(container, path, "video")
            return not any(name in NO_FILM or name.endswith("_pipe") for name in formats)
    except (SampleError, ModalityAbsent, OSError):
        return False


def name_samples(paths: Sequence[Path]) -> dict[str, Path]:
    """Name videos by their files, those of one name by their folders too.

    ``S01/clip.mp4`` and ``S02/clip.mp4`` become ``S01-clip`` and ``S02-clip``; two files of one
    folder that differ by the suffix alone keep it. A name that a sheet does not allow is changed.

    Args:
        paths: absolute, each once.
    """
    beside = Counter((path.parent, path.stem) for path in paths)
    depths = dict.fromkeys(paths, 0)
    while True:
        names: dict[str, list[Path]] = {}
        for path, depth in depths.items():
            own = path.stem if beside[path.parent, path.stem] == 1 else path.name
            folders = path.parent.parts[1:]
            parts = [*folders[max(len(folders) - depth, 0) :], own]
            if depth > len(folders):  # a-b/c and a/b-c
                parts.append(_digest(path))
            names.setdefault(_usable("-".join(parts), path), []).append(path)
        shared = [path for several in names.values() if len(several) > 1 for path in several]
        if not shared:
            return {name: path for name, (path,) in names.items()}
        for path in shared:
            depths[path] += 1


def _usable(name: str, path: Path) -> str:
    """A name that a sheet allows; a long one ends in a digest of the path."""
    allowed = re.sub(r"[/\\\x00-\x1f\x7f]", "_", name)
    allowed = re.sub(r"^\.", "_", allowed)
    if len(allowed) <= MAX_NAME and len(allowed.encode()) <= MAX_NAME_BYTES:
        return allowed
    kept = allowed.encode()[:KEPT_BYTES].decode(errors="ignore")
    return f"{kept}-{_digest(path)}"


def _digest(path: Path) -> str:
    return sha256(str(path).encode()).hexdigest()[:8]


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


def walk_files(
    folders: Sequence[Path],
    skip: Skip = lambda _path, _reason: None,
    results: Path | None = None,
) -> Iterator[Path]:
    """Yield the files below the folders in a fixed order.

    A file among the folders is taken as it is. Hidden files and folders are skipped. Links are
    followed, but no folder is visited twice.

    Args:
        folders: folders, or files.
        skip: is handed what is hidden, and links to folders that are searched already.
        results: folder that is not searched.

    Raises:
        RequestError: a folder is missing or cannot be listed.
    """

    def refuse(error: OSError) -> None:
        raise RequestError(f"{error.filename}: the folder cannot be listed: {error.strerror}")

    def shown(folder: Path, names: Sequence[str]) -> list[str]:
        for name in names:
            if name.startswith("."):
                skip(folder / name, HIDDEN)
        return sorted(name for name in names if not name.startswith("."))

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
                skip(folder, VISITED)
                continue
            if results is not None and folder.resolve() == results.resolve():
                below.clear()
                skip(folder, RESULTS)
                continue
            visited.add(folder.resolve())
            below[:] = shown(folder, below)
            yield from (folder / name for name in shown(folder, files))


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
