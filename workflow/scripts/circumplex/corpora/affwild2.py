"""Find the samples of Aff-Wild2 in the layout that its organisers distribute."""

import re
from collections.abc import Sequence
from pathlib import Path

from circumplex.config.samples import Sample, Split
from circumplex.corpora.sheet import WHOLE_VIDEO, Corpus
from circumplex.corpora.videos import (
    VIDEO_SUFFIXES,
    existing_folder,
    find_media,
    join_paths,
    walk_files,
)
from circumplex.errors import RequestError
from circumplex.io.sample_lists import read_sample_list
from circumplex.targets import HEADER

SPLIT_FOLDERS = {"trainset": Split.TRAIN, "validationset": Split.VAL}
"""Split by the name of the annotation folder, reduced to its letters in lower case."""
SIDES = ("left", "right")


def find_affwild2(
    videos: Sequence[Path],
    annotations: Path,
    crops: Sequence[Path] = (),
    test_list: Path | None = None,
) -> Corpus:
    """Find the samples of the valence-arousal challenge in Aff-Wild2's layout.

    A sample is an annotation text below ``Train_Set`` or ``Validation_Set``, or a line of the test
    list. Its video has the sample's name; otherwise ``<video>_left`` and ``<video>_right`` are the
    two persons of ``<video>``. Samples of one video share a group.

    Args:
        videos: folders of the videos, searched recursively.
        annotations: folder that holds the split folders at any depth; folders without any text
            that begins with ``valence,arousal`` belong to another challenge and are ignored.
        crops: folders that hold ``<sample>/00001.jpg``; none if faces are to be detected.
        test_list: the organisers' list, which names a test sample or an image of one per line.

    Raises:
        RequestError: a folder is missing; there are no annotations, no videos or no crops at all;
            a split has two folders, a sample two splits, or two videos or two folders of crops
            have the same name.
    """
    origins = _find_annotations(existing_folder(annotations))
    for name in _read_names(test_list):
        _add(origins, name, Split.TEST, None)
    media = find_media(videos, VIDEO_SUFFIXES)
    samples = _make_samples(origins, media, existing_folder(videos[0]), crops)
    existing = set(media.values())
    used = {s.video for s in samples} & existing
    if not used:
        raise RequestError(
            f"{join_paths(videos)}: no video belongs to any of the {len(samples)} samples; a "
            f"video has the name of its sample, such as {samples[0].sample}.mp4"
        )
    without_crops = tuple(s.sample for s in samples if s.faces and not s.faces.is_dir())
    if crops and len(without_crops) == len(samples):
        raise RequestError(
            f"{join_paths(crops)}: no crops of any sample; name the folder that holds "
            f"{samples[0].sample}/00001.jpg"
        )
    sided = {s.video for s in samples if s.subject in SIDES}
    return Corpus(
        samples=tuple(samples),
        without_video=tuple(s.sample for s in samples if s.video not in existing),
        without_crops=without_crops,
        beside_another=tuple(
            s.sample
            for s in samples
            if s.subject == WHOLE_VIDEO and s.video in sided and not s.faces
        ),
        unused_videos=len(existing - used),
    )


def _make_samples(
    origins: dict[str, tuple[Split, Path | None]],
    media: dict[str, Path],
    default_folder: Path,
    crops: Sequence[Path],
) -> list[Sample]:
    """The samples in the sheet's order; a missing video is expected in the default folder."""
    crop_folders = [existing_folder(folder) for folder in crops]
    order = list(Split)
    samples = []
    for name in sorted(origins, key=lambda name: (order.index(origins[name][0]), name)):
        split, annotation = origins[name]
        base, side = _split_side(name)
        stem, subject = (name, WHOLE_VIDEO) if name in media else (base, side)
        samples.append(
            Sample(
                sample=name,
                video=media.get(stem, default_folder / f"{stem}.mp4"),
                subject=subject,
                faces=_find_crops(name, crop_folders),
                audio=None,
                annotation=annotation,
                split=split,
                group=base,
            )
        )
    return samples


def _find_annotations(annotations: Path) -> dict[str, tuple[Split, Path | None]]:
    """Split and annotation by sample."""
    texts: dict[Split, dict[Path, list[Path]]] = {}
    for path in walk_files([annotations]):
        split = SPLIT_FOLDERS.get(re.sub(r"[^a-z]", "", path.parent.name.lower()))
        if split is not None and path.suffix.lower() == ".txt":
            texts.setdefault(split, {}).setdefault(path.parent, []).append(path)
    origins: dict[str, tuple[Split, Path | None]] = {}
    for split, folders in texts.items():
        own = [folder for folder in folders if any(map(_is_valence_arousal, folders[folder]))]
        if len(own) > 1:
            raise RequestError(
                f"{len(own)} folders hold annotations of split {split}: {join_paths(own)}; "
                "choose one of them with --annotations"
            )
        for path in (path for folder in own for path in folders[folder]):
            _add(origins, path.stem, split, path)
    if not origins:
        raise RequestError(
            f"{annotations}: no annotation: expected Train_Set/<sample>.txt or "
            f"Validation_Set/<sample>.txt, at any depth, beginning with {HEADER!r}"
        )
    return origins


def _is_valence_arousal(path: Path) -> bool:
    """Whether a text has this challenge's header; an unreadable text fails its sample later."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            header = file.readline(200)
    except OSError:
        return False
    return header.strip().lower().replace(" ", "") == HEADER


def _read_names(test_list: Path | None) -> list[str]:
    """Samples of the organisers' list, which names samples, their videos or all their images."""
    if test_list is None:
        return []
    try:
        names = list(read_sample_list(test_list, VIDEO_SUFFIXES | {".txt"}))
    except OSError as error:
        raise RequestError(f"list {test_list} cannot be read: {error}") from error
    for name in names:
        if re.search(r"[/\\\t]", name):
            raise RequestError(
                f"list {test_list}: {name[:60]!r} is not the name of a sample; write the name of a "
                "sample or of an image, <sample>/00001.jpg, on each line"
            )
    return names


def _add(
    origins: dict[str, tuple[Split, Path | None]], name: str, split: Split, path: Path | None
) -> None:
    if name in origins:
        raise RequestError(
            f"sample {name!r} is in split {origins[name][0]} and again in split {split}; "
            "a sample belongs to exactly one split"
        )
    origins[name] = (split, path)


def _split_side(name: str) -> tuple[str, str]:
    """Video and subject of a sample: ``<video>_left`` is the left person of ``<video>``."""
    base, _, side = name.rpartition("_")
    return (base, side) if base and side in SIDES else (name, WHOLE_VIDEO)


def _find_crops(name: str, folders: Sequence[Path]) -> Path | None:
    paths = [folder / name for folder in folders if (folder / name).is_dir()]
    if len(paths) > 1:
        raise RequestError(
            f"two folders hold crops of sample {name!r}: {paths[0]} and {paths[1]}; remove one"
        )
    return next(iter([*paths, *(folder / name for folder in folders)]), None)
