"""Make the demo corpus: ``python -m demo.corpus.make --seed 0 --size demo --out DIR --truth DIR2``.

``DIR`` gets videos, annotations in the layout of Aff-Wild2, split lists and ``samples.tsv``, and
still faces with expression classes and action units;
``DIR2`` the truth of the test split, which the pipeline must not see. The same seed, size and
code give the same files; a second call does nothing.
"""

import argparse
import hashlib
import json
import tempfile
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from demo.corpus.film import make_video
from demo.corpus.plan import CASTS, SPLITS, Subject, plan_corpus
from demo.corpus.stills import make_stills

ANNOTATIONS = "annotations/VA_Estimation_Challenge"
FOLDERS = {"train": "Train_Set", "val": "Validation_Set"}
COLUMNS = ("sample", "video", "subject", "annotation", "split", "group")
NO_LABEL = -5.0
STAMP = "stamp.json"
# The modules of this package: each of them decides the bytes of the corpus.
GENERATORS = ("brush", "faces", "film", "latents", "make", "plan", "stills", "voices")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", choices=sorted(CASTS), default="demo")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    made = make_corpus(
        arguments.seed, arguments.size, arguments.out, arguments.truth, arguments.workers
    )
    print(f"{arguments.out}: {'made' if made else 'up to date'}")


def make_corpus(seed: int, size: str, out: Path, truth: Path, workers: int = 2) -> bool:
    """Make the corpus unless it is there already; returns whether anything was made.

    Raises:
        FileExistsError: ``out`` or ``truth`` holds something that this command did not make.
        ValueError: one of the two folders lies within the other.
    """
    out, truth = out.resolve(), truth.resolve()
    if out.is_relative_to(truth) or truth.is_relative_to(out):
        raise ValueError(f"the truth ({truth}) and the corpus ({out}) must be apart")
    stamp = json.dumps({"seed": seed, "size": size, "code": _code_digest()}, sort_keys=True)
    if all(_stamp_of(folder) == stamp for folder in (out, truth)):
        return False
    for folder in (out, truth):
        if folder.exists() and any(folder.iterdir()) and not (folder / STAMP).is_file():
            raise FileExistsError(f"{folder} holds other files: name a new or empty folder")
        folder.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as new_out,
        tempfile.TemporaryDirectory(prefix=f".{truth.name}.", dir=truth.parent) as new_truth,
    ):
        _fill(seed, size, Path(new_out) / "new", Path(new_truth) / "new", workers)
        for new, folder in ((Path(new_out), out), (Path(new_truth), truth)):
            (new / "new" / STAMP).write_text(stamp + "\n")
            if folder.exists():
                folder.rename(new / "old")
            (new / "new").rename(folder)
    return True


def _stamp_of(folder: Path) -> str | None:
    path = folder / STAMP
    return path.read_text().strip() if path.is_file() else None


def _code_digest() -> str:
    """Digest of what decides the bytes: the sources that draw and speak, their libraries."""
    digest = hashlib.sha256()
    for module in GENERATORS:
        digest.update((Path(__file__).parent / f"{module}.py").read_bytes())
    for library in ("numpy", "scipy", "opencv-python-headless", "av"):
        digest.update(f"{library} {version(library)}\n".encode())
    return digest.hexdigest()


def _fill(seed: int, size: str, out: Path, truth: Path, workers: int) -> None:
    videos = plan_corpus(seed, size)
    (out / "videos").mkdir(parents=True)
    (out / "splits").mkdir()
    truth.mkdir()
    # The longest first, so that no worker is left alone with it at the end.
    order = sorted(videos, key=lambda video: -len(video.times) * len(video.subjects))
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_one_thread) as pool:
        list(pool.map(make_video, order, [out / "videos"] * len(order)))
        make_stills(seed, size, out / "stills", pool, workers)
    rows = ["\t".join(COLUMNS)]
    for video in videos:
        for subject in video.subjects:
            split = video.clip.split
            annotation = ""
            if split in FOLDERS:
                annotation = f"{ANNOTATIONS}/{FOLDERS[split]}/{subject.sample}.txt"
            target = out / annotation if annotation else truth / f"{subject.sample}.txt"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(annotation_text(subject, video.clip.extra_rows))
            film = f"videos/{video.name}{video.clip.suffix}"
            cells = (subject.sample, film, subject.position, annotation, split, video.group)
            rows.append("\t".join(cells))
    (out / "samples.tsv").write_text("\n".join(rows) + "\n")
    for split in SPLITS:
        names = [s.sample for v in videos if v.clip.split == split for s in v.subjects]
        (out / "splits" / f"{split}.txt").write_text("\n".join(names) + "\n")


def _one_thread() -> None:
    cv2.setNumThreads(1)


def annotation_text(subject: Subject, extra_rows: int) -> str:
    """An annotation file: a row a frame, -5 where there is no label, the last row repeated."""
    values = np.stack([subject.latents.valence, subject.latents.arousal], axis=1)
    values[~subject.labelled] = NO_LABEL
    rows: NDArray[np.float64] = np.pad(values, ((0, extra_rows), (0, 0)), mode="edge")
    lines = [",".join(f"{value:.3f}" if value >= -1 else "-5" for value in row) for row in rows]
    return "\n".join(["valence,arousal", *lines]) + "\n"


if __name__ == "__main__":
    main()
