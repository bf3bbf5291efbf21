"""Measure an extractor's settings on this machine: speed, and agreement with float32."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from circumplex.config.precision import Precision
from circumplex.networks.inference import Inference

LEAST_COSINE = 0.9999  # of a feature to its float32 self, for a setting to be offered
WORTH = 1.05  # times as fast, for a setting to be preferred over a plainer one
LEAST_BATCHES, LEAST_SECONDS = 3, 3.0
HOPELESS = 3.0  # times as slow as plain, for a precision not to be tried further
PLAIN: Mapping[str, Any] = {
    "precision": Precision.FLOAT32.value,
    "compile": False,
    "channels_last": False,
}


class DeepExtractor(Protocol):
    """An extractor whose network can be run by itself."""

    network: Inference

    def batch(self, inputs: NDArray[Any]) -> torch.Tensor:
        """The network's input."""
        ...

    def embed(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Inputs to features."""
        ...


Build = Callable[[Mapping[str, Any], str], DeepExtractor]
MakeInputs = Callable[[Any], NDArray[Any]]


@dataclass(frozen=True)
class Trial:
    """Measurements of a setting.

    Attributes:
        settings: options of the extractor that were set.
        seconds: median time of a batch in the network alone, in seconds.
        load_s: seconds to load the extractor.
        first_s: seconds of the first batch, including compilation.
        cosine: smallest cosine of any item's features to those in float32.
        error: largest relative error of any item: norm of the difference over norm.
        same_bits: whether an item's features are bit-identical at any position in the batch.
    """

    settings: Mapping[str, Any]
    seconds: float
    load_s: float
    first_s: float
    cosine: float
    error: float
    same_bits: bool

    @property
    def offered(self) -> bool:
        """Whether features with these settings may replace those of float32."""
        return self.cosine >= LEAST_COSINE and self.same_bits


def compare(found: NDArray[np.float32], reference: NDArray[np.float32]) -> tuple[float, float]:
    """Least cosine and largest relative error of the rows (items, dimension)."""
    rows = found.reshape(-1, found.shape[-1]).astype(np.float64)
    wanted = reference.reshape(rows.shape).astype(np.float64)
    norms = np.linalg.norm(wanted, axis=1)
    silent = (norms == 0) & ~rows.any(axis=1)  # a network of ReLUs may output only zeros
    rows, wanted, norms = rows[~silent], wanted[~silent], norms[~silent]
    cosine = (rows * wanted).sum(axis=1) / (norms * np.linalg.norm(rows, axis=1))
    error = np.linalg.norm(rows - wanted, axis=1) / norms
    return float(cosine.min(initial=1)), float(error.max(initial=0))


@dataclass(frozen=True)
class Tuner:
    """Measure an extractor's settings.

    Attributes:
        build: function that builds the extractor.
        options: options of the extractor.
        device: PyTorch's name of the device.
        make_inputs: function that makes one full batch for an extractor.
        clock: function that gives the time in seconds.
    """

    build: Build
    options: Mapping[str, Any]
    device: str
    make_inputs: MakeInputs
    clock: Callable[[], float] = time.perf_counter

    def trials(self) -> Iterator[Trial]:
        """Measure the settings worth trying, the plain one first.

        All precisions and layouts are tried without compilation. Only the fastest precision is
        compiled, in both layouts, since compiling takes minutes. A processor without bfloat16
        emulates it, tens of times slower: then one batch is measured, and no further layout.
        """
        plain, reference = self._try(self._settings(), None)
        yield plain
        eager = [plain]
        limit = HOPELESS * plain.seconds
        hopeless: set[str] = set()
        for settings in _distinct(
            self._settings(precision=precision.value, channels_last=channels_last)
            for precision in Precision
            for channels_last in (False, True)
        ):
            if settings != plain.settings and settings["precision"] not in hopeless:
                eager.append(self._try(settings, reference, limit)[0])
                if eager[-1].seconds > limit:
                    hopeless.add(settings["precision"])
                yield eager[-1]
        if "compile" in self.options:
            fastest = {**recommend(eager).settings, "compile": True}
            for settings in _distinct(
                self._settings(**{**fastest, "channels_last": channels_last})
                for channels_last in (False, True)
            ):
                yield self._try(settings, reference)[0]

    def _settings(self, **settings: Any) -> dict[str, Any]:
        return {k: value for k, value in {**PLAIN, **settings}.items() if k in self.options}

    def _try(
        self,
        settings: Mapping[str, Any],
        reference: NDArray[np.float32] | None,
        limit: float = math.inf,
    ) -> tuple[Trial, NDArray[np.float32]]:
        """Measure a setting; only one batch if it takes more than ``limit`` seconds per batch."""
        begin = self.clock()
        extractor = self.build({**self.options, **settings}, self.device)
        load_s = self.clock() - begin
        inputs = self.make_inputs(extractor)
        begin = self.clock()
        found = extractor.embed(inputs)
        first_s = self.clock() - begin
        order = np.random.default_rng(0).permutation(len(inputs))
        same_bits = np.array_equal(extractor.embed(inputs[order]), found[order])
        cosine, error = compare(found, found if reference is None else reference)
        seconds = self._batch_seconds(extractor, inputs, limit)
        return Trial(settings, seconds, load_s, first_s, cosine, error, same_bits), found

    def _batch_seconds(self, extractor: DeepExtractor, inputs: NDArray[Any], limit: float) -> float:
        """Median of a batch in the network alone; its input lies ready."""
        batch = extractor.batch(inputs)
        taken: list[float] = []
        while len(taken) < LEAST_BATCHES or sum(taken) < LEAST_SECONDS:
            if max(taken, default=0.0) > limit:
                break
            start = self.clock()
            extractor.network(batch).cpu()
            taken.append(self.clock() - start)
        return float(np.median(taken))


def _distinct(settings: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for candidate in settings:
        if candidate not in found:
            found.append(candidate)
    return found


def recommend(trials: Iterable[Trial]) -> Trial:
    """The fastest that may stand in for float32; a plainer (earlier) one if it is as good as fast.

    Raises:
        ValueError: there is none; the plain setting always may.
    """
    best: Trial | None = None
    for trial in trials:
        if trial.offered and (best is None or best.seconds > WORTH * trial.seconds):
            best = trial
    if best is None:
        raise ValueError("no setting keeps the features")
    return best
