"""Accuracy of starter networks on FER+: ``python -m demo.checks.starter_accuracy --ferplus DIR``.

The folder is laid out as docs/backbones.md says. Test images count where more than half of the ten
votes are for one of the seven expressions that both networks know; rows that share a name are left
out. The DenseNet may also answer contempt, which then counts as wrong. The authors of the
mini-Xception may have chosen its weights on these very images: see docs/prediction.md.
"""

import argparse
import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
from tabulate import tabulate

from circumplex.config.catalogue import published_weights, weights_folder
from circumplex.config.extractors.densenet_expressions import EXPRESSIONS
from circumplex.config.features import FEATURES
from circumplex.networks.densenet import grey_image

FERPLUS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""FER+'s names of the expressions, in the order of the mini-Xception."""
MAJORITY = 5
NETWORKS = {"mini_xception": FERPLUS, "densenet_expressions": EXPRESSIONS}
"""Features, and FER+'s names of their values."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--ferplus", type=Path, required=True, help="fer2013new.csv and images")
    folder = parser.parse_args().ferplus
    labelled = list(read_labels(folder / "fer2013new.csv"))
    images = [read_image(folder / "FER2013Test" / name) for name, _ in labelled]
    expected = np.array([label for _, label in labelled])
    found = {feature: classify(feature, names, images) for feature, names in NETWORKS.items()}
    rows = [
        [name, int((expected == name).sum())]
        + [(labels[expected == name] == name).mean() for labels in found.values()]
        for name in FERPLUS
    ]
    rows.append(["all", len(expected), *(np.mean(labels == expected) for labels in found.values())])
    print(tabulate(rows, ["expression", "images", *found], floatfmt=".4f"))


def read_labels(path: Path) -> Iterator[tuple[str, str]]:
    """Name and expression of each test image on which most people agree."""
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["Usage"] == "PrivateTest"]
    names = Counter(row["Image name"] for row in rows)
    for row in rows:
        votes = [int(row[name]) for name in FERPLUS]
        if row["Image name"] and names[row["Image name"]] == 1 and max(votes) > MAJORITY:
            yield row["Image name"], FERPLUS[int(np.argmax(votes))]


def read_image(path: Path) -> np.ndarray:
    """The image, RGB."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise SystemExit(f"{path} is missing or not an image")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def classify(feature: str, names: Sequence[str], images: Sequence[np.ndarray]) -> np.ndarray:
    """Name of the most probable expression of each image, by a feature with its own weights."""
    entry = published_weights()[FEATURES[feature].text.published]
    module = import_module(f"circumplex.features.extractors.{feature}")
    network = module.build({"weights": str(weights_folder(entry, Path()) / entry.path)})
    inputs = [grey_image(image) for image in images]  # framed as in training
    size = network.batch_size
    batches = [np.stack(inputs[k : k + size]) for k in range(0, len(inputs), size)]
    outputs = np.concatenate([network.embed(batch) for batch in batches])
    return np.array(names)[outputs.argmax(axis=1)]


if __name__ == "__main__":
    main()
