"""Still faces for training the visual networks: other people than the videos', labels known.

People are drawn, filmed and lit as in the videos, one picture every few seconds. Each picture has
the expression class of its place in the circumplex, and the intensities of the action units that
the drawing moves. The pictures are cropped and aligned as the workflow does with the videos.
"""

import csv
import math
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from demo.corpus.film import draw, expression_of, shown
from demo.corpus.latents import DRIFTS, NUISANCE, Latents, stratified
from demo.corpus.plan import CASTS, STRATA, Clip, Subject, Video

INTERVAL_S = 3.0  # between two pictures of a person: pose, gaze and light are others then
SHARES = {"train": 0.7, "val": 0.15, "test": 0.15}  # of the people
REACH = 0.93  # of valence and arousal, as in the videos
NEUTRAL = 0.28  # distance from the origin up to which a face is neutral
SECTORS = (  # of the circumplex: from this angle on (degrees, from valence towards arousal)
    (-60.0, "happiness"),
    (50.0, "surprise"),
    (95.0, "fear"),
    (130.0, "anger"),
    (165.0, "disgust"),
    (195.0, "contempt"),
    (225.0, "sadness"),
)
ACTION_UNITS = (1, 2, 4, 5, 6, 12, 15, 20, 25, 26)  # that the drawing moves
COLUMNS = ("image", "split", "subject", "expression", *(f"AU{unit}" for unit in ACTION_UNITS))
LABELS = "stills.csv"
MIN_FACE_SIZE = 80  # px, as in config/demo.yaml
JPEG = (cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111)


@dataclass(frozen=True)
class Sitting:
    """One person's pictures.

    Attributes:
        split: that all of them belong to.
        video: the person, as in a film of a frame every few seconds.
        speech: how far the mouth opens in speaking, a picture.
    """

    split: str
    video: Video
    speech: NDArray[np.float64]


def expression_class(valence: float, arousal: float) -> str:
    """Name of the expression at a place of the circumplex."""
    if math.hypot(valence, arousal) < NEUTRAL:
        return "neutral"
    angle = math.degrees(math.atan2(arousal, valence))
    past = (angle - SECTORS[0][0]) % 360 + SECTORS[0][0]
    return next(name for start, name in reversed(SECTORS) if past >= start)


def action_units(valence: float, arousal: float, speech: float) -> dict[int, float]:
    """Intensities, 0 to 5, of `ACTION_UNITS`, from the numbers that the face is drawn with."""
    face = expression_of(valence, arousal, speech)
    strengths = {
        1: face.brow_raise - 0.9 * max(0.0, face.frown),  # a frown draws the inner ends down
        2: face.brow_raise,
        4: face.frown,
        5: 2 * (face.eye_open - 1),
        6: face.smile,  # the drawing lifts lower lid and cheek with the smile
        12: face.smile,
        15: -face.smile,
        20: 3 * face.spread,
        25: 4 * face.mouth_open,
        26: 1.5 * face.mouth_open,
    }
    return {unit: 5 * min(1.0, max(0.0, strengths[unit])) for unit in ACTION_UNITS}


def plan_stills(seed: int, size: str) -> list[Sitting]:
    """Who sits, and what each picture shows; without pixels."""
    people, pictures = CASTS[size].stills
    rng = np.random.default_rng([seed, 3])  # the videos' splits have 0 to 2
    spread = {name: stratified(rng, people) for name in STRATA}
    bounds = np.cumsum([round(people * share) for share in SHARES.values()])
    times = np.arange(pictures) * INTERVAL_S
    sittings = []
    for person in range(people):
        split = list(SHARES)[min(int(np.searchsorted(bounds, person, side="right")), 2)]
        # Each latent evenly spread in its own order: no class is rare in any person.
        valence, arousal = (REACH * (2 * stratified(rng, pictures) - 1) for _ in range(2))
        latents = Latents(
            valence=valence,
            arousal=arousal,
            cues={cue: valence if cue.endswith("valence") else arousal for cue in NUISANCE},
            drifts={name: rng.standard_normal(pictures).clip(-1.8, 1.8) for name in DRIFTS},
        )
        never, always = np.zeros(pictures, bool), np.ones(pictures, bool)
        subject = Subject(
            sample=f"still{person:03d}",
            position="largest",
            person=f"still{person:03d}",
            strata={key: float(values[person]) for key, values in spread.items()},
            latents=latents,
            hidden=never,
            covered=never,
            labelled=always,
        )
        video = Video(
            name=subject.sample,
            clip=Clip(split, (person,)),
            group=subject.person,
            ticks=None,
            times=times,
            subjects=(subject,),
            seed=(seed, 3, person),
        )
        speech = rng.uniform(0.0, 1.0, pictures) * (rng.random(pictures) < 0.6)
        sittings.append(Sitting(split, video, speech))
    return sittings


def make_stills(seed: int, size: str, folder: Path, pool: Executor, workers: int) -> None:
    """Draw, crop and label all pictures into the folder: ``stills.csv`` and ``images``."""
    (folder / "images").mkdir(parents=True)
    sittings = plan_stills(seed, size)
    shares = [sittings[k::workers] for k in range(workers)]
    made = [rows for part in pool.map(_sit, shares, [folder] * workers) for rows in part]
    with (folder / LABELS).open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(sorted(made))


def _sit(sittings: list[Sitting], folder: Path) -> list[tuple[str, ...]]:
    """Make the pictures of some people; the rows of their labels."""
    import torch

    from circumplex.config.faces import FaceOptions
    from circumplex.faces.detector import FaceDetector
    from circumplex.faces.similarity import crop_face

    torch.set_num_threads(1)
    detector = FaceDetector(FaceOptions(min_face_size=MIN_FACE_SIZE), "cpu")
    rows = []
    for sitting in sittings:
        video = sitting.video
        latents = video.subjects[0].latents
        rng = np.random.default_rng(video.seed)
        images = list(draw(video, [sitting.speech], rng))
        for k, (image, found) in enumerate(zip(images, detector.detect(images), strict=True)):
            if not len(found):
                continue  # blurred beyond recognition: the videos lose such frames too
            crop = crop_face(image, found.landmarks[0])
            name = f"images/{video.name}_{k:02d}.jpg"
            cv2.imwrite(str(folder / name), cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), JPEG)
            valence, arousal = (
                float(shown(latents.cues[cue])[k]) for cue in ("face_valence", "face_arousal")
            )
            units = action_units(valence, arousal, float(sitting.speech[k]))
            rows.append(
                (
                    name,
                    sitting.split,
                    video.subjects[0].person,
                    expression_class(float(latents.valence[k]), float(latents.arousal[k])),
                    *(f"{intensity:.2f}" for intensity in units.values()),
                )
            )
    return rows
