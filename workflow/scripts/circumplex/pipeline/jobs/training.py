"""The job that trains one model: chooses its samples, trains, and puts the model in the store."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from circumplex.config.modalities import MissingModality
from circumplex.config.search import trial_training
from circumplex.config.training import TrainingSpec
from circumplex.features.pack_reader import PackReader
from circumplex.features.packs import index_paths
from circumplex.io.atomic import read_json, replacing
from circumplex.io.parquet import describe_all
from circumplex.model.checkpoints import load_model, save_model
from circumplex.networks.reproducible import NonFinite
from circumplex.networks.tensorboard import EventLog
from circumplex.pipeline.jobs.job import RunningJob
from circumplex.pipeline.jobs.work import train_once
from circumplex.pipeline.requests import TrainingRequest, TrialRequest
from circumplex.pipeline.store import SampleRequest, Stage, ok_files, run_unit, write_index
from circumplex.progress import report_progress
from circumplex.targets import Target
from circumplex.training.dataset import LabelReader
from circumplex.training.state import EpochLog, WorkFolder
from circumplex.training.train import Training, TrainingData, TrainingResult

logger = logging.getLogger(__name__)
STATE_INTERVAL_S = 30.0
EPOCH_COLUMNS = {
    "epoch": "number of the epoch, from 1",
    "learning_rate": "learning rate of the epoch",
    "train_loss": "mean loss over the epoch's updates",
    **{
        f"ccc_{target}": f"CCC of raw {target} on the validation samples, if there are any"
        for target in Target
    },
}
"""What the columns of the table of epochs hold."""


@dataclass(frozen=True)
class TrainingJob:
    """One model to train.

    Attributes:
        stage: code, options and place of the stage.
        index: to write; its one entry names the model.
        epochs: table of the epochs' losses and CCC to write.
        run: name, ``<experiment>/<fold>/seed<seed>``.
        roles: ``train`` or ``val`` by sample.
        fold: number of the fold left out, or none.
        seed: of the training.
        reader: packs of the features.
        labels: labels tables by sample.
        device: where to train.
        groups: by sample, where features are scaled by group.
    """

    stage: Stage
    index: Path
    epochs: Path
    run: str
    roles: Mapping[str, str]
    fold: int | None
    seed: int
    reader: PackReader
    labels: Mapping[str, Path]
    device: torch.device
    groups: Mapping[str, str]

    @classmethod
    def of(
        cls, running: RunningJob, run: str | None = None, options: Mapping[str, Any] | None = None
    ) -> "TrainingJob":
        """The job of a model, or of a trial of a search.

        A sample that failed in an earlier stage is in no pack, or has no labels: it is left out
        here and listed by ``check_failures``.

        Args:
            running: the job.
            run: name of a trial; by default the job's unit, a run's path.
            options: options that a trial's round proposed; by default the request's.
        """
        torch.set_num_threads(running.threads)
        request: TrainingRequest | TrialRequest = running.request
        chosen = running.request.options if options is None else options
        reader = PackReader(index_paths(list(map(str, running.inputs["packs"]))))
        labels = ok_files(running.inputs["read_labels"], running.results)
        fold, roles = read_roles(running)
        usable = usable_roles(roles, chosen, reader, labels)
        return cls(
            stage=Stage(request.stage, running.results, request.code, chosen, ".pt"),
            index=running.output("index"),
            epochs=running.output("epochs"),
            run=run or running.job.unit,
            roles=usable,
            fold=fold,
            seed=request.seed,
            reader=reader,
            labels={sample: labels[sample] for sample in usable},
            device=torch.device(running.take_device()),
            groups={s: request.groups[s] for s in usable} if request.groups else {},
        )

    def run_job(self) -> None:
        """Train, or take the model from the store; write the index and the table of epochs."""
        labels = LabelReader(self.labels)

        def make(_: SampleRequest, output: Path, metadata: Mapping[str, Any]) -> None:
            train_once(output, lambda work: self._train(labels, output, work, metadata))

        run_unit(self.stage, self.index, SampleRequest(self.run, self._key(labels)), make)
        log = load_model(self.stage.link_path(self.run)).metadata["log"]
        self._write_epochs(pa.Table.from_pylist(log))
        # Anew: a training that was killed and resumed has logged some epochs twice.
        with EventLog(self.events) as events:
            for row in log:
                events.add(row)

    def run_trial(self) -> None:
        """Run one trial of a search. If its loss is not finite, write an empty table of epochs."""
        try:
            self.run_job()
        except NonFinite as error:
            logger.warning("%s: without a score: %s", self.run, error)
            columns = {f"ccc_{target}": pa.array([], pa.float64()) for target in Target}
            self._write_epochs(pa.table(columns))
            write_index(self.index, {})

    def _key(self, labels: LabelReader) -> dict[str, Any]:
        """Describe by content what the model is trained on."""
        features = [*self.stage.options["visual"], *self.stage.options["audio"]]
        data = {
            sample: [
                role,
                labels.digest(sample),
                *(self.reader.digest(sample, f) for f in features),
            ]
            for sample, role in self.roles.items()
        }
        key = {"data": data, "seed": self.seed, "fold": self.fold}
        return {**key, "groups": dict(self.groups)} if self.groups else key

    def _write_epochs(self, table: pa.Table) -> None:
        with replacing(self.epochs) as temporary:
            pq.write_table(table.cast(describe_all(table.schema, EPOCH_COLUMNS)), temporary)

    @property
    def events(self) -> Path:
        """Folder of TensorBoard's event files, beside the table of epochs."""
        return self.epochs.with_name(self.epochs.name.replace(".epochs.parquet", ".tensorboard"))

    def _train(
        self, labels: LabelReader, output: Path, work: Path, metadata: Mapping[str, Any]
    ) -> None:
        """Train the model and write its file; the resumable state lies in `work` until then."""
        train_samples, val_samples = self._samples_of("train"), self._samples_of("val")
        record = {"train_samples": train_samples, "val_samples": val_samples, **metadata}
        training = Training(
            TrainingSpec.read(self.stage.options),
            TrainingData(self.reader, labels, train_samples, val_samples, self.groups),
            seed=self.seed,
            fold=self.fold,
            work=work,
            device=self.device,
            metadata=record,
        )
        result = self._run(training)
        log = [curve_row(row) for row in result.log]
        save_model(replace(result.model, metadata={**record, "log": log}), output)
        WorkFolder(work).discard()

    def _samples_of(self, role: str) -> list[str]:
        return sorted(sample for sample, given in self.roles.items() if given == role)

    def _run(self, training: Training) -> TrainingResult:
        """Run a training, with curves for TensorBoard and a log."""
        with EventLog(self.events) as events:

            def on_epoch(log: EpochLog) -> None:
                report_progress(log.epoch, training.epochs, "epochs")
                events.add(curve_row(log))
                logger.info("%s", asdict(log))

            return training.run(on_epoch, STATE_INTERVAL_S)


