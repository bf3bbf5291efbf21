"""Measures an extractor's settings on this machine: speed, and agreement with float32."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from circumplex.extractors.inference import Inference
from circumplex.extractors.options import Precision

LEAST_COSINE = 0.9999  # of a feature to its float32 self, for a setting to be offered
WORTH = 1.05  # times as fast, for a setting to be preferred over a plainer one
LEAST_BATCHES, LEAST_SECONDS = 3, 3.0
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
    """A setting, measured.

    Attributes:
        settings: of the extractor's options.
        seconds: of a batch in the network alone, the median.
        load_s: seconds to load.
        first_s: seconds of the first batch, compilation included.
        cosine: least, of any item, to float32.
        error: largest relative error of any item: norm of the difference over norm.
        same_bits: whether items have the same bits at other positions of the batch.
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
        """Whether features made so may stand in for those of float32."""
        return self.cosine >= LEAST_COSINE and self.same_bits


def settings_of(options: Mapping[str, Any], **settings: Any) -> dict[str, Any]:
    """Plain settings with changes, of the keys that an extractor has."""
    return {key: value for key, value in {**PLAIN, **settings}.items() if key in options}


def compare(found: NDArray[np.float32], reference: NDArray[np.float32]) -> tuple[float, float]:
    """Least cosine and largest relative error of the rows (items, dimension)."""
    rows = found.reshape(-1, found.shape[-1]).astype(np.float64)
    wanted = reference.reshape(rows.shape).astype(np.float64)
    norms = np.linalg.norm(wanted, axis=1)
    silent = (norms == 0) & ~rows.any(axis=1)  # a network of ReLUs may say nothing
    rows, wanted, norms = rows[~silent], wanted[~silent], norms[~silent]
    cosine = (rows * wanted).sum(axis=1) / (norms * np.linalg.norm(rows, axis=1))
    error = np.linalg.norm(rows - wanted, axis=1) / norms
    return float(cosine.min(initial=1)), float(error.max(initial=0))


def batch_seconds(extractor: DeepExtractor, inputs: NDArray[Any]) -> float:
    """Median seconds of a batch in the network alone; its input lies ready."""
    batch = extractor.batch(inputs)
    taken: list[float] = []
    while len(taken) < LEAST_BATCHES or sum(taken) < LEAST_SECONDS:
        start = time.perf_counter()
        extractor.network(batch).cpu()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def try_settings(
    build: Build,
    options: Mapping[str, Any],
    settings: Mapping[str, Any],
    device: str,
    make_inputs: MakeInputs,
    reference: NDArray[np.float32] | None,
) -> tuple[Trial, NDArray[np.float32]]:
    """Measure one setting.

    Args:
        build: makes the extractor.
        options: of the extractor.
        settings: of the options, to try.
        device: PyTorch's name of it.
        make_inputs: gives one full batch for an extractor.
        reference: features of the plain setting; none for these to be it.

    Returns:
        The trial and the features.
    """
    begin = time.perf_counter()
    extractor = build({**options, **settings}, device)
    load_s = time.perf_counter() - begin
    inputs = make_inputs(extractor)
    begin = time.perf_counter()
    found = extractor.embed(inputs)
    first_s = time.perf_counter() - begin
    order = np.random.default_rng(0).permutation(len(inputs))
    same_bits = np.array_equal(extractor.embed(inputs[order]), found[order])
    cosine, error = compare(found, found if reference is None else reference)
    seconds = batch_seconds(extractor, inputs)
    trial = Trial(settings, seconds, load_s, first_s, cosine, error, same_bits)
    return trial, found


def tune(
    build: Build, options: Mapping[str, Any], device: str, make_inputs: MakeInputs
) -> Iterator[Trial]:
    """Measure the settings worth trying, the plain one first.

    Eager in all precisions and layouts; compiled in both layouts of the precision that was
    fastest, since compiling takes minutes.
    """
    plain, reference = try_settings(build, options, settings_of(options), device, make_inputs, None)
    yield plain
    eager = [plain]
    for settings in _distinct(
        settings_of(options, precision=precision.value, channels_last=channels_last)
        for precision in Precision
        for channels_last in (False, True)
    ):
        if settings != plain.settings:
            trial, _ = try_settings(build, options, settings, device, make_inputs, reference)
            yield trial
            eager.append(trial)
    if "compile" in options:
        fastest = recommend(eager).settings
        for settings in _distinct(
            settings_of(options, **{**fastest, "compile": True, "channels_last": channels_last})
            for channels_last in (False, True)
        ):
            yield try_settings(build, options, settings, device, make_inputs, reference)[0]


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
