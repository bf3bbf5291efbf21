"""Training beside the authors' published code: validation CCC and seconds, on the same bytes.

    git clone -b RUCAIM3 https://github.com/situAI/ABAW2022_VA_Situ-RUCAIM3 published
    .venv/bin/python benchmarks/published_code.py published

Makes features and targets in the published code's own layout, imports them, and trains both sides
with the paper's hyperparameters: theirs given to its scripts' options, ours
`config/paper/published_code.yaml`. 16 videos a batch, an update a segment: all videos have as many
segments, so the updates are as many too. Every model is a process of its own, and sides take turns.

The published code runs as it is, its epochs timed from outside. It imports scores from scikit-learn
that training never calls: a placeholder serves where that is not installed.
"""

import argparse
import json
import logging
import re
import runpy
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from circumplex.cli.checkout import find_checkout

ROOT = find_checkout(Path(__file__))
FEATURES = {"densenet": 342, "wav2vec2": 768, "compare": 130}
LATENTS = 24
FRAMES = (451, 500)
"""Shortest and longest video: 5 segments of 100 or 2 of 250, the last one cut short."""
SIDES = ("published", "float32", "bfloat16")
TARGETS = ("valence", "arousal")
MODELS = {"lstm": "fclstm_xl", "transformer": "transformer"}
OPTIONS = {
    "lstm": {"lr": "3e-4", "max_seq_len": 100},
    "transformer": {
        "lr": "2e-4",
        "max_seq_len": 250,
        "num_layers": 4,
        "ffn_dim": 1024,
        "nhead": 4,
        "use_pe": None,
    },
}
"""What its scripts pass, with the paper's learning rates and, below, widths."""
DECAY_AFTER = {"lstm": 0.1, "transformer": 1 / 3}
"""Epochs at the full learning rate: its scripts' 3 and 10 of 30, as a share of all."""
SLOWEST = {"float32": 1.0, "bfloat16": 1.7}
"""Smallest ratio of training time, theirs over ours."""


@dataclass(frozen=True)
class Outcome:
    """What a training came to.

    Attributes:
        valence: best validation CCC of unsmoothed predictions over epochs.
        arousal: the same.
        updates: optimiser steps an epoch.
        train_s: seconds of training steps, an epoch each.
        val_s: seconds of one pass over the validation videos, an epoch each.
    """

    valence: float
    arousal: float
    updates: int
    train_s: list[float]
    val_s: list[float]


def make_data(root: Path, videos: dict[str, int]) -> None:
    """Features and targets in the published layout.

    Valence and arousal wander slowly, around a level of each video's own. Each feature sees them
    with an error that wanders too, so that no model can know them, and mixes what it sees, bent,
    with latents that say nothing, an offset per video, and noise per frame.
    """
    import h5py
    import numpy as np

    from circumplex.features.imports.sources import PUBLISHED_NAMES

    draw = np.random.default_rng(0)

    def wander(frames: int, columns: int, memory: float) -> Any:
        steps = draw.normal(size=(frames, columns))
        for row in range(1, frames):
            steps[row] = memory * steps[row - 1] + np.sqrt(1 - memory**2) * steps[row]
        return steps

    mixing = {
        name: draw.normal(size=(2 + LATENTS, width)) / np.sqrt(2 + LATENTS)
        for name, width in FEATURES.items()
    }
    for folder in ("features", "targets"):
        (root / folder).mkdir(parents=True)
    rows: dict[str, list[Any]] = {name: [] for name in FEATURES}
    for split, count in videos.items():
        files = {
            name: h5py.File(root / f"features/{split}_{PUBLISHED_NAMES.get(name, name)}.h5", "w")
            for name in FEATURES
        }
        with h5py.File(root / f"targets/{split}_valid_targets.h5", "w") as targets:
            for number in range(count):
                video, frames = f"{split}{number:03}", int(draw.integers(*FRAMES, endpoint=True))
                truth = np.tanh(0.6 * draw.normal(size=2) + 0.7 * wander(frames, 2, 0.99))
                targets[f"{video}/valence"], targets[f"{video}/arousal"] = truth.T
                targets[f"{video}/length"] = frames
                for name, width in FEATURES.items():
                    seen = truth + 0.5 * draw.normal(size=2) + 0.8 * wander(frames, 2, 0.98)
                    latents = np.hstack([seen, wander(frames, LATENTS, 0.97)])
                    values = np.tanh(latents @ mixing[name] * 2) + 0.4 * draw.normal(size=width)
                    values = (values + draw.normal(size=values.shape)).astype(np.float32)
                    files[name][f"{video}/fts"] = values
                    if split == "train":
                        rows[name].append(values)
        for file in files.values():
            file.close()
    scores = root / "features/mean_std_on_trn"
    scores.mkdir()
    for name, of in rows.items():
        values = np.concatenate(of)
        with h5py.File(scores / f"{PUBLISHED_NAMES.get(name, name)}.h5", "w") as file:
            file["train/mean"], file["train/std"] = values.mean(axis=0), values.std(axis=0)


