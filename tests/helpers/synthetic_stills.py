"""Miniatures of still-image sets, in exactly the layouts in which they are handed out."""

import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from circumplex.backbones.sets.ferplus import VOTES

LANDMARKS = np.column_stack([np.linspace(10, 50, 68), 30 + 15 * np.sin(np.arange(68))])
"""68 points that lie in no line."""


def pixels(seed: int, side: int = 48) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side), np.uint8)


def write_image(path: Path, seed: int, side: int = 48) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels(seed, side))


def write_csv(path: Path, rows: Sequence[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


# usage, has a face, votes for VOTES in order
FERPLUS = [
    ("Training", True, (9, 0, 0, 0, 0, 0, 0, 0, 1, 0)),
    ("Training", False, (0, 0, 0, 0, 0, 0, 0, 0, 0, 10)),
    ("Training", True, (4, 0, 0, 4, 1, 0, 0, 0, 1, 0)),  # no majority, two expressions
    ("Training", True, (2, 0, 0, 0, 0, 0, 0, 0, 8, 0)),  # unknown
    ("PublicTest", True, (0, 8, 2, 0, 0, 0, 0, 0, 0, 0)),
    ("PublicTest", True, (5, 0, 0, 5, 0, 0, 0, 0, 0, 0)),  # no majority: not scored
    ("PrivateTest", True, (0, 0, 0, 0, 0, 0, 0, 9, 1, 0)),
]


def make_ferplus(folder: Path, as_folders: bool = False) -> Path:
    labels: list[list[object]] = [["Usage", "Image name", *VOTES]]
    images: list[list[object]] = [["emotion", "pixels", "Usage"]]
    places = {
        "Training": "FER2013Train",
        "PublicTest": "FER2013Valid",
        "PrivateTest": "FER2013Test",
    }
    number = 0  # of the name: rows without a face have none, so it runs behind the row
    for row, (usage, face, votes) in enumerate(FERPLUS):
        name = f"fer{number:07d}.png" if face else ""
        labels.append([usage, name, *votes])
        images.append([0, " ".join(map(str, pixels(row).reshape(-1))), usage])
        if face and as_folders:
            write_image(folder / places[usage] / name, row)
        number += face
    write_csv(folder / "fer2013new.csv", labels)
    if not as_folders:
        write_csv(folder / "fer2013.csv", images)
    return folder


RAFDB = {
    "train_00001": 5,
    "train_00002": 7,
    "train_00003": 1,
    "test_0001": 4,
    "test_0002": 2,
}


def make_rafdb(folder: Path) -> Path:
    path = folder / "basic/EmoLabel/list_patition_label.txt"
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"{name}.jpg {label}\n" for name, label in RAFDB.items()))
    for seed, name in enumerate(RAFDB):
        write_image(folder / f"basic/Image/aligned/{name}_aligned.jpg", seed, 100)
    return folder


# expression, valence, arousal
AFFECTNET = {
    "training": [(0, 0.0, 0.0), (1, 0.8, 0.1), (7, -0.5, 0.3), (9, -2, -2), (2, -0.7, -0.25)],
    "validation": [(3, 0.2, 0.9), (10, -2, -2), (6, -0.5, 0.6)],
}


def make_affectnet(folder: Path, in_folders: bool = False) -> Path:
    seed = 0
    columns = (
        "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
        "expression,valence,arousal"
    )
    for part, rows in AFFECTNET.items():
        listed: list[list[object]] = [columns.split(",")]
        for number, (expression, valence, arousal) in enumerate(rows):
            seed += 1
            if in_folders:
                place = folder / ("train_set" if part == "training" else "val_set")
                write_image(place / f"images/{number}.jpg", seed, 60)
                values = {"exp": str(expression), "val": str(valence), "aro": arousal}
                values["lnd"] = LANDMARKS.reshape(-1)
                (place / "annotations").mkdir(exist_ok=True)
                for kind, value in values.items():
                    np.save(place / f"annotations/{number}_{kind}.npy", np.array(value))
            else:
                image = f"{seed % 3}/{seed:05x}.jpg"
                write_image(folder / "Manually_Annotated_Images" / image, seed, 60)
                points = ";".join(f"{value:.2f}" for value in LANDMARKS.reshape(-1))
                box = (5, 5, 50, 50)
                listed.append([image, *box, points, expression, valence, arousal])
        if not in_folders:
            write_csv(folder / f"{part}.csv", listed)
    return folder


PEOPLE = [f"F{k:03d}" for k in range(1, 5)] + ["M001"]
BP4D_UNITS = (1, 2, 4, 12)


def make_bp4d(folder: Path) -> Path:
    for person in PEOPLE:
        rows: list[list[object]] = [[0, *BP4D_UNITS]]
        intensities: dict[int, list[list[object]]] = {6: [], 12: []}
        for frame in range(8, 14):
            rows.append([frame, frame % 2, 9, 0, 1])
            for unit, values in intensities.items():
                values.append([frame, 9 if frame == 8 else (frame + unit) % 6])
            if frame != 10:
                write_image(folder / f"crops/{person}/T1/{frame:04d}.jpg", frame)
        write_csv(folder / f"AUCoding/AU_OCC/{person}_T1.csv", rows)
        for unit, values in intensities.items():
            write_csv(folder / f"AUCoding/AU_INT/AU{unit:02d}/{person}_T1_AU{unit:02d}.csv", values)
    return folder


DISFA_UNITS = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)


def make_disfa(folder: Path, first_frame: int = 1) -> Path:
    for person in ("SN001", "SN002", "SN032"):
        for unit in DISFA_UNITS:
            rows = [[frame, (frame + unit) % 6] for frame in range(1, 6)]
            write_csv(folder / f"ActionUnit_Labels/{person}/{person}_au{unit}.txt", rows)
        for frame in range(1, 5):
            write_image(folder / f"crops/{person}/{frame - 1 + first_frame}.png", frame)
    return folder
