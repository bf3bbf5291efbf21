"""Make samples of two folders, of videos and of annotations, in splits that divide no group."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from circumplex.config.samples import Sample, Split
from circumplex.corpora.sheet import Corpus
from circumplex.corpora.videos import existing_folder, find_videos, join_paths, walk_files
from circumplex.errors import RequestError
from circumplex.targets import TARGETS

SPLITS = (Split.TRAIN, Split.VAL, Split.TEST)
UNANNOTATED = "video without annotation"
UNUSED = "annotation without video"
SEVERAL_VIDEOS = "annotation of several videos of its name: put it into a folder as its video is in"
SEVERAL_ANNOTATIONS = "video with several annotations"
BOTH = "annotation"
"""Column of the sheet for a file of both targets."""
NO_GROUP = "path in which --group finds nothing"
NO_EMOTION = "path in which --emotion finds nothing"


@dataclass(frozen=True)
class Division:
    """How samples are divided into splits.

    Attributes:
        shares: of the samples, for train, val and test; they sum to 1.
        seed: of the order in which groups are dealt out.
    """

    shares: tuple[float, float, float]
    seed: int = 0


def find_pairs(
    videos: Sequence[Path],
    annotations: Sequence[Path] = (),
    *,
    division: Division,
    group: str | None = None,
    emotion: str | None = None,
    layout: str | None = None,
    sound: bool = False,
) -> Corpus:
    """Make a sample of each video that has an annotation, or an emotion in its path.

    An annotation belongs to the video of its name without suffix, in a folder of the same name
    where several videos share that name. What is left out is in the corpus with the reason. Samples
    are named as `find_videos` names them.

    Args:
        videos: folders of videos, searched recursively.
        annotations: folders of annotations, searched recursively; none with ``emotion``.
        division: into splits.
        group: regular expression for the group of a video, such as its speaker; searched in its
            path below the folder, without suffix. What its first parenthesis holds counts, or else
            all that it matches. Without it each video is a group.
        emotion: likewise for the emotion of a clip.
        layout: of the annotations; by default the sheet's.
        sound: whether to include sound files.

    Raises:
        RequestError: a folder is missing, no sample is found, an expression is none, or there are
            fewer groups than splits.
    """
    if bool(annotations) == (emotion is not None):
        raise RequestError("give either a folder of annotations or an expression for emotions")
    corpus = find_groups(videos, group, sound=sound)
    skipped = {reason: list(paths) for reason, paths in corpus.skipped.items()}
    places = _find_places(corpus, videos)
    if emotion is None:
        samples = _annotate(corpus.samples, places, annotations, skipped)
        if layout is not None:
            samples = [replace(sample, annotation_format=layout) for sample in samples]
    else:
        emotions = _search("--emotion", emotion, places)
        known = [s for s in corpus.samples if s.sample in emotions]
        samples = [replace(s, emotion=emotions[s.sample]) for s in known]
        _skip(skipped, NO_EMOTION, [s for s in corpus.samples if s.sample not in emotions])
    kept = _keep(corpus, samples, skipped, videos)
    splits = divide_groups([sample.group for sample in kept.samples], division)
    placed = [replace(sample, split=splits[sample.group]) for sample in kept.samples]
    placed.sort(key=lambda sample: (SPLITS.index(sample.split), sample.sample))
    return replace(kept, samples=tuple(placed))


def find_groups(videos: Sequence[Path], group: str | None, *, sound: bool = False) -> Corpus:
    """Find videos as `find_videos` does, in groups by an expression.

    Args:
        videos: folders of videos, searched recursively.
        group: see `find_pairs`.
        sound: whether to include sound files.

    Raises:
        RequestError: a folder is missing, there is no video, or the expression finds nothing.
    """
    corpus = find_videos(videos, sound=sound)
    if group is None:
        return corpus
    groups = _search("--group", group, _find_places(corpus, videos))
    skipped = {reason: list(paths) for reason, paths in corpus.skipped.items()}
    _skip(skipped, NO_GROUP, [s for s in corpus.samples if s.sample not in groups])
    known = [s for s in corpus.samples if s.sample in groups]
    return _keep(corpus, [replace(s, group=groups[s.sample]) for s in known], skipped, videos)


def _keep(
    corpus: Corpus,
    samples: Sequence[Sample],
    skipped: Mapping[str, Sequence[Path]],
    videos: Sequence[Path],
) -> Corpus:
    """A corpus of some of the samples; refuses to keep none."""
    reasons = {reason: tuple(sorted(paths)) for reason, paths in skipped.items() if paths}
    if not samples:
        counts = "; ".join(f"{reason}: {len(paths)}" for reason, paths in reasons.items())
        raise RequestError(f"{join_paths(videos)}: no sample is left ({counts})")
    renamed = {s.sample: corpus.renamed[s.sample] for s in samples if s.sample in corpus.renamed}
    return Corpus(tuple(samples), renamed=renamed, skipped=reasons)


def _find_places(corpus: Corpus, folders: Sequence[Path]) -> dict[str, str]:
    """Path of each sample's video below its folder, without suffix."""
    return {s.sample: _place(s.video, folders) for s in corpus.samples if s.video is not None}


