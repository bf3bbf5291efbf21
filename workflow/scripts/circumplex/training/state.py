"""The state of a training: its log, the epochs it keeps, and what it resumes from."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from circumplex.config.training import Selection, TrainingSpec
from circumplex.errors import RequestError
from circumplex.model.checkpoints import load_tensors, save_tensors
from circumplex.targets import Target

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class EpochLog:
    """Log of one epoch.

    Attributes:
        epoch: number of the epoch, from 1.
        learning_rate: learning rate of the epoch.
        train_loss: mean loss over its updates.
        updates: optimiser steps; batches without two annotated frames are skipped.
        val_valence: CCC of raw predictions on the validation samples; NaN without any.
        val_arousal: the same for arousal.
        train_seconds: seconds in training steps.
        val_seconds: seconds in the validation pass.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    updates: int
    val_valence: float
    val_arousal: float
    train_seconds: float
    val_seconds: float


def kept_epochs(spec: TrainingSpec, log: Sequence[EpochLog]) -> dict[Target, list[int]]:
    """Choose the epochs to keep for each target, of those that have ended."""
    if spec.selection is Selection.BEST:
        best = {target: epoch for target, (epoch, _) in best_epochs(log).items()}
        # A target that no validation sample annotates takes the epoch of the other.
        return {target: [best.get(target, epoch)] for target in Target for epoch in best.values()}
    if spec.selection is Selection.LAST:
        return {target: [len(log)] for target in Target}
    chosen = {target: spec.epoch_range(target) for target in Target}
    return {t: [*range(first, min(last, len(log)) + 1)] for t, (first, last) in chosen.items()}


def best_epochs(log: Sequence[EpochLog]) -> dict[Target, tuple[int, float]]:
    """Find for each target the first epoch of the highest validation CCC, and that CCC.

    Targets without a validation CCC are left out.
    """
    best = {}
    for target, key in ((Target.VALENCE, "val_valence"), (Target.AROUSAL, "val_arousal")):
        row = max(log, key=lambda row: getattr(row, key))
        if not math.isnan(getattr(row, key)):
            best[target] = (row.epoch, float(getattr(row, key)))
    return best


class WorkFolder:
    """The folder of a training under way: its last state, and the weights of kept epochs.

    Args:
        path: the folder; created when something is first written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state = path / "state.pt"

    def resume(self, digest: str) -> dict[str, Any] | None:
        """Read the last state; one that is damaged or of another digest is removed."""
        if not self._state.is_file():
            return None
        try:
            saved = load_tensors(self._state)
        except RequestError as error:
            _LOG.warning("starting anew: %s", error)
        else:
            if saved.get("digest") == digest:
                return saved
            _LOG.info("starting anew: the saved state belongs to another training")
        self.discard()
        return None

    def save(self, state: Mapping[str, Any], keep: set[int]) -> None:
        """Write the state, then remove the weights of all epochs but some."""
        save_tensors(dict(state), self._state)
        self._remove_epochs(but=keep)

    def save_weights(self, epoch: int, network: nn.Module) -> None:
        """Keep the weights of an epoch."""
        save_tensors(network.state_dict(), self._weights(epoch))

    def load_weights(self, epoch: int) -> dict[str, Any]:
        """Load the weights of a kept epoch, memory-mapped from their file."""
        return load_tensors(self._weights(epoch))

    def discard(self) -> None:
        """Remove all that this class wrote."""
        self._remove_epochs(but=set())
        self._state.unlink(missing_ok=True)
        if self._path.is_dir() and not any(self._path.iterdir()):
            self._path.rmdir()

    def _weights(self, epoch: int) -> Path:
        return self._path / f"epoch-{epoch:04d}.pt"

    def _remove_epochs(self, but: set[int]) -> None:
        kept = {self._weights(epoch) for epoch in but}
        for path in self._path.glob("epoch-*.pt"):
            if path not in kept:
                path.unlink()
