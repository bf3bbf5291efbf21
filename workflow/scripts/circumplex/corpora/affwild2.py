"""Making the sample sheet: from Aff-Wild2 as its organisers hand it out, or from any videos.

Standard library and pydantic only, so that a sheet is made before anything heavy is installed.
"""

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
from circumplex.targets import HEADER

SPLIT_FOLDERS = {"trainset": Split.TRAIN, "validationset": Split.VAL}
"""Names of the annotation folders, their letters alone and in lower case."""
SIDES = ("left", "right")


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
    origins = _annotated(existing_folder(annotations))
    for name in _listed(test_list):
        _add(origins, name, Split.TEST, None)
    media = find_media(videos, VIDEO_SUFFIXES)
    crop_folders = [existing_folder(folder) for folder in crops]
    samples = []
    order = list(Split)
    for name in sorted(origins, key=lambda name: (order.index(origins[name][0]), name)):
        split, annotation = origins[name]
        base, side = _sides(name)
        stem, subject = (name, WHOLE_VIDEO) if name in media else (base, side)
        samples.append(
            Sample(
                sample=name,
                video=media.get(stem, existing_folder(videos[0]) / f"{stem}.mp4"),
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
            f"{join_paths(videos)}: no video belongs to any of the {len(samples)} samples; a "
            f"video is named like its sample, such as {samples[0].sample}.mp4"
        )
    without_crops = tuple(s.sample for s in samples if s.faces and not s.faces.is_dir())
    if crops and len(without_crops) == len(samples):
        raise RequestError(
            f"{join_paths(crops)}: no crops of any sample; give the folder that holds "
            f"{samples[0].sample}/00001.jpg"
        )
    sided = {s.video for s in samples if s.subject in SIDES}
    return Corpus(
        samples=tuple(samples),
        without_video=tuple(s.sample for s in samples if s.video not in found),
        without_crops=without_crops,
        beside_another=tuple(
            s.sample
            for s in samples
            if s.subject == WHOLE_VIDEO and s.video in sided and not s.faces
        ),
        unused_videos=len(found - used),
    )


def _annotated(annotations: Path) -> dict[str, tuple[Split, Path | None]]:
    """Split and annotation by sample."""
    texts: dict[Split, dict[Path, list[Path]]] = {}
    for path in walk_files([annotations]):
        split = SPLIT_FOLDERS.get(re.sub(r"[^a-z]", "", path.parent.name.lower()))
        if split is not None and path.suffix.lower() == ".txt":
            texts.setdefault(split, {}).setdefault(path.parent, []).append(path)
    origins: dict[str, tuple[Split, Path | None]] = {}
    for split, folders in texts.items():
        meant = [folder for folder in folders if any(map(_is_valence_arousal, folders[folder]))]
        if len(meant) > 1:
            raise RequestError(
                f"{len(meant)} folders hold annotations of split {split}: {join_paths(meant)}; "
                "name the one that is meant with --annotations"
            )
        for path in (path for folder in meant for path in folders[folder]):
            _add(origins, path.stem, split, path)
    if not origins:
        raise RequestError(
            f"{annotations}: no annotation: expected Train_Set/<sample>.txt or "
            f"Validation_Set/<sample>.txt, at any depth, that begin with {HEADER!r}"
        )
    return origins


def _is_valence_arousal(path: Path) -> bool:
    """Whether a text begins as this challenge's do; one that does not open fails in the run."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            header = file.readline(200)
    except OSError:
        return False
    return header.strip().lower().replace(" ", "") == HEADER


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
    return (base, side) if base and side in SIDES else (name, WHOLE_VIDEO)


def _crops_of(name: str, folders: Sequence[Path]) -> Path | None:
    found = [folder / name for folder in folders if (folder / name).is_dir()]
    if len(found) > 1:
        raise RequestError(f"two folders hold crops of sample {name!r}: {found[0]} and {found[1]}")
    return next(iter([*found, *(folder / name for folder in folders)]), None)