def import_data(root: Path, output: Path) -> None:
    """Sheet, labels and packs from the same files, by the workflow's own functions."""
    from circumplex.annotations.labels import read_labels
    from circumplex.corpora.published_code import find_published
    from circumplex.corpora.sheet import write_sheet
    from circumplex.features.imports.files import import_features, open_feature
    from circumplex.features.packs import PackedSample, pack_features
    from circumplex.media.timeline import write_timeline

    samples = find_published(root, output / "annotations").samples
    write_sheet(samples, output / "samples.tsv")
    packed: dict[str, dict[str, PackedSample]] = {feature: {} for feature in FEATURES}
    for sample in samples:
        timeline = output / f"timeline/{sample.sample}.parquet"
        labels = output / f"labels/{sample.sample}.parquet"
        source = open_feature(root, next(iter(FEATURES)), sample.sample)
        write_timeline(source.rows, timeline, fps=25, metadata={})
        read_labels(sample.annotation, timeline, labels, max_difference=0, metadata={})
        for feature, width in FEATURES.items():
            table = output / f"{feature}/{sample.sample}.parquet"
            import_features(
                root, feature, sample.sample, timeline, table, dimension=width, metadata={}
            )
            packed[feature][sample.sample] = PackedSample(timeline, table)
    for feature, width in FEATURES.items():
        path = output / f"packs/{feature}/all"
        pack_features(
            packed[feature],
            feature,
            None,
            path.with_suffix(".npy"),
            path.with_suffix(".json"),
            dimension=width,
            dtype="float32",
        )
    names = ", ".join(FEATURES)
    text = f"samples: {output / 'samples.tsv'}\nfeatures:\n"
    for feature in FEATURES:
        text += f"  {feature}: {{import: {root}}}\n"
    text += "experiments:\n"
    for encoder in MODELS:
        chosen = f"encoder: {encoder}, features: [{names}], strategy: official, seeds: [0]"
        text += f"  {encoder}: {{{chosen}}}\n"
    text += "  lstm_D_W: null\n  transformer_D_WC: null\n  transformer_IF_WVCE: null\n"
    text += "ensembles: {main: {valence: [lstm], arousal: [transformer]}}\n"
    (output / "config.yaml").write_text(text)


def train_ours(run: argparse.Namespace) -> Outcome:
    """Train with the preset of the published code's choices."""
    import torch

    from circumplex.cli.config import plan_of
    from circumplex.config.training import TrainingSpec
    from circumplex.features.pack_reader import PackReader
    from circumplex.features.packs import index_paths
    from circumplex.training.dataset import LabelReader
    from circumplex.training.train import Training, TrainingData

    torch.set_num_threads(run.threads)
    imported = run.folder / "imported"
    preset = ROOT / "config/paper/published_code.yaml"
    plan = plan_of([imported / "config.yaml", *([] if run.paper else [preset])])
    values = plan.training_values(run.encoder)
    if not run.paper:
        values["decay_after"] = decay_after(run.encoder, run.epochs)
    spec = TrainingSpec.read({**values, "epochs": run.epochs, "precision": run.side})
    reader = PackReader(index_paths(map(str, imported.glob("packs/*/*"))))
    labels = LabelReader({path.stem: path for path in imported.glob("labels/*.parquet")})
    roles = {sample.sample: sample.split.value for sample in plan.samples}
    data = TrainingData(
        reader,
        labels,
        [name for name, role in roles.items() if role == "train"],
        [name for name, role in roles.items() if role == "val"],
    )
    with TemporaryDirectory() as work:
        result = Training(spec, data, seed=run.seed, work=Path(work)).run(state_interval_s=1e9)
    best = {target.value: ccc for target, (_, ccc) in result.best.items()}
    return Outcome(
        updates=result.log[0].updates,
        train_s=[row.train_seconds for row in result.log],
        val_s=[row.val_seconds for row in result.log],
        **best,
    )


