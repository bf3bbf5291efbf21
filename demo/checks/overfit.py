"""Does each recipe learn at all? ``python -m demo.checks.overfit --corpus DIR --depth 18``.

Each recipe of config.yaml is trained on 64 of the corpus's still faces, without augmentation, and
scored on the same faces: it must recognise more than 0.95 of them (expression), or reach a mean F1
above 0.95 (action units). Optimiser, loss, heads and averaging are the recipe's; batches of 16, a
constant rate from random weights and float32, which every processor has, take the place of what
suits a million images and a GPU.
"""

import argparse
import contextlib
import csv
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml

from circumplex.backbones.stills import (
    EXPRESSIONS,
    SetDescription,
    Still,
    StillSplit,
    write_stills,
)
from circumplex.backbones.train import train_backbone
from circumplex.config.recipes import Recipe
from demo.checks.runs import ROOT
from demo.corpus.stills import LABELS

IMAGES = 64
GOAL = 0.95
OFF = {
    "densenet": {"pad": 0, "flip": 0, "rotation_deg": 0},
    "iresnet": dict.fromkeys(
        (
            *("flip", "rotation_deg", "scale", "shift_px", "brightness", "contrast"),
            *("saturation", "grey", "blur", "erasing"),
        ),
        0,
    ),
}


class _Reached(Exception):
    """The goal, before the last epoch."""


def overfit(recipe: Mapping[str, Any], stills: Path, epochs: int) -> tuple[int, float]:
    """Train a recipe on 64 faces; the epoch that reached the goal (or the last) and its score."""
    with (stills / LABELS).open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] != "test"][:IMAGES]
    units = {int(name[2:]): name for name in rows[0] if name.startswith("AU")}
    description = SetDescription(
        "faces", "image_table", str(stills.resolve()), EXPRESSIONS, tuple(units)
    )
    values = {
        **{k: v for k, v in recipe.items() if k not in ("start", "paper", "patience")},
        "phases": [["faces"]],
        "augmentation": OFF[recipe["network"]],
        "batch_size": 16,
        "learning_rate": 1e-3,
        "decay": "constant",
        "epochs": epochs,
        "ema": 0.9 if "ema" in recipe else None,  # an epoch has four steps
        "precision": "float32",
    }
    last = (0, 0.0)

    def on_epoch(row: Mapping[str, Any]) -> None:
        nonlocal last
        last = row["epoch"], row["score"]
        if last[1] > GOAL:
            raise _Reached

    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "faces.parquet")
        write_stills(
            table,
            description,
            [
                Still(
                    row["image"],
                    split,
                    label=EXPRESSIONS.index(row["expression"]),
                    action_units=tuple(float(row[name]) for name in units.values()),
                )
                for split in (StillSplit.TRAIN, StillSplit.VAL)
                for row in rows
            ],
        )
        with contextlib.suppress(_Reached):
            train_backbone(
                Recipe.parse("overfit", values),
                {"faces": table},
                Path(folder, "work"),
                on_epoch=on_epoch,
            )
    return last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--depth", type=int, default=18, help="of the IResNets")
    parser.add_argument("--channels", type=int, default=64, help="of the IResNets' first stage")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--recipes", nargs="+", help="of config.yaml; all by default")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    recipes = yaml.safe_load((ROOT / "config.yaml").read_text())["backbones"]["recipes"]
    holds = True
    print("recipe\tdepth\tepochs\tscore\tminutes")
    for name in arguments.recipes or recipes:
        recipe = recipes[name]
        if "depth" in recipe:
            recipe["depth"], recipe["channels"] = arguments.depth, arguments.channels
        began = time.monotonic()
        epoch, score = overfit(recipe, arguments.corpus / "stills", arguments.epochs)
        took = (time.monotonic() - began) / 60
        print(f"{name}\t{recipe.get('depth', 100)}\t{epoch}\t{score:.3f}\t{took:.1f}", flush=True)
        holds &= score > GOAL
    print("holds" if holds else "DOES NOT HOLD")
    sys.exit(not holds)


if __name__ == "__main__":
    main()
