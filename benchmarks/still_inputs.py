"""Augmented images a second on one core, and memory against the number of images.

    .venv/bin/python benchmarks/still_inputs.py

Makes JPEGs of 112 to 256 px, smooth with some noise as photographs are, and a table of landmarks
for half of them. The images are read, decoded and augmented in this process on one thread; the
bound is 300 a second for either network. Then a process each reads tables of 1,000 and of 100,000
rows (which name the same files): its peak of memory may grow by what the rows themselves are, not
with their images.
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from circumplex.backbones.inputs import (
    DenseNetInput,
    IResNetInput,
    StillImages,
    StillInput,
    make_loader,
)
from circumplex.backbones.sampling import BalancedBatches
from circumplex.backbones.stills import SetDescription, Still, StillSplit, read_stills, write_stills
from circumplex.faces.similarity import ARCFACE_TEMPLATE

SIDES = (112, 160, 224, 256)
FILES = 400
BOUND = 300.0  # images a second and core
LARGEST_GROWTH_MB = 25.0  # from 1,000 to 100,000 rows: names, labels and landmarks of the rows
BATCH = 64


def make_images(folder: Path) -> None:
    """Files ``<number>.jpg`` of quality 90."""
    rng = np.random.default_rng(0)
    for number in range(FILES):
        side = SIDES[number % len(SIDES)]
        coarse = rng.integers(0, 256, (12, 12, 3), np.uint8)
        picture = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC).astype(int)
        noisy = np.clip(picture + rng.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number}.jpg"), noisy, [cv2.IMWRITE_JPEG_QUALITY, 90])


def make_table(folder: Path, rows: int) -> Path:
    """A table that names the files over and over; every other row has landmarks."""
    path = folder / f"{rows}.parquet"
    template = ARCFACE_TEMPLATE.reshape(-1)
    stills = (
        Still(
            f"{row % FILES}.jpg",
            StillSplit.TRAIN,
            label=row % 8,
            landmarks=tuple(template * SIDES[row % len(SIDES)] / 112) if row // 4 % 2 else None,
        )
        for row in range(rows)
    )
    write_stills(path, SetDescription("made", "image_table", str(folder)), stills)
    return path


def rate(table: Path, transform: StillInput, images: int) -> float:
    """Images a second, loading included."""
    stills = read_stills(table)
    batches = BalancedBatches([stills.labels], BATCH, seed=0, epoch_size=images, balance=1.0)
    loader = make_loader(StillImages([stills], transform, augment=True), batches)
    next(iter(loader))
    start = time.perf_counter()
    count = sum(len(batch.images) for batch in loader)
    return count / (time.perf_counter() - start)


def peak(table: Path, output: "multiprocessing.Queue[float]") -> None:
    """Put this process's peak of memory in MB, after an epoch of a fixed number of images."""
    rate(table, IResNetInput(), 2_000)
    output.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=4_000, help="an epoch of so many")
    images = parser.parse_args().images
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    good = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_images(folder)
        table = make_table(folder, FILES)
        everything = IResNetInput(blur=1.0, erasing=1.0)
        for title, transform in (
            ("DenseNet", DenseNetInput()),
            ("IResNet", IResNetInput()),
            ("IResNet, all blurred and erased", everything),
        ):
            speed = max(rate(table, transform, images) for _ in range(3))
            good &= speed >= BOUND
            print(f"{title}: {speed:.0f} augmented images/s on one core (bound {BOUND:.0f})")
        spawn = multiprocessing.get_context("spawn")
        peaks = []
        for rows in (1_000, 100_000):
            made, output = make_table(folder, rows), spawn.Queue()
            process = spawn.Process(target=peak, args=(made, output))
            process.start()
            peaks.append(output.get())
            process.join()
            print(f"{rows} rows: peak {peaks[-1]:.0f} MB")
    good &= peaks[1] - peaks[0] <= LARGEST_GROWTH_MB
    print("holds" if good else "DOES NOT HOLD")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
