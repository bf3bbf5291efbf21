"""Accuracy of the starter on FER+: ``python -m demo.checks.starter_accuracy --ferplus DIR``.

The folder is laid out as docs/backbones.md says. Test images count where more than half of the ten
votes are for one of the seven expressions that the network knows; rows that share a name are left
out. The authors of the weights may have chosen them on these very images: see docs/prediction.md.
"""

import argparse
import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from tabulate import tabulate

from circumplex.config.catalogue import published_weights, weights_folder
from circumplex.config.extractors.mini_xception import EXPRESSIONS
from circumplex.features.extractors.mini_xception import build

FERPLUS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""FER+'s names of the network's expressions, in the network's order."""
MAJORITY = 5
WEIGHTS = "mini_xception_fer2013"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--ferplus", type=Path, required=True, help="fer2013new.csv and images")
    folder = parser.parse_args().ferplus
    labelled = list(read_labels(folder / "fer2013new.csv"))
    paths = [folder / "FER2013Test" / name for name, _ in labelled]
    expected = np.array([label for _, label in labelled])
    found = classify(paths)
    rows = [
        [name, int((expected == k).sum()), (found[expected == k] == k).mean()]
        for k, name in enumerate(EXPRESSIONS)
    ]
    print(tabulate(rows, ["expression", "images", "recall"], floatfmt=".3f"))
    print(f"accuracy {np.mean(found == expected):.4f} of {len(expected)} images")


def read_labels(path: Path) -> Iterator[tuple[str, int]]:
    """Name and expression of each test image on which most people agree."""
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["Usage"] == "PrivateTest"]
    names = Counter(row["Image name"] for row in rows)
    for row in rows:
        votes = [int(row[name]) for name in FERPLUS]
        if row["Image name"] and names[row["Image name"]] == 1 and max(votes) > MAJORITY:
            yield row["Image name"], int(np.argmax(votes))


def classify(paths: Sequence[Path]) -> np.ndarray:
    """The most probable expression of each image."""
    entry = published_weights()[WEIGHTS]
    network = build({"weights": str(weights_folder(entry, Path()) / entry.path)})
    images = []
    for path in paths:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise SystemExit(f"{path} is missing or not an image")
        images.append(network.prepare(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)))
    size = network.batch_size
    batches = [np.stack(images[k : k + size]) for k in range(0, len(images), size)]
    return np.concatenate([network.embed(batch) for batch in batches]).argmax(axis=1)


if __name__ == "__main__":
    main()
