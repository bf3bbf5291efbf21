"""Small sets of synthetic stills: a class is a bright part, an action unit a dark one."""

from pathlib import Path

import cv2
import numpy as np

from circumplex.backbones.stills import (
    EXPRESSIONS,
    SetDescription,
    Still,
    StillSplit,
    Target,
    write_stills,
)


def make_set(
    folder: Path,
    name: str,
    images: int = 16,
    classes: int = 8,
    units: tuple[int, ...] = (),
    target: Target = Target.MAJORITY,
    votes: tuple[float, ...] | None = None,
) -> Path:
    """A table of so many training and half as many validation and test images."""
    root = folder / name
    root.mkdir(parents=True)
    rng = np.random.default_rng(len(name))
    stills = []
    splits = [StillSplit.TRAIN] * images
    splits += [StillSplit.VAL] * (images // 2) + [StillSplit.TEST] * (images // 2)
    for k, split in enumerate(splits):
        label = k % (classes or 1)
        image = rng.integers(90, 110, (112, 112, 3)).astype(np.uint8)
        row, column = divmod(label, 4)
        image[56 * row : 56 * row + 56, 28 * column : 28 * column + 28] += 100
        shown = tuple(float((k >> bit) & 1) for bit in range(len(units)))
        for bit, on in enumerate(shown):
            if on:
                image[20 * bit : 20 * bit + 20] //= 2
        cv2.imwrite(str(root / f"{k:03d}.png"), image)
        stills.append(
            Still(
                f"{k:03d}.png",
                split,
                label=label if classes else -1,
                votes=votes,
                action_units=shown,
                digest=bytes([k]) * 16,
            )
        )
    path = folder / f"{name}.parquet"
    description = SetDescription(
        name, "image_table", str(root), EXPRESSIONS[:classes], units, target=target
    )
    write_stills(path, description, stills)
    return path
