"""CPU seconds per second of video of ``circumplex predict`` with the starter, stage by stage.

    .venv/bin/python benchmarks/prediction.py ../shared/media/smile_30fps.mp4

The clip is repeated to two lengths. Each stage of per-sample files then runs for each of them in a
process of its own, by ``circumplex debug``: the difference of the two CPU times over the difference
of the lengths is the cost per second of video, and what remains of the shorter one is the start of
the process, which a job pays once for its shard. Beside it stands facenet-pytorch's MTCNN as its
README shows it, frame by frame with its defaults, on the same files.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import torch
from facenet_pytorch import MTCNN
from PIL import Image
from tabulate import tabulate

from circumplex.cli.config import plan_of
from circumplex.media.video import VideoFrame, iter_timeline
from circumplex.pipeline.stages import sample_stages

ROOT = Path(__file__).resolve().parents[1]
SHORT_S, LONG_S = 10, 30
OVERLAY = "samples: {folder}/run/samples.tsv\nresults: {folder}/run\noutputs: {{proxy: always}}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("clip", type=Path, help="a video with a face")
    clip = parser.parse_args().clip
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lengths = [repeat(clip, folder / f"clip{s}.mp4", s) for s in (SHORT_S, LONG_S)]
        rows = [*measure_stages(folder, lengths), measure_loop(folder, lengths)]
    print(f"{clip.name}, at {lengths[0]:.2f} and {lengths[1]:.2f} s, one thread")
    headers = ["stage", "CPU s per s of video", "CPU s at the start"]
    print(tabulate(rows, headers, floatfmt=".3f"))


def repeat(clip: Path, output: Path, seconds: float) -> float:
    """Write the clip's pictures and again until they last so long; returns how long they last."""
    frames = [item for item in iter_timeline(clip) if isinstance(item, VideoFrame)]
    rate = round((len(frames) - 1) / (frames[-1].time_s - frames[0].time_s))
    height, width = frames[0].image.shape[:2]
    with av.open(str(output), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width // 2 * 2, height // 2 * 2, "yuv420p"
        for number in range(round(seconds * rate)):
            picture = frames[number % len(frames)].image[: stream.height, : stream.width]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return round(seconds * rate) / rate


def measure_stages(folder: Path, lengths: Sequence[float]) -> Iterator[list[object]]:
    """Cost of each stage, and of all."""
    clips = [str(folder / f"clip{s}.mp4") for s in (SHORT_S, LONG_S)]
    run_cli("predict", *clips, "--output", str(folder / "run"), "--cores", "2")
    overlay = folder / "overlay.yaml"
    overlay.write_text(OVERLAY.format(folder=folder))
    presets = [ROOT / "config" / "starter.yaml", overlay]
    costs = []
    stages = [stage for stage in sample_stages(plan_of(presets)) if stage != "read_labels"]
    for stage in stages:  # there are no annotations
        spent = []
        for seconds in (SHORT_S, LONG_S):
            before = children_s()
            configs = ["--configfile", *map(str, presets)]
            run_cli("debug", stage, f"clip{seconds}", *configs)
            spent.append(children_s() - before)
        costs.append([stage, *line_through(lengths, spent)])
    yield from costs
    yield ["all stages", sum(c[1] for c in costs), sum(c[2] for c in costs)]


def run_cli(*arguments: str) -> None:
    """Run the command ``circumplex``."""
    command = [sys.executable, "-m", "circumplex", *arguments]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def children_s() -> float:
    """CPU seconds of this process's children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure_loop(folder: Path, lengths: Sequence[float]) -> list[object]:
    """Cost of facenet-pytorch's loop, decoding included."""
    detector = MTCNN()
    spent = []
    for seconds in (SHORT_S, LONG_S):
        before = resource.getrusage(resource.RUSAGE_SELF)
        for item in iter_timeline(folder / f"clip{seconds}.mp4"):
            if isinstance(item, VideoFrame):
                detector(Image.fromarray(item.image))
        after = resource.getrusage(resource.RUSAGE_SELF)
        user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
        spent.append(user + system)
    return ["facenet-pytorch's loop", *line_through(lengths, spent)]


def line_through(lengths: Sequence[float], spent: Sequence[float]) -> tuple[float, float]:
    """Slope and intercept."""
    slope = (spent[1] - spent[0]) / (lengths[1] - lengths[0])
    return slope, spent[0] - slope * lengths[0]


if __name__ == "__main__":
    main()
