"""Hundreds of samples: the time of a dry run, the cost a job, and that one more is one more.

    .venv/bin/python -m benchmarks.samples --samples 600

Makes a corpus of films of 3 frames: the same face and sound, but other bytes at each film's end,
so that no two share a digest. Times `snakemake -n` with all eleven extractors and digests at hand;
extracts a visual and an audio feature; runs two stages again that find all in the store, which is
what a job costs beside its work; then adds one film and counts what every stage made.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import yaml

from circumplex.cli.checkout import find_checkout
from demo.corpus.film import make_video
from demo.corpus.plan import plan_corpus

ROOT = find_checkout(Path(__file__))
MADE = re.compile(r": (\d+) made, (\d+) taken from the store")
LIMIT_S = 10.0
FRAMES, SECONDS, RATE = 3, 0.3, 16_000
ALL = ["densenet", "iresnet", "fau", "egemaps", "compare", "vggish", "wav2vec2"]
MORE = {name: {"weights": "random:5"} for name in ("timm", "vit", "speech")} | {"mfcc": {}}


def make_film(folder: Path) -> bytes:
    """The first frames of a film of the tiny corpus, with a tone for sound."""
    video = plan_corpus(0, "tiny")[0]
    make_video(video, folder)
    short = folder / "short.mp4"
    with av.open(str(folder / f"{video.name}{video.clip.suffix}")) as source:
        pictures = [f for f, _ in zip(source.decode(video=0), range(FRAMES), strict=False)]
    with av.open(str(short), "w") as target:
        pictured = target.add_stream("libx264", rate=30)
        pictured.width, pictured.height = pictures[0].width, pictures[0].height
        pictured.pix_fmt = "yuv420p"
        heard = target.add_stream("aac", rate=RATE, layout="mono")
        for number, picture in enumerate(pictures):
            picture = picture.reformat(format="yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, 30)
            target.mux(pictured.encode(picture))
        target.mux(pictured.encode(None))
        tone = 0.3 * np.sin(np.arange(int(SECONDS * RATE)) / RATE * 2 * np.pi * 220)
        sound = av.AudioFrame.from_ndarray(tone.astype(np.float32)[None], "fltp", "mono")
        sound.rate, sound.pts = RATE, 0
        target.mux(heard.encode(sound))
        target.mux(heard.encode(None))
    return short.read_bytes()


def add_samples(folder: Path, film: bytes, numbers: range) -> None:
    """Films with a free box of its own at each one's end, and their rows in the sheet."""
    annotation = "valence,arousal\n" + "0.1,0.2\n" * FRAMES
    with (folder / "samples.tsv").open("a") as sheet:
        for number in numbers:
            name = f"film{number:05d}"
            box = (16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big")
            (folder / f"{name}.mp4").write_bytes(film + box)
            (folder / f"{name}.txt").write_text(annotation)
            split = ("train", "train", "val", "test")[number % 4]
            text = f"{name}.txt" if split != "test" else ""
            sheet.write(f"{name}\t{name}.mp4\t{text}\t{split}\n")


def snakemake(folder: Path, features: list[str], *options: str) -> tuple[float, str]:
    """Run Snakemake on the corpus with an experiment of these features: seconds, and its words."""
    experiment = {
        "encoder": "lstm",
        "features": features,
        "strategy": "official",
        "seeds": [0],
    }
    config = {
        "samples": str(folder / "samples.tsv"),
        "results": str(folder / "results"),
        "shards": 32,
        "features": MORE,
        "experiments": {"lstm_all": experiment, **dict.fromkeys(INHERITED)},
        "ensembles": {
            "main": {"valence": ["lstm_all"], "arousal": ["lstm_all"], "seeds": [0]},
            **dict.fromkeys(("seed0", "seed1", "seed2")),
        },
        "submissions": dict.fromkeys(("seed0", "seed1", "seed2")),
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "--configfile", "config/demo.yaml"]
    started = time.monotonic()
    done = subprocess.run(
        [*command, str(folder / "config.yaml"), *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stdout[-4000:])
    return time.monotonic() - started, done.stdout


INHERITED = [
    *yaml.safe_load((ROOT / "config.yaml").read_text())["experiments"],
    *yaml.safe_load((ROOT / "config/demo.yaml").read_text())["experiments"],
]


def made(results: Path) -> dict[str, int]:
    """Samples that each stage of the last run made, by its logs."""
    counts: dict[str, int] = {}
    for log in sorted((results / "logs").glob("*/*-of-*.log")):
        if found := MADE.search(log.read_text()):
            counts[log.parent.name] = counts.get(log.parent.name, 0) + int(found[1])
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=600)
    parser.add_argument("--cores", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        film = make_film(folder)
        (folder / "samples.tsv").write_text("sample\tvideo\tannotation\tsplit\n")
        add_samples(folder, film, range(arguments.samples))
        cores = ["--cores", str(arguments.cores)]
        first, _ = snakemake(folder, [*ALL, *MORE], *cores, "-n")
        again, text = snakemake(folder, [*ALL, *MORE], *cores, "-n")
        jobs = text.count("\nJob ")
        print(
            f"dry run, {arguments.samples} samples, {len(ALL) + len(MORE)} extractors, {jobs} jobs:"
        )
        print(
            f"{first:.1f} s with hashing, {again:.1f} s after it (limit {LIMIT_S:g} s)", flush=True
        )

        used, results = ["densenet", "egemaps"], folder / "results"
        targets = [f"{results}/list_failures.tsv"]
        taken, _ = snakemake(folder, used, *cores, "--", *targets)
        counts = made(results)
        print(f"first run: {taken:.0f} s, made {counts}", flush=True)
        for stage in ("extract_egemaps", "extract_densenet"):
            indexes = [str(path) for path in (results / "index" / stage).iterdir()]
            shutil.rmtree(results / "index" / stage)
            # By name: what is missing in mid-graph is not made again by itself.
            dry, _ = snakemake(folder, used, *cores, "-n", "--", *indexes)
            taken, _ = snakemake(folder, used, *cores, "--", *indexes)
            cost = (taken - dry) * arguments.cores / len(indexes)
            print(f"{stage}: {len(indexes)} jobs that make nothing: {cost:.2f} s a job")

        shutil.rmtree(results / "logs")
        add_samples(folder, film, range(arguments.samples, arguments.samples + 1))
        taken, _ = snakemake(folder, used, *cores, "--", *targets)
        counts = made(results)
        print(f"one more film: {taken:.1f} s, made {counts}")
        # All films sound the same: what is computed from the sound is in the store already.
        holds = again < LIMIT_S and counts.pop("extract_egemaps") == 0
        holds = holds and set(counts.values()) == {1}
        print("holds" if holds else "DOES NOT HOLD")
        sys.exit(not holds)


if __name__ == "__main__":
    main()
