"""Find the samples in the data folder of the published training code: features without videos.

``targets/<set>_valid_targets.h5`` holds ``<video>/valence``, ``/arousal`` and ``/length``; for the
test set only ``length``. The sets are ``train``, ``val`` and ``test``. The means and deviations in
``features/mean_std_on_trn`` are not read: training computes its own on its training samples.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from circumplex.config.samples import Sample, Split
from circumplex.corpora.sheet import WHOLE_VIDEO, Corpus
from circumplex.errors import RequestError
from circumplex.io.atomic import write_text
from circumplex.io.hdf5 import find_object, open_hdf5, refuse_incomplete
from circumplex.targets import HEADER, TARGETS

SETS = (Split.TRAIN, Split.VAL, Split.TEST)


def find_published(root: Path, annotations: Path) -> Corpus:
    """Find the samples of the folder and write their annotations as Aff-Wild2's texts.

    Args:
        root: folder with ``features`` and ``targets``.
        annotations: folder to write ``<set>/<video>.txt`` into.

    Raises:
        RequestError: the folder has no targets, or a file has another layout.
    """
    samples = [sample for split in SETS for sample in _read_set(root, split, annotations)]
    if not samples:
        raise RequestError(
            f"{root}: no targets/<set>_valid_targets.h5, where <set> is train, val or test"
        )
    return Corpus(tuple(samples))


def _read_set(root: Path, split: Split, annotations: Path) -> Iterator[Sample]:
    path = root / "targets" / f"{split}_valid_targets.h5"
    if not path.is_file():
        return
    try:
        with open_hdf5(path) as file:
            for name in sorted(file):
                annotation = annotations / split / f"{name}.txt"
                columns = _read_targets(path, find_object(file, name))
                if columns:
                    rows = np.stack(columns, axis=1, dtype=np.float64).tolist()
                    lines = [f"{valence:.9g},{arousal:.9g}" for valence, arousal in rows]
                    write_text(annotation, "\n".join([HEADER, *lines]) + "\n")
                yield Sample(
                    sample=name,
                    video=None,
                    subject=WHOLE_VIDEO,
                    faces=None,
                    audio=None,
                    annotation=annotation if columns else None,
                    split=split,
                    group=re.sub(r"_(left|right)$", "", name),
                )
    except (OSError, ValueError, TypeError, LookupError, RuntimeError) as error:
        raise RequestError(f"{path} cannot be read: {error}") from error


def _read_targets(path: Path, group: Any) -> list[NDArray[Any]]:
    """Valence and arousal of a video, (frames,) each; empty where it has none."""
    if not isinstance(group, h5py.Group):
        return []
    found = [find_object(group, target) for target in TARGETS]
    if not all(isinstance(dataset, h5py.Dataset) for dataset in found):
        return []
    for dataset in found:
        refuse_incomplete(path, dataset)
    return [np.asarray(dataset) for dataset in found]