def run_trial(running: RunningJob) -> None:
    """Train one trial of a search, with the parameters that its round proposes.

    A trial whose loss is not finite is a result of the search: it ends without a score.
    """
    request: TrialRequest = running.request
    parameters = read_json(running.input("round"))[request.place]
    options = trial_training(request.choices, parameters)
    TrainingJob.of(running, f"trial{running.job.unit}", options).run_trial()


def read_roles(running: RunningJob) -> tuple[int | None, dict[str, str]]:
    """Number of the fold left out, if any, and ``train`` or ``val`` by sample."""
    request: TrainingRequest | TrialRequest = running.request
    if not running.inputs.get("folds"):
        return None, dict(request.roles)
    fold = int(request.fold.removeprefix("fold"))
    folds = read_json(running.input("folds"))
    return fold, {sample: "val" if n == fold else "train" for sample, n in folds.items()}


def usable_roles(
    roles: Mapping[str, str],
    options: Mapping[str, Any],
    reader: PackReader,
    labels: Mapping[str, Path],
) -> dict[str, str]:
    """Roles of the samples that have labels and features; the log names the others."""
    features = [*options["visual"], *options["audio"]]
    usable = {s: r for s, r in roles.items() if s in labels and reader.packed(s, features)}
    if len(usable) < len(roles):
        lost = ", ".join(sorted(set(roles) - set(usable)))
        logger.info("left out, see list_failures.tsv: %s", lost)
    if options["missing_modality"] == MissingModality.LEAVE_OUT:
        whole = {s: r for s, r in usable.items() if reader.complete(s, features)}
        lost = ", ".join(sorted(set(usable) - set(whole)))
        logger.info("left out for a missing modality: %s", lost or "none")
        usable = whole
    return usable


def curve_row(log: EpochLog) -> dict[str, float]:
    """An epoch as a row of the table of epochs; without seconds, so that equal runs stay equal."""
    return {
        "epoch": log.epoch,
        "learning_rate": log.learning_rate,
        "train_loss": log.train_loss,
        "ccc_valence": log.val_valence,
        "ccc_arousal": log.val_arousal,
    }
