"""Do predictions depend on the frame rate? ``python -m demo.checks.rates --media clips``.

Each clip is written at several rates, its frames dropped or doubled, and all are predicted at once.
On common times, the predictions at each rate must agree with those at 25 frames per second.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from circumplex.ccc import ccc
from circumplex.media.resampling import find_nearest, resample_trace
from circumplex.media.video import VideoFrame, iter_timeline
from circumplex.predictions.table import PredictionTable
from demo.checks.runs import ROOT, TARGETS

REFERENCE = "25"
RATES = {
    "12.5": Fraction(25, 2),
    REFERENCE: Fraction(25),
    "50": Fraction(50),
    "59.94": Fraction(60_000, 1001),
    "120": Fraction(120),
}
LEAST = {"12.5": 0.9}
LEAST_CCC = 0.97


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--media", type=Path, nargs="+", required=True, help="clips with a face")
    parser.add_argument("--model", default="starter", help="of circumplex predict")
    parser.add_argument("--output", type=Path, default=Path(".demo/rates"))
    arguments = parser.parse_args()
    videos = arguments.output / "videos"
    videos.mkdir(parents=True, exist_ok=True)
    for clip in arguments.media:
        for name, rate in RATES.items():
            write_at_rate(clip, videos / f"{clip.stem}-{name}.mkv", rate)
    results = arguments.output / "results"
    command = [sys.executable, "-m", "circumplex", "predict", str(videos)]
    command += ["--model", arguments.model, "--output", str(results)]
    subprocess.run(command, cwd=ROOT, check=True)
    (path,) = (results / "restore_frames").glob("*.parquet")
    rows = [row for clip in arguments.media for row in compare(PredictionTable(path), clip.stem)]
    print(tabulate(rows, ["clip", "frames/s", *TARGETS], floatfmt=".3f"))
    low = [row for row in rows if min(row[2:]) < LEAST.get(row[1], LEAST_CCC)]
    print("DOES NOT HOLD" if low else "holds")
    sys.exit(bool(low))


def write_at_rate(clip: Path, output: Path, rate: Fraction) -> None:
    """Write a clip's pictures without loss at another rate, each the nearest in time."""
    frames = [item for item in iter_timeline(clip) if isinstance(item, VideoFrame)]
    times = np.array([frame.time_s for frame in frames])
    count = int(times[-1] * rate) + 1
    with av.open(str(output), "w") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.height, stream.width = frames[0].image.shape[:2]
        stream.pix_fmt = "bgr0"
        for number in find_nearest(times, np.arange(count) / float(rate)):
            picture = av.VideoFrame.from_ndarray(frames[number].image, format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def compare(table: PredictionTable, clip: str) -> Iterator[list[object]]:
    """CCC of valence and of arousal at each rate with those at `REFERENCE`, on its times."""
    common_s = table.time_s(f"{clip}-{REFERENCE}")
    reference = trace(table, f"{clip}-{REFERENCE}", common_s)
    for name in RATES:
        if name != REFERENCE:
            other = trace(table, f"{clip}-{name}", common_s)
            yield [clip, name, *(ccc(other[:, k], reference[:, k]) for k in range(len(TARGETS)))]


def trace(table: PredictionTable, sample: str, time_s: NDArray[np.float64]) -> NDArray[np.float32]:
    """Predictions of a sample, (n, 2) at the given times."""
    return resample_trace(table.values(sample), table.time_s(sample), time_s)


if __name__ == "__main__":
    main()
