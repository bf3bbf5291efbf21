"""Training of the DenseNet on a CPU, beside a plain loop on the same images in one run.

    .venv/bin/python benchmarks/backbone_training.py

The plain loop is what torchvision's examples show: torchvision's DenseNet with the stem of the FER+
network, its transforms on images in memory, a DataLoader without workers, channels last,
cross-entropy and Adam. Ours is `train_backbone` with everything that belongs to it: PNGs decoded
from the table, draws that resume, the log and the state after each epoch. Both train on one thread
(``--threads``), turn by turn, and the best round of each counts, in images per CPU second. It fails
where ours is slower than 0.95 of the plain loop.
"""

import argparse
import sys
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.models import DenseNet

from circumplex.backbones.stills import (
    EXPRESSIONS,
    SetDescription,
    Still,
    StillSplit,
    write_stills,
)
from circumplex.backbones.train import train_backbone
from circumplex.config.augmentation import DenseNetAugmentation
from circumplex.config.recipes import Recipe

SIDE = 48  # px, of FER+'s images
BATCH = 64
LEAST = 0.95
OF_RECIPE = DenseNetAugmentation.read({})


class Faces(Dataset[tuple[torch.Tensor, int]]):
    """Images in memory, changed by torchvision's transforms as the recipe changes them."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._images = [Image.fromarray(image) for image in images]
        self._transform = transforms.Compose(
            [
                transforms.Resize((64, 64)),
                transforms.RandomCrop(64, padding=OF_RECIPE.pad),
                transforms.RandomHorizontalFlip(),
                transforms.RandomRotation(OF_RECIPE.rotation_deg),
                transforms.ToTensor(),
                transforms.Normalize([OF_RECIPE.mean / 255], [OF_RECIPE.deviation / 255]),
            ]
        )

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, int]:
        return self._transform(self._images[number]), number % len(EXPRESSIONS)


def plain_network(blocks: tuple[int, int, int]) -> nn.Module:
    """torchvision's DenseNet-BC with a stem for one channel of 64 px."""
    network = DenseNet(12, blocks, 24, num_classes=len(EXPRESSIONS))
    parts = OrderedDict(network.features.named_children())
    for name in ("norm0", "relu0", "pool0"):
        del parts[name]
    parts["conv0"] = nn.Conv2d(1, 24, 3, stride=2, padding=1, bias=False)
    network.features = nn.Sequential(parts)
    return network


def time_plain(
    images: NDArray[np.uint8], blocks: tuple[int, int, int], precision: str
) -> Callable[[], float]:
    """A function that trains an epoch by the plain loop and returns its CPU seconds."""
    torch.manual_seed(0)
    network = plain_network(blocks).to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    loss_of = nn.CrossEntropyLoss()
    loader = DataLoader(Faces(images), BATCH, shuffle=True, drop_last=True)

    def train() -> float:
        network.train()
        began = time.process_time()
        for batch, labels in loader:
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                logits = network(batch.contiguous(memory_format=torch.channels_last))
            loss = loss_of(logits.float(), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            float(loss.detach())
        return time.process_time() - began

    return train


def time_ours(table: Path, count: int, blocks: tuple[int, int, int], precision: str) -> float:
    """CPU seconds of the second of two epochs of `train_backbone`."""
    values = {
        **{"task": "expression", "network": "densenet", "phases": [["faces"]], "epochs": 2},
        **{"blocks": list(blocks), "batch_size": BATCH, "epoch_size": count},
        "precision": precision,
    }
    ends: list[float] = []
    with tempfile.TemporaryDirectory() as work:
        train_backbone(
            Recipe.parse("faces", values),
            {"faces": table},
            Path(work),
            on_epoch=lambda _: ends.append(time.process_time()),
        )
    return ends[1] - ends[0]


def write_table(folder: Path, images: NDArray[np.uint8]) -> Path:
    """A table of stills with the images in it, all for training."""
    stills = (
        Still(
            f"{number}.png",
            StillSplit.TRAIN,
            label=number % len(EXPRESSIONS),
            inline=cv2.imencode(".png", image)[1].tobytes(),
        )
        for number, image in enumerate(images)
    )
    path = folder / "faces.parquet"
    write_stills(path, SetDescription("faces", "ferplus", "", EXPRESSIONS), stills)
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--blocks", type=int, nargs=3, default=(16, 16, 16))
    parser.add_argument("--precisions", nargs="+", default=["float32"])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    count, blocks = arguments.images // BATCH * BATCH, tuple(arguments.blocks)
    images = np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE), np.uint8)
    slower = False
    with tempfile.TemporaryDirectory() as folder:
        table = write_table(Path(folder), images)
        for precision in arguments.precisions:
            plain = time_plain(images, blocks, precision)
            plain()  # oneDNN chooses its kernels
            seconds = [
                (plain(), time_ours(table, count, blocks, precision))
                for _ in range(arguments.rounds)
            ]
            theirs, ours = (count / min(column) for column in zip(*seconds, strict=True))
            slower |= ours < LEAST * theirs
            print(
                f"blocks {blocks}, {precision}: plain loop {theirs:.1f} images per CPU second, "
                f"ours {ours:.1f} ({ours / theirs:.2f} times)"
            )
    return int(slower)


if __name__ == "__main__":
    sys.exit(main())
