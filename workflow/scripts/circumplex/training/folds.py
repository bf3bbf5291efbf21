"""Folds over training and validation samples: groups never split, balanced, stable.

A sample that is added should change only where it lands. No pure function of the *set* of samples
can do that and balance too: if adding one never moves another, a sample's fold depends on that
sample alone, which is drawing by hash, and with few groups leaves folds empty. So the fold of a
sample depends on the samples *before* it in the sheet: a row appended moves nothing. Where rows
are inserted or taken away, the former assignment can be given and is kept.
"""

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from circumplex.ccc import find_annotated
from circumplex.errors import RequestError

BINS = 5
"""Bins per target over [-1, 1] by which label distributions are balanced."""


def count_labels(annotation: NDArray[np.floating]) -> NDArray[np.float64]:
    """Count frames per bin of valence, then of arousal.

    Args:
        annotation: (frames, 2), NaN where a target is not annotated.

    Returns:
        (2 * BINS,) counts.
    """
    valid = find_annotated(annotation)
    counts = [
        np.histogram(values[known], bins=BINS, range=(-1, 1))[0]
        for values, known in zip(annotation.T, valid.T, strict=True)
    ]
    return np.concatenate(counts).astype(np.float64)


def make_folds(
    groups: Mapping[str, str],
    frames: Mapping[str, int],
    labels: Mapping[str, NDArray[np.float64]],
    k: int,
    seed: int,
    previous: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Assign samples to folds.

    In the sheet's order, a sample joins its group's fold; the first of a group goes to the fold
    that so far holds the fewest of such frames: of frames at all, and of frames in the label bins
    that it fills. A fold without any group comes first; ties are drawn from the seed.

    Args:
        groups: group of each sample, in the order of the sheet.
        frames: by sample.
        labels: by sample, `count_labels` or other counts, all of one length.
        k: number of folds.
        seed: draws ties, so another seed gives other folds.
        previous: an earlier assignment to keep; samples it names that are gone are ignored.

    Returns:
        fold (from 0) of each sample.

    Raises:
        RequestError: more folds than groups, fewer than two folds, or a previous assignment that
            splits a group or has other folds.
    """
    distinct = len(set(groups.values()))
    if k < 2:
        raise RequestError(f"{k} folds: cross-validation needs at least 2")
    if k > distinct:
        raise RequestError(
            f"{k} folds but only {distinct} groups, and a group is never split: "
            f"ask for at most {distinct} folds or give more samples"
        )
    of_group = _keep_folds(groups, previous or {}, k)
    vectors = {s: np.concatenate([[float(frames[s])], labels[s]]) for s in groups}
    size = len(next(iter(vectors.values())))
    # Frames weigh as much as all label bins together.
    weight = np.array([1.0, *([1 / max(size - 1, 1)] * (size - 1))])
    load = np.zeros((k, size))
    occupied = set(of_group.values())
    ordered = sorted(groups, key=lambda s: groups[s] not in of_group)
    for sample in ordered:
        group, vector = groups[sample], vectors[sample]
        if group not in of_group:
            total = np.maximum(load.sum(axis=0) + vector, 1e-12)
            cost = load @ (weight * vector / total**2)
            of_group[group] = min(
                range(k), key=lambda f: (f in occupied, cost[f], _draw(seed, group, f))
            )
            occupied.add(of_group[group])
        load[of_group[group]] += vector
    return {sample: of_group[group] for sample, group in groups.items()}


def whole_groups(former: Mapping[str, int], groups: Mapping[str, str]) -> dict[str, int]:
    """Select the part of a former assignment that splits none of the present groups.

    Args:
        former: fold of each sample of an earlier run.
        groups: group of each sample.
    """
    folds: dict[str, set[int]] = {}
    for sample, group in groups.items():
        if sample in former:
            folds.setdefault(group, set()).add(former[sample])
    return {s: f for s, f in former.items() if len(folds.get(groups.get(s, ""), ())) == 1}


def _keep_folds(groups: Mapping[str, str], previous: Mapping[str, int], k: int) -> dict[str, int]:
    kept: dict[str, int] = {}
    for sample, group in groups.items():
        fold = previous.get(sample)
        if fold is None:
            continue
        if not 0 <= fold < k:
            raise RequestError(f"the former folds put {sample} in fold {fold} of {k}")
        if kept.setdefault(group, fold) != fold:
            raise RequestError(
                f"the former folds split group {group!r}: drop them or correct the groups"
            )
    return kept


def _draw(seed: int, group: str, fold: int) -> bytes:
    return hashlib.sha256(f"{seed}\0{group}\0{fold}".encode()).digest()
