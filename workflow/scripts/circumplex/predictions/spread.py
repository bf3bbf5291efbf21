"""How far the models of an ensemble lie apart."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from circumplex.media.resampling import resample_trace
from circumplex.predictions.table import PredictionTable


def member_spread(
    sample: str,
    members: Iterable[PredictionTable],
    column: int,
    time_s: NDArray[np.floating],
) -> NDArray[np.float64]:
    """Standard deviation over the models that predicted a sample, frame by frame.

    It is that of a sample, with the number of models less one in the denominator, as for seeds in
    the report. The models count alike, whatever weights the ensemble has.

    Args:
        sample: name of the sample.
        members: smoothed predictions of the ensemble's models for the target.
        column: column of the target, 0 for valence and 1 for arousal.
        time_s: (frames,) times in seconds at which the spread is wanted; models that predict at
            others are interpolated.

    Returns:
        Spread, (frames,) in the predictions' unit; empty with fewer than two models, whose spread
        nobody knows.
    """
    tables = [table for table in members if sample in table]
    if len(tables) < 2:
        return np.empty(0)
    predicted = [
        resample_trace(table.values(sample)[:, [column]], table.time_s(sample), time_s)[:, 0]
        for table in tables
    ]
    return np.asarray(np.stack(predicted).std(axis=0, ddof=1, dtype=np.float64))
