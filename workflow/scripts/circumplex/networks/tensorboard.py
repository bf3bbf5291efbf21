"""Training curves as TensorBoard reads them.

`tensorboard --logdir <results>/train_encoder` shows those of the models, and
`tensorboard --logdir <results>/train_backbone` those of the networks trained on still images.
"""

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from torch.utils.tensorboard.writer import SummaryWriter


class EventLog:
    """Scalars per epoch, written at once, so that a running training can be watched.

    Args:
        folder: for the event files; what it held before is removed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._writer = SummaryWriter(str(self._folder))
        return self

    def add(self, row: Mapping[str, float]) -> None:
        """Log an epoch: each value but ``epoch`` under its name, without NaN (no validation)."""
        for name, value in row.items():
            if name != "epoch" and not math.isnan(value):
                self._writer.add_scalar(name, value, int(row["epoch"]))
        self._writer.flush()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()
