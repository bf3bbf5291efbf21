"""The control: a permutation test. ``python -m demo.checks.control --results DIR --truth DIR2``.

Annotations of training and validation are dealt out anew in random order (resampled to the length
of the sample that gets them); the withheld test annotations stay. What is trained on them scores
what it would score if pictures and sound said nothing. Two things must hold for each target:

- The real annotations score above every shuffle: with so many shuffles p = 1 / (shuffles + 1).
- The mean over the shuffles lies within two standard errors of zero. Single shuffles scatter
  widely, since the loss scales a weak relation up to full variance; their mean does not.

A leak, by which test annotations reach the model, lifts the shuffles. Models are trained as the
workflow trains them, on the features of a finished run. Number of shuffles, their order and the
seeds are fixed below; the first run on a corpus is the one to report.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from circumplex.annotations.labels import SCHEMA, read_labels_table
from circumplex.config.smoothing import Convention
from circumplex.config.training import TrainingSpec
from circumplex.features.pack_reader import PackReader
from circumplex.io.parquet import TableWriter, read_metadata
from circumplex.model.checkpoints import load_model
from circumplex.predictions.smoothing import SmoothingSpec, smooth
from circumplex.training.dataset import LabelReader
from circumplex.training.predict import Predictor
from circumplex.training.train import Training, TrainingData
from demo.checks.score import NO_LABEL, TARGETS, ccc, read_rows

SHUFFLES = 19
"""The fewest by which p can be 0.05. Shuffle k permutes by a generator of seed k."""
TRAINING_SEED = 0
"""Seed of every training, on real and on shuffled annotations."""
RUN = "lstm_DIF_WVCE/official/seed0"
"""The model of the finished run that is trained again."""
LIMIT_P = 0.05
Values = NDArray[np.float32]


@dataclass(frozen=True)
class Material:
    """What a finished run was trained on.

    Attributes:
        spec: what is trained, and how.
        packs: indexes of the packs by feature.
        train, val: annotations by sample, (frames, 2); NaN where a frame is not annotated.
        truth: withheld annotations of the test samples.
        smoothing: of the predictions.
    """

    spec: TrainingSpec
    packs: Mapping[str, Sequence[Path]]
    train: Mapping[str, Values]
    val: Mapping[str, Values]
    truth: Mapping[str, Values]
    smoothing: SmoothingSpec

    def reader(self, annotations: Mapping[str, Values], folder: Path) -> PackReader:
        """Features for a training: those of the finished run, whatever the annotations are.

        Args:
            annotations: that the model is trained on.
            folder: for further files.
        """
        del annotations, folder
        return PackReader(self.packs)


@dataclass(frozen=True)
class Finding:
    """What the control says of a target.

    Attributes:
        real: CCC by the real annotations.
        shuffled: CCC by each shuffle.
    """

    real: float
    shuffled: tuple[float, ...]

    @property
    def p(self) -> float:
        """Chance of a score as high as the real one if annotations and samples had no relation."""
        as_high = sum(value >= self.real for value in self.shuffled)
        return (1 + as_high) / (1 + len(self.shuffled))

    @property
    def mean(self) -> float:
        """Mean CCC over the shuffles."""
        return float(np.mean(self.shuffled))

    @property
    def two_errors(self) -> float:
        """Two standard errors of the mean."""
        return float(2 * np.std(self.shuffled, ddof=1) / np.sqrt(len(self.shuffled)))

    @property
    def holds(self) -> bool:
        """Whether the real score stands out, and the shuffles score nothing."""
        return self.p <= LIMIT_P and abs(self.mean) <= self.two_errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, required=True, help="of a finished run")
    parser.add_argument("--truth", type=Path, required=True, help="withheld annotations")
    parser.add_argument("--run", default=RUN, help="model to train again")
    parser.add_argument("--cores", type=int, default=2)
    arguments = parser.parse_args()
    material = read_material(arguments.results, arguments.truth, arguments.run)
    found = run_control(material, arguments.cores)
    for line in describe(found, arguments.run):
        print(line)
    sys.exit(not all(finding.holds for finding in found.values()))


def read_material(results: Path, truth: Path, run: str) -> Material:
    """What a model of a finished run was trained on, and the annotations withheld from it."""
    trained = load_model(results / "train_encoder" / f"{run}.pt").metadata
    chosen = read_metadata(results / "smooth_predictions" / f"{run}.parquet")["smoothing"]

    def labels(samples: Sequence[str]) -> dict[str, Values]:
        paths = {sample: results / "read_labels" / f"{sample}.parquet" for sample in samples}
        return {sample: read_labels_table(path) for sample, path in paths.items()}

    spec = TrainingSpec.read(trained["options"])
    return Material(
        spec=spec,
        packs={f: sorted((results / "pack_features" / f).glob("*.json")) for f in spec.features},
        train=labels(trained["train_samples"]),
        val=labels(trained["val_samples"]),
        truth={path.stem: read_truth(path) for path in sorted(truth.glob("*.txt"))},
        smoothing=SmoothingSpec(**{**chosen, "convention": Convention(chosen["convention"])}),
    )


def read_truth(path: Path) -> Values:
    """A withheld annotation; NaN in both columns where a frame is not annotated."""
    values = read_rows(path).astype(np.float32)
    values[(values == NO_LABEL).any(axis=1)] = np.nan
    return values


def run_control(material: Material, cores: int, shuffles: int = SHUFFLES) -> dict[str, Finding]:
    """Train on the real annotations and on each shuffle; what came out, by target."""
    torch.set_num_threads(1)
    numbers = range(shuffles + 1)
    if cores == 1:
        scores = [score_shuffle(material, number) for number in numbers]
    else:
        with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
            scores = list(pool.map(score_shuffle, [material] * len(numbers), numbers))
    real, *shuffled = scores
    return {t: Finding(real[t], tuple(score[t] for score in shuffled)) for t in TARGETS}


def score_shuffle(material: Material, number: int) -> dict[str, float]:
    """CCC on the test samples after training on a shuffle, or for 0 on the real annotations."""
    torch.set_num_threads(1)
    annotations = {**material.train, **material.val}
    if number:
        annotations = shuffle(annotations, number)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reader = material.reader(annotations, folder)
        data = TrainingData(
            reader,
            LabelReader(dict(write_labels(annotations, folder))),
            list(material.train),
            list(material.val),
        )
        training = Training(material.spec, data, seed=TRAINING_SEED, work=folder / "work")
        predictor = Predictor(training.run().model, reader)
        return score(material, predictor)


def shuffle(annotations: Mapping[str, Values], number: int) -> dict[str, Values]:
    """Deal annotations out anew, resampled to the length of the one that they replace.

    In any order, where by chance a sample may keep its own: were that ruled out, annotation and
    sample would correlate by -1 / (samples - 1), and a loss of CCC scales what is weak up.
    """
    samples = sorted(annotations)
    order = np.random.default_rng(number).permutation(len(samples))
    dealt = {}
    for sample, other in zip(samples, order, strict=True):
        values = annotations[samples[other]]
        rows = np.linspace(0, len(values) - 1, len(annotations[sample])).round().astype(int)
        dealt[sample] = values[rows]
    return dealt


def write_labels(annotations: Mapping[str, Values], folder: Path) -> Iterator[tuple[str, Path]]:
    """Write a table of labels per sample, as the stage ``read_labels`` does."""
    for number, (sample, values) in enumerate(annotations.items()):
        path = folder / f"{number}.parquet"
        with TableWriter(path, SCHEMA, {}) as table:
            table.write(
                frame=np.arange(len(values)),
                time_s=np.arange(len(values), dtype=float),
                valence=values[:, 0],
                arousal=values[:, 1],
                annotated=~np.isnan(values).all(axis=1),
            )
        yield sample, path


def score(material: Material, predictor: Predictor) -> dict[str, float]:
    """CCC of smoothed predictions over all annotated frames of the test samples."""
    true, predicted = [], []
    for sample, annotation in material.truth.items():
        values = smooth(predictor.predict(sample), material.smoothing)
        annotated = ~np.isnan(annotation).any(axis=1)
        true.append(annotation[annotated])
        predicted.append(values[annotated])
    y, x = np.concatenate(true).astype(float), np.concatenate(predicted).astype(float)
    return {target: ccc(y[:, i], x[:, i]) for i, target in enumerate(TARGETS)}


def describe(found: Mapping[str, Finding], run: str) -> Iterator[str]:
    """The findings as a table, one column for each target."""
    yield f"CCC of {run} on the withheld test annotations, {SHUFFLES} shuffles"
    rows = {
        "real annotations": lambda finding: f"{finding.real:.3f}",
        "highest shuffle": lambda finding: f"{max(finding.shuffled):.3f}",
        "p": lambda finding: f"{finding.p:.3f}",
        "mean of shuffles": lambda finding: f"{finding.mean:+.3f}",
        "two standard errors": lambda finding: f"{finding.two_errors:.3f}",
        "": lambda finding: "holds" if finding.holds else "DOES NOT HOLD",
    }
    yield f"{'':<20}" + "".join(f"{target:>15}" for target in found)
    for name, cell in rows.items():
        yield f"{name:<20}" + "".join(f"{cell(finding):>15}" for finding in found.values())


if __name__ == "__main__":
    main()
