"""The features by name: what the workflow must know of an extractor without importing it.

Each module of `circumplex.config.extractors` declares one: a `Feature` called ``FEATURE`` and the
model of its options, called ``Options``. A new module there is found by its name.

Imported while the workflow is parsed: standard library and pydantic only.
"""

import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from circumplex.config.modalities import Framing, Modality

if TYPE_CHECKING:
    from circumplex.config.feature_options import FeatureOptions

LAST = 1000


class Environment(StrEnum):
    """The file of ``envs/`` whose packages a job needs."""

    LIGHT = "light"
    TORCH = "torch"


@dataclass(frozen=True)
class Need:
    """What a job of a stage needs, as measured; see ``pipeline/resources.yaml`` for how.

    Attributes:
        mem_mb: megabytes of a job; memory does not grow with a video's length.
        cpu_s: CPU seconds per second of video.
        disk_kb: kilobytes of results per second of video.
        scratch_kb: kilobytes of temporary files per second of video.
        gpu: whether it computes on a GPU where the config gives it one.
        start_s: CPU seconds of a job before it computes anything: imports, weights, first calls.
        fixed_s: part of ``cpu_s`` that does not depend on the network's size: reading, writing.
        margin: times ``cpu_s`` that limits of time allow for: large pictures take longer.
    """

    mem_mb: int
    cpu_s: float
    disk_kb: float
    scratch_kb: float = 0.0
    gpu: bool = False
    start_s: float = 0.6
    fixed_s: float = 0.0
    margin: float = 1.0

    @property
    def limit_s(self) -> float:
        """CPU seconds per second of video from which limits of time are computed."""
        return self.cpu_s * self.margin


@dataclass(frozen=True)
class FeatureText:
    """What the feature cards and the errors say of an extractor and its weights.

    Attributes:
        network: its name, with options of the config in braces, and which of its values.
        input: what a value is computed from.
        row: what a row of the extractor's own table stands for.
        address: where to get the network or to ask for it.
        trained_on: data sets.
        licence: of the weights.
        citation: of the network and of who trained it.
        note: what a person who lacks it must know.
        published: entry of ``config/weights.yaml`` that is its own; none where the authors did not
            publish it.
        start: entry that its training may be started from.
    """

    network: str
    input: str
    row: str
    address: str
    trained_on: str
    licence: str
    citation: str
    note: str
    published: str | None = None
    start: str | None = None


@dataclass(frozen=True)
class Feature:
    """A feature per frame.

    Attributes:
        name: also the name of the rule, of the extractor's modules, and of the column.
        modality: what it is computed from.
        dimension: values per frame; none where the config declares it, since it is the network's
            that a user chose.
        framing: how rows at an audio extractor's own rate become frames; none for visual features.
        imported: taken over from the user's files, one row per frame, instead of extracted.
        order: place in lists, from 1: the paper's seven first, then the other networks, then what
            names no place, by name. Visual features come before those of sound in any case.
        environment: of its jobs.
        deep: whether a network computes it: its jobs get ``compute.threads.extract``.
        weight_keys: its options that name weights.
        columns: names of its values, for pretrained models; empty where they have none, or where
            the config's option ``columns`` names them.
        need: of its jobs; none for an imported feature.
        text: for its card; none for an imported feature.
    """

    name: str
    modality: Modality
    dimension: int | None
    framing: Framing | None = None
    imported: bool = False
    order: int = LAST
    environment: Environment = Environment.LIGHT
    deep: bool = False
    weight_keys: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    need: Need | None = None
    text: FeatureText | None = None

    @property
    def stage(self) -> str:
        """Name of the stage that makes it."""
        return f"{'import' if self.imported else 'extract'}_{self.name}"


class _Registry(Mapping[str, Feature]):
    """The features that modules of `circumplex.config.extractors` declare, read when first asked.

    Lazily, since those modules import this one.
    """

    @cached_property
    def _features(self) -> dict[str, Feature]:
        package = import_module("circumplex.config.extractors")
        names = [module.name for module in pkgutil.iter_modules(package.__path__)]
        found: list[Feature] = [_module(name).FEATURE for name in names]
        found.sort(key=lambda one: (one.modality is Modality.AUDIO, one.order, one.name))
        return {feature.name: feature for feature in found}

    def __getitem__(self, name: str) -> Feature:
        return self._features[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._features)

    def __len__(self) -> int:
        return len(self._features)


FEATURES: Mapping[str, Feature] = _Registry()
"""The paper's seven (section 3.2), of orders 1 to 7; the letters of its tables are D, I, F, E, C,
V, W. The others run any network of a kind, or one that needs no training here."""


def options_of(feature: str) -> "type[FeatureOptions]":
    """The model of a feature's options."""
    model: type[FeatureOptions] = _module(feature).Options
    return model


@cache
def _module(feature: str) -> ModuleType:
    return import_module(f"circumplex.config.extractors.{feature}")