def decay_after(encoder: str, epochs: int) -> int:
    return max(1, round(epochs * DECAY_AFTER[encoder]))


def train_published(run: argparse.Namespace) -> Outcome:
    """Run its train.py in this process, from its folder, with the passes over its data timed."""
    import torch

    from circumplex.features.imports.sources import PUBLISHED_NAMES

    torch.set_num_threads(run.threads)
    if find_spec("sklearn") is None:
        stand_in = {name: ModuleType(name) for name in ("sklearn", "sklearn.metrics")}
        for name, module in stand_in.items():
            module.__spec__ = ModuleSpec(name, None)  # PyTorch asks for it
        for score in ("accuracy", "recall", "f1", "precision"):
            setattr(stand_in["sklearn.metrics"], f"{score}_score", None)
        stand_in["sklearn.metrics"].confusion_matrix = None  # type: ignore[attr-defined]
        sys.modules.update(stand_in)
    sys.path.insert(0, str(run.published))
    import data as published_data  # type: ignore[import-not-found]

    passes: list[float] = []
    loader = published_data.CustomDatasetDataLoader
    batches = loader.__iter__

    def timed(self: Any) -> Iterator[Any]:
        start = time.perf_counter()
        yield from batches(self)
        passes.append(time.perf_counter() - start)

    loader.__iter__ = timed
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("utils.logger").addHandler(handler)
    updates = 0
    step = torch.optim.Adam.step

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal updates
        updates += 1
        return step(self, *args, **kwargs)

    torch.optim.Adam.step = counted  # type: ignore[method-assign]
    names = ",".join(PUBLISHED_NAMES.get(name, name) for name in FEATURES)
    constant = decay_after(run.encoder, run.epochs)
    with TemporaryDirectory() as work:
        options = {
            "name": "run",
            "model": MODELS[run.encoder],
            "dataset_mode": "seq",
            "data_root": run.folder / "data",
            "gpu_ids": "-1",
            "log_dir": work,
            "checkpoints_dir": work,
            "feature_set": names,
            "norm_features": names,
            "norm_method": "trn",
            "target": "both",
            "loss_type": "batch_ccc",
            "loss_weights": 1,
            "batch_size": 16,
            "dropout_rate": 0.3,
            "hidden_size": 512,
            "regress_layers": "512,256",
            "niter": constant,
            "niter_decay": run.epochs - constant,
            "run_idx": run.seed,
            **OPTIONS[run.encoder],
        }
        sys.argv = ["train.py"]
        for key, value in options.items():
            sys.argv.append(f"--{key}" if value is None else f"--{key}={value}")
        runpy.run_path(str(run.published / "train.py"), run_name="__main__")
    # An epoch passes over: train to learn; for either target train, then val to evaluate.
    best = {}
    for line in lines:
        if match := re.match(r"Best eval epoch \d+ found with ccc (\S+) on (\w+)", line):
            best[match[2]] = float(match[1])
    return Outcome(updates=updates // run.epochs, train_s=passes[0::5], val_s=passes[2::5], **best)


def run_side(given: argparse.Namespace, side: str, encoder: str, seed: int, epochs: int) -> Outcome:
    """One training in a process of its own."""
    report = given.folder / "outcome.json"
    command = [sys.executable, __file__, str(given.published), "--folder", str(given.folder)]
    command += ["--side", side, "--encoder", encoder, "--seed", str(seed)]
    command += ["--epochs", str(epochs), "--threads", str(given.threads)]
    if given.paper:
        command.append("--paper")
    with (given.folder / "run.log").open("w") as log:
        process = subprocess.run([*command, "--report", str(report)], stdout=log, stderr=log)
    if process.returncode:
        raise SystemExit((given.folder / "run.log").read_text()[-4000:])
    return Outcome(**json.loads(report.read_text()))


def main(given: argparse.Namespace) -> None:
    with TemporaryDirectory() as temporary:
        given.folder = given.folder or Path(temporary)
        if not (given.folder / "data").is_dir():
            make_data(given.folder / "data", {"train": given.videos, "val": given.videos // 2})
            import_data(given.folder / "data", given.folder / "imported")
        failed = False
        for encoder in given.encoders:
            outcomes: dict[str, list[Outcome]] = {side: [] for side in given.sides}
            for seed in given.seeds:
                for side in given.sides:
                    outcome = run_side(given, side, encoder, seed, given.epochs)
                    outcomes[side].append(outcome)
                    print(
                        f"{encoder:12}{side:10}seed {seed}  {outcome.updates} updates an epoch  "
                        f"CCC {outcome.valence:.4f} {outcome.arousal:.4f}  "
                        f"train {median(outcome.train_s):6.2f} s  "
                        f"validation {median(outcome.val_s):5.2f} s",
                        flush=True,
                    )
            failed |= not compare(encoder, outcomes)
    raise SystemExit(failed)


def paired_interval(ours: list[Outcome], theirs: list[Outcome]) -> tuple[float, float]:
    """Mean difference of CCC over the seeds, and half of its 95 % interval (Student's t)."""
    import numpy as np
    from scipy import stats

    pairs = zip(ours, theirs, strict=True)
    differences = [(a.valence + a.arousal - b.valence - b.arousal) / 2 for a, b in pairs]
    error = np.std(differences, ddof=1) / np.sqrt(len(differences))
    return fmean(differences), float(stats.t.ppf(0.975, len(differences) - 1) * error)


def compare(encoder: str, outcomes: dict[str, list[Outcome]]) -> bool:
    """Print means over seeds and ratios; true where ours holds what it must."""
    good = True
    means = {}
    for side, of in outcomes.items():
        scores = [fmean(getattr(o, target) for o in of) for target in TARGETS]
        seconds = median(s for o in of for s in o.train_s)
        validation = median(s for o in of for s in o.val_s)
        means[side] = (fmean(scores), seconds)
        line = f"{encoder:12}{side:10}CCC {scores[0]:.4f} {scores[1]:.4f} mean {fmean(scores):.4f}"
        line += f"  train {seconds:6.2f} s  validation {validation:5.2f} s"
        if side in SLOWEST and "published" in means:
            ccc, base = means["published"]
            fast, scored = base / seconds >= SLOWEST[side], means[side][0] >= ccc
            good &= fast and scored
            line += f"  {base / seconds:.2f} times as fast" + ("" if fast else ": TOO SLOW")
            line += f", CCC {means[side][0] - ccc:+.4f}" + ("" if scored else ": TOO LOW")
            if len(of) > 1:
                difference, half = paired_interval(of, outcomes["published"])
                line += f", paired by seed {difference:+.4f} ± {half:.4f}"
        print(line, flush=True)
    return good


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("published", type=Path, help="checkout of its branch RUCAIM3")
    parser.add_argument("--folder", type=Path, help="keep what is made here; it is used again")
    parser.add_argument("--encoders", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=SIDES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--videos", type=int, default=32, help="to train on; half as many validate")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--paper", action="store_true", help="ours: config.yaml as it is")
    inner = parser.add_argument_group("one training, as the command starts it")
    inner.add_argument("--side", choices=SIDES)
    inner.add_argument("--encoder", choices=MODELS)
    inner.add_argument("--seed", type=int)
    inner.add_argument("--report", type=Path)
    return parser.parse_args()


def refuse_emulation() -> None:
    """End where bfloat16 would take hours and say nothing about its speed."""
    import torch

    from circumplex.io.devices import emulates_bfloat16

    if emulates_bfloat16(torch.device("cpu")):
        sys.exit(
            "this processor emulates bfloat16: give --sides published float32 for the rest, "
            "and measure bfloat16 on another machine"
        )


if __name__ == "__main__":
    given = parse()
    given.published = given.published.resolve()
    given.sides = [side for side in SIDES if side in given.sides]  # the published one first
    if "bfloat16" in given.sides and not given.side:
        refuse_emulation()
    if given.side:
        trained = train_published(given) if given.side == "published" else train_ours(given)
        given.report.write_text(json.dumps(asdict(trained)))
    else:
        main(given)
