"""Recordings of annotators who react late by a known lag."""

import numpy as np

from circumplex.annotations.lag import Recording

LAGS = [round(-1 + 0.2 * k, 1) for k in range(36)]
RATE = 25


def smooth(values, frames):
    return np.convolve(values, np.ones(frames) / frames, mode="same")


def recordings(lag_s, count=12, seconds=120, noise=1.0, seed=0):
    """A hidden trace per recording; features see it under noise, annotators so much later."""
    draw = np.random.default_rng(seed)
    made = []
    for k in range(count):
        frames = seconds * RATE
        hidden = smooth(draw.normal(size=frames + 400), 50)[200 : 200 + frames]
        hidden /= hidden.std()
        others = draw.normal(size=(frames, 3))
        features = np.column_stack([hidden + noise * draw.normal(size=frames), others])
        late = round(lag_s * RATE)
        felt = np.roll(hidden, late)
        annotation = np.column_stack([felt, -felt]) / 4 + draw.normal() / 4
        annotation[: max(late, 0)] = np.nan
        time_s = np.arange(frames) / RATE
        made.append(
            Recording(f"g{k // 2}", time_s, features.astype(np.float32), annotation.astype("f4"))
        )
    return made
