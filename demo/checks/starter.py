"""Does the starter model see what a person sees? ``python -m demo.checks.starter --media clips``.

Two clips of real faces, which are not part of this project: in ``smile_30fps`` a neutral face
begins to smile within 1.2 s; in ``woman_expressions`` a woman is sad, then afraid, and happy from
14 s on.
Mean valence before smoothing must follow.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from circumplex.predictions.table import PredictionTable
from demo.checks.runs import ROOT

SMILE, WOMAN = "smile_30fps", "woman_expressions"
RISE, SAD, HAPPY = 0.5, -0.3, 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--media", type=Path, required=True, help="folder of the two clips")
    parser.add_argument("--output", type=Path, default=Path(".demo/starter"))
    arguments = parser.parse_args()
    clips = [find_clip(arguments.media, name) for name in (SMILE, WOMAN)]
    command = [sys.executable, "-m", "circumplex", "predict", *map(str, clips)]
    subprocess.run([*command, "--output", str(arguments.output)], cwd=ROOT, check=True)
    table = PredictionTable(arguments.output / "predict_frames/starter/pretrained/seed0.parquet")
    smile, woman = (Course(table, clip.stem) for clip in clips)
    holds = [
        say(f"{SMILE}: 1.2 to 2 s above the first 0.4 s by", smile.rise(), RISE, above=True),
        say(f"{WOMAN}: before 8 s", woman.mean(0, 8), SAD, above=False),
        say(f"{WOMAN}: after 14 s", woman.mean(14, np.inf), HAPPY, above=True),
    ]
    print("holds" if all(holds) else "DOES NOT HOLD")
    sys.exit(not all(holds))


def find_clip(folder: Path, name: str) -> Path:
    """The clip whose file's name begins so."""
    found = sorted(folder.glob(f"{name}*"))
    if not found:
        raise SystemExit(f"{folder} has no {name}*: name the folder of the clips by --media")
    return found[0]


class Course:
    """Valence of a sample over time, before smoothing."""

    def __init__(self, table: PredictionTable, sample: str) -> None:
        self._time_s: NDArray[np.float64] = table.time_s(sample)
        self._valence = table.values(sample)[:, 0]

    def mean(self, start_s: float, end_s: float) -> float:
        """Mean over the frames from one time to another."""
        chosen = (self._time_s >= start_s) & (self._time_s < end_s)
        return float(self._valence[chosen].mean())

    def rise(self) -> float:
        """From the first 0.4 s to 1.2 to 2 s."""
        return self.mean(1.2, 2.0) - self.mean(0, 0.4)


def say(what: str, value: float, limit: float, *, above: bool) -> bool:
    holds = value > limit if above else value < limit
    print(f"{what}: {value:.2f}, asked for {'above' if above else 'below'} {limit:g}")
    return holds


if __name__ == "__main__":
    main()
