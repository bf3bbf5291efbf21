"""How the features of each sample are scaled, where groups have scalings of their own."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from circumplex.config.training import Normalisation
from circumplex.features.pack_reader import PackReader
from circumplex.model.normalisation import (
    AnyScaling,
    GroupScaling,
    Scaling,
    fit_group_scaling,
    fit_scaling,
)


class SampleScalings:
    """The scaling of each feature of each sample.

    A group's own is fitted when it is first asked for, on the frames of all its samples that have
    the feature.

    Args:
        reader: packs of the features.
        scalings: by feature, as a model has them.
        groups: by sample; one that is not named is a group of its own.
    """

    def __init__(
        self,
        reader: PackReader,
        scalings: Mapping[str, AnyScaling],
        groups: Mapping[str, str],
    ) -> None:
        self._reader = reader
        self._scalings = dict(scalings)
        self._groups = dict(groups)
        self._members = members_by_group(groups, groups)
        self._fitted: dict[tuple[str, str | None, str], Scaling] = {}

    def of(self, sample: str, feature: str) -> Scaling | None:
        """The scaling of a sample's feature; none where it is not scaled."""
        scaling = self._scalings[feature]
        if not isinstance(scaling, GroupScaling):
            return scaling
        group = self._groups.get(sample)
        key = (feature, group, "" if group is not None else sample)
        if key not in self._fitted:
            members = [sample] if group is None else self._members[group]
            self._fitted[key] = scaling.fit(blocks_of(self._reader, members, feature))
        return self._fitted[key]


def fit_scalings(
    reader: PackReader,
    features: Sequence[str],
    normalisation: Mapping[str, Normalisation],
    train_samples: Sequence[str],
    groups: Mapping[str, str],
) -> dict[str, AnyScaling]:
    """Fit the scaling of each feature on the training samples that have its modality.

    Args:
        reader: packs of the features.
        features: names.
        normalisation: by feature; a feature that is not named is not scaled.
        train_samples: names.
        groups: by sample; one that is not named is a group of its own.
    """
    return {
        feature: _fit(
            reader,
            feature,
            normalisation.get(feature, Normalisation.NONE),
            members_by_group(train_samples, groups),
        )
        for feature in features
    }


def _fit(
    reader: PackReader,
    feature: str,
    normalisation: Normalisation,
    members: Mapping[str, Sequence[str]],
) -> AnyScaling:
    dimension = reader.dimension(feature)
    match normalisation:
        case Normalisation.NONE:
            return None
        case Normalisation.ZSCORE:
            everyone = [sample for samples in members.values() for sample in samples]
            return fit_scaling(blocks_of(reader, sorted(everyone), feature), dimension)
        case Normalisation.ZSCORE_BY_GROUP:
            blocks = (blocks_of(reader, samples, feature) for samples in members.values())
            return fit_group_scaling(blocks, dimension)


def members_by_group(
    samples: Sequence[str] | Mapping[str, str], groups: Mapping[str, str]
) -> dict[str, list[str]]:
    """Samples by group, in a fixed order; one that has no group is a group of its own."""
    members: dict[str, list[str]] = {}
    for sample in sorted(samples):
        members.setdefault(groups.get(sample, sample), []).append(sample)
    return members


def blocks_of(
    reader: PackReader, samples: Sequence[str], feature: str
) -> Iterator[NDArray[np.float32]]:
    """All frames of the samples that have a feature, block by block."""
    for sample in samples:
        if reader.packed(sample, [feature]) and reader.present(sample, feature):
            yield from reader.blocks(sample, feature)
