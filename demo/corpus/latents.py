"""Smooth valence and arousal paths, and the cues through which face and voice show them.

Every statistic that the demo relies on is arranged, not left to the seed: in each clip arousal is
orthogonal to valence, the means of clips vary little, and over each split every nuisance path is
orthogonal to both latents.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Path1d = NDArray[np.float64]

DEVIATION = 0.45  # of valence and arousal within a clip
PEAK = 0.93  # a path that would go further is scaled down to it
MEAN_DEVIATION = 0.09  # of the clips' means: 4 % of the total variance

LATENT_PERIODS_S = (5.0, 9.0)  # the arousal smoother averages over 2 s and must not erase them
NUISANCE_PERIODS_S = (4.0, 8.0)  # in the latents' band, so that smoothing can not remove them
DRIFT_PERIODS_S = (3.0, 7.0)

# Deviation of each nuisance in units of the latent's: the share that a modality can not tell.
NUISANCE = {
    "face_valence": 0.20,
    "face_arousal": 0.80,
    "voice_valence": 0.50,
    "voice_arousal": 0.60,
}
DRIFTS = ("x", "y", "scale", "light")


@dataclass(frozen=True)
class Latents:
    """Paths of one subject in one clip, each with one value a frame.

    Attributes:
        valence, arousal: the truth, in [-1, 1].
        cues: what each modality shows of it, truth plus nuisance, about [-1.5, 1.5].
        drifts: position, size and exposure, of deviation 1, telling nothing of the truth.
    """

    valence: Path1d
    arousal: Path1d
    cues: dict[str, Path1d]
    drifts: dict[str, Path1d]


def smooth_path(rng: np.random.Generator, times: Path1d, periods: tuple[float, float]) -> Path1d:
    """Sum of two sinusoids, one from each half of the periods; mean 0 and deviation 1.

    In clips shorter than 6 s the periods shrink with the clip, so that the path still varies.
    """
    shrink = min(1.0, (times[-1] - times[0]) / 6.0)
    low, high = periods
    middle = (low * high) ** 0.5
    path = np.zeros_like(times)
    for bounds, weight in (((middle, high), 1.0), ((low, middle), rng.uniform(0.6, 1.0))):
        period = shrink * rng.uniform(*bounds)
        path += weight * np.sin(2 * np.pi * (times / period + rng.random()))
    return standardise(path)


def standardise(path: Path1d) -> Path1d:
    """Mean 0, deviation 1."""
    centred = path - path.mean()
    return np.asarray(centred / centred.std())


def draw_pair(rng: np.random.Generator, times: Path1d) -> tuple[Path1d, Path1d]:
    """Two smooth paths, uncorrelated over the clip, each of mean 0 and deviation 1.

    Of some draws the best is kept: one of which most survives the projection, so that no faint
    rest is blown up, and whose peaks are low, so that `PEAK` leaves it its size.
    """
    best, best_worth = (np.zeros_like(times), np.zeros_like(times)), -np.inf
    for _ in range(40):
        first, second = (smooth_path(rng, times, LATENT_PERIODS_S) for _ in range(2))
        rest = second - (second @ first) / len(first) * first
        pair = first, standardise(rest)
        worth = min(rest.std(), 0.8) - max(1.85, *(np.abs(path).max() for path in pair))
        if worth > best_worth:
            best, best_worth = pair, float(worth)
        if best_worth >= 0.8 - 1.85:
            break
    return best


def stratified(rng: np.random.Generator, count: int) -> Path1d:
    """``count`` values in (0, 1), one from each of as many equal strata, in random order."""
    return np.asarray((rng.permutation(count) + rng.random(count)) / count)


def draw_split(rng: np.random.Generator, clips: list[Path1d]) -> list[Latents]:
    """Latents of all subjects of one split, given the frame times (s) of each one's clip."""
    truths = {"valence": [], "arousal": []}  # type: dict[str, list[Path1d]]
    for times in clips:
        for paths, path in zip(truths.values(), draw_pair(rng, times), strict=True):
            paths.append(path)

    def nuisances(periods: tuple[float, float]) -> list[Path1d]:
        """One path a clip, orthogonal to both latents over the whole split."""
        joined = np.concatenate([smooth_path(rng, times, periods) for times in clips])
        basis = np.stack([np.concatenate(paths) for paths in truths.values()], axis=1)
        joined -= basis @ np.linalg.lstsq(basis, joined, rcond=None)[0]
        return np.split(joined / joined.std(), np.cumsum([len(times) for times in clips])[:-1])

    noises = {cue: nuisances(NUISANCE_PERIODS_S) for cue in NUISANCE}
    drifts = {name: nuisances(DRIFT_PERIODS_S) for name in DRIFTS}
    # Evenly spread means of the two latents in independent orders.
    spread = 3**0.5 * MEAN_DEVIATION
    means = {name: spread * (2 * stratified(rng, len(clips)) - 1) for name in truths}

    latents = []
    for i in range(len(clips)):
        scaled = {}
        for name, paths in truths.items():
            reach = PEAK - abs(means[name][i])
            size = min(DEVIATION, reach / float(np.abs(paths[i]).max()))
            scaled[name] = means[name][i] + size * paths[i]
        cues = {
            cue: scaled[cue.split("_")[1]] + DEVIATION * share * noises[cue][i]
            for cue, share in NUISANCE.items()
        }
        latents.append(
            Latents(
                valence=scaled["valence"],
                arousal=scaled["arousal"],
                cues=cues,
                drifts={name: paths[i] for name, paths in drifts.items()},
            )
        )
    return latents