def divide_groups(groups: Sequence[str], division: Division) -> dict[str, Split]:
    """Deal groups out to splits, each to the one that lacks most samples.

    Args:
        groups: group of each sample.
        division: shares and seed.

    Raises:
        RequestError: there are fewer groups than splits with a share.
    """
    sizes = Counter(groups)
    wanted = {
        split: share * len(groups)
        for split, share in zip(SPLITS, division.shares, strict=True)
        if share > 0
    }
    if len(sizes) < len(wanted):
        raise RequestError(
            f"{len(sizes)} groups cannot be divided into {len(wanted)} splits, since groups are "
            "never split: give fewer shares in --split, such as 0.8,0,0.2, or another --group"
        )
    lacking = dict(wanted)
    splits: dict[str, Split] = {}
    order = sorted(sizes, key=lambda group: sha256(f"{division.seed}/{group}".encode()).digest())
    for number, group in enumerate(order):
        empty = [split for split in wanted if split not in splits.values()]
        # The last groups go to splits that have none yet.
        choice = empty if len(empty) == len(order) - number else [*wanted]
        splits[group] = max(choice, key=lambda split: lacking[split])
        lacking[splits[group]] -= sizes[group]
    return splits


def _place(video: Path, folders: Sequence[Path]) -> str:
    """Path of a video below its folder, without suffix; its name if the video itself is given."""
    for folder in folders:
        if folder.is_dir() and video.is_relative_to(root := existing_folder(folder)):
            return video.relative_to(root).with_suffix("").as_posix()
    return video.stem


def _search(option: str, pattern: str, places: Mapping[str, str]) -> dict[str, str]:
    """What an expression finds in the path of each sample; samples where it finds nothing lack."""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise RequestError(f"{option} {pattern!r} is no regular expression: {error}") from error
    found = {name: expression.search(place) for name, place in places.items()}
    number = 1 if expression.groups else 0
    return {name: match[number] for name, match in found.items() if match and match[number]}


def _skip(skipped: dict[str, list[Path]], reason: str, samples: Sequence[Sample]) -> None:
    skipped.setdefault(reason, []).extend(s.video for s in samples if s.video is not None)


def _annotate(
    samples: Sequence[Sample],
    places: Mapping[str, str],
    folders: Sequence[Path],
    skipped: dict[str, list[Path]],
) -> list[Sample]:
    """The samples that have one annotation, or one of each target; the others are skipped."""
    found: dict[str, list[tuple[str, Path]]] = {}
    by_place: dict[str, list[str]] = {}
    for sample in samples:
        place = places[sample.sample]
        for key in {place, Path(place).name}:
            by_place.setdefault(key, []).append(sample.sample)
    videos = {sample.video for sample in samples}
    for path, place, column in _walk_annotations(folders, skipped):
        if path in videos:
            continue  # both lie in one folder
        owners = by_place.get(place) or by_place.get(path.stem, [])
        if len(owners) == 1:
            found.setdefault(owners[0], []).append((column, path))
        else:
            reason = SEVERAL_VIDEOS if owners else UNUSED
            skipped.setdefault(reason, []).append(path)
    clear = {sample for sample, files in found.items() if _is_clear(files)}
    several = [s for s in samples if s.sample in found.keys() - clear]
    _skip(skipped, UNANNOTATED, [s for s in samples if s.sample not in found])
    _skip(skipped, SEVERAL_ANNOTATIONS, several)
    columns: dict[str, dict[str, Any]] = {sample: dict(found[sample]) for sample in clear}
    return [replace(s, **columns[s.sample]) for s in samples if s.sample in clear]


def _is_clear(files: Sequence[tuple[str, Path]]) -> bool:
    """Whether a video has one file for both targets, or at most one for each."""
    columns = [column for column, _ in files]
    return len(columns) == len(set(columns)) and (columns == [BOTH] or BOTH not in columns)


def _walk_annotations(
    folders: Sequence[Path], skipped: dict[str, list[Path]]
) -> Iterator[tuple[Path, str, str]]:
    """Files below the folders, each with its place and the column of the sheet that it goes into.

    The place is its path below its folder, without suffix. A folder named ``valence`` or
    ``arousal`` says that its files are of that target, and is no part of the place.
    """

    def skip(path: Path, reason: str) -> None:
        skipped.setdefault(reason, []).append(path)

    for folder in folders:
        root = existing_folder(folder)
        for path in walk_files([root], skip):
            if path.name.endswith("~"):
                continue  # data beside a header, or an editor's copy
            *parents, name = path.relative_to(root).with_suffix("").parts
            targets = [part for part in (root.name, *parents) if part.casefold() in TARGETS]
            place = Path(*(part for part in parents if part not in targets), name).as_posix()
            yield path, place, f"annotation_{targets[-1].casefold()}" if targets else BOTH
