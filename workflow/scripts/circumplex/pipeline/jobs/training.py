"""The job that trains one model: chooses its samples, trains, and puts the model in the store."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from tqdm import tqdm

from circumplex.config.modalities import MissingModality
from circumplex.features.pack_reader import PackReader
from circumplex.features.packs import index_paths
from circumplex.io.atomic import read_json, replacing
from circumplex.model.checkpoints import load_model, save_model
from circumplex.pipeline.jobs.gpus import device_of
from circumplex.pipeline.jobs.logs import set_up
from circumplex.pipeline.jobs.shard import results_of
from circumplex.pipeline.store import Request, Stage, Status, read_index, run_shard, write_index
from circumplex.targets import Target
from circumplex.training.dataset import LabelReader
from circumplex.training.spec import training_spec
from circumplex.training.state import EpochLog, WorkFolder
from circumplex.training.tensorboard import EventLog
from circumplex.training.train import NonFinite, train

if TYPE_CHECKING:
    from snakemake.script import Snakemake

logger = logging.getLogger(__name__)
STATE_INTERVAL_S = 30.0


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

    @classmethod
    def start(
        cls,
        snakemake: "Snakemake",
        run: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> "TrainingJob":
        """Set up logging and read the job's description.

        A trial of a search gives its name and the options that its round proposed.

        A sample that failed in an earlier stage is in no pack, or has no labels: it is left out
        here and listed by ``check_failures``.
        """
        name = "train_encoder" if run is None else "train_trial"
        set_up(snakemake.log[0], name, snakemake.resources)
        torch.set_num_threads(snakemake.threads)
        tracked = snakemake.params.stage
        run = snakemake.wildcards.run if run is None else run
        options = tracked["options"] if options is None else options
        index = Path(snakemake.output.index)
        results = results_of(snakemake)
        reader = PackReader(index_paths(snakemake.input.packs))
        labels = {
            sample: results / entry.file
            for path in snakemake.input.read_labels
            for sample, entry in read_index(Path(path)).items()
            if entry.status is Status.OK
        }
        roles = dict(tracked["roles"])
        fold = None
        if snakemake.input.folds:
            fold = int(tracked["fold"].removeprefix("fold"))
            folds = read_json(Path(str(snakemake.input.folds)))
            roles = {s: "val" if n == fold else "train" for s, n in folds.items()}
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
        return cls(
            stage=Stage(name, results, tracked["code"], options, ".pt"),
            index=index,
            epochs=Path(snakemake.output.epochs),
            run=run,
            roles=usable,
            fold=fold,
            seed=tracked["seed"],
            reader=reader,
            labels={sample: labels[sample] for sample in usable},
            device=torch.device(device_of(snakemake.resources)),
        )

    def run_job(self) -> None:
        """Train, or take the model from the store; write the index and the table of epochs."""
        features = [*self.stage.options["visual"], *self.stage.options["audio"]]
        labels = LabelReader(self.labels)
        data = {
            sample: [
                role,
                labels.digest(sample),
                *(self.reader.digest(sample, f) for f in features),
            ]
            for sample, role in self.roles.items()
        }
        key = {"data": data, "seed": self.seed, "fold": self.fold}

        def make(_: Request, output: Path, metadata: Mapping[str, Any]) -> None:
            self._train(labels, output, metadata)

        run_shard(self.stage, self.index, [Request(self.run, key)], make)
        log = load_model(self.stage.link_path(self.run)).metadata["log"]
        with replacing(self.epochs) as temporary:
            pq.write_table(pa.Table.from_pylist(log), temporary)
        # Anew: a training that was killed and resumed has logged some epochs twice.
        with EventLog(self.events) as events:
            for row in log:
                events.add(row)

    def run_trial(self) -> None:
        """The same for a trial of a search: one whose loss is not finite ends without epochs."""
        try:
            self.run_job()
        except NonFinite as error:
            logger.warning("%s: without a score: %s", self.run, error)
            rows = pa.table({f"ccc_{target}": pa.array([], pa.float64()) for target in Target})
            with replacing(self.epochs) as temporary:
                pq.write_table(rows, temporary)
            write_index(self.index, {})

    @property
    def events(self) -> Path:
        """Folder of TensorBoard's event files, beside the table of epochs."""
        return self.epochs.with_name(self.epochs.name.replace(".epochs.parquet", ".tensorboard"))

    def _train(self, labels: LabelReader, output: Path, metadata: Mapping[str, Any]) -> None:
        spec = training_spec(self.stage.options)
        work = output.with_suffix(".work")
        train_samples = sorted(s for s, role in self.roles.items() if role == "train")
        val_samples = sorted(s for s, role in self.roles.items() if role == "val")
        record = {"train_samples": train_samples, "val_samples": val_samples, **metadata}
        with (
            tqdm(total=spec.epochs, desc=self.run, unit="epoch", disable=None) as bar,
            EventLog(self.events) as events,
        ):

            def on_epoch(log: EpochLog) -> None:
                bar.update(log.epoch - bar.n)
                events.add(curve_row(log))
                logger.info("%s", asdict(log))

            result = train(
                spec,
                self.reader,
                labels,
                train_samples,
                val_samples,
                seed=self.seed,
                fold=self.fold,
                work=work,
                device=self.device,
                metadata=record,
                on_epoch=on_epoch,
                state_interval_s=STATE_INTERVAL_S,
            )
        log = [curve_row(row) for row in result.log]
        save_model(replace(result.model, metadata={**record, "log": log}), output)
        WorkFolder(work).discard()


def curve_row(log: EpochLog) -> dict[str, float]:
    """An epoch as a row of the table of epochs; without seconds, so that equal runs stay equal."""
    return {
        "epoch": log.epoch,
        "learning_rate": log.learning_rate,
        "train_loss": log.train_loss,
        "ccc_valence": log.val_valence,
        "ccc_arousal": log.val_arousal,
    }
