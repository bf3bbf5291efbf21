"""The job that trains a backbone: through the store, then checkpoint and model card."""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from safetensors.torch import load_file

import circumplex
from circumplex.backbones import worker as backbone_worker
from circumplex.backbones.card import card_text
from circumplex.backbones.stills import StillSplit, read_stills
from circumplex.backbones.worker import Description, event_row, read_record
from circumplex.config.recipes import Recipe
from circumplex.io.atomic import write_json, write_text
from circumplex.io.digests import file_digest, value_digest
from circumplex.io.tensors import write_safetensors
from circumplex.networks.tensorboard import EventLog
from circumplex.pipeline.jobs.gpus import take_device, visible_gpus
from circumplex.pipeline.jobs.job import RunningJob
from circumplex.pipeline.jobs.work import train_once
from circumplex.pipeline.requests import BackboneRequest
from circumplex.pipeline.store import SampleRequest, Stage, run_unit

logger = logging.getLogger(__name__)
LIBRARY = Path(circumplex.__file__).parent.parent
PLACES = {"image", "inline"}
"""Columns of a table of stills that say where an image is, not what it shows."""


@dataclass(frozen=True)
class BackboneJob:
    """One backbone to train.

    Attributes:
        stage: code, options and place of the stage.
        name: of the recipe.
        tables: of stills, by set.
        start: checkpoint to start from, if any.
        paper: published accuracy by set, for the card.
        set_options: options of each set, for the card.
        index: to write; its one entry names the training's file in the store.
        weights: checkpoint to write.
        card: card to write as JSON; the same as Markdown goes beside it.
        gpus: that train together; 0 for the CPU.
        threads: cores of the job.
    """

    stage: Stage
    name: str
    tables: Mapping[str, Path]
    start: Path | None
    paper: Mapping[str, float]
    set_options: Mapping[str, Mapping[str, Any]]
    index: Path
    weights: Path
    card: Path
    gpus: int
    threads: int

    @classmethod
    def of(cls, running: RunningJob) -> "BackboneJob":
        """The job of a recipe."""
        request: BackboneRequest = running.request
        options = {"recipe": request.options, "start": request.start}
        start = running.inputs.get("start")
        return cls(
            stage=Stage(request.stage, running.results, request.code, options, ".safetensors"),
            name=running.job.unit,
            tables={path.stem: path for path in running.inputs["stills"]},
            start=start[0] if start else None,
            paper=request.paper,
            set_options=request.set_options,
            index=running.output("index"),
            weights=running.output("weights"),
            card=running.output("card"),
            gpus=running.resources.get("gpu", 0),
            threads=running.threads,
        )

    def run_job(self) -> None:
        """Train, or take the training from the store; write checkpoint and card."""
        contents = {name: table_digest(path) for name, path in self.tables.items()}
        request = SampleRequest(self.name, {"stills": contents})

        def make(_: SampleRequest, output: Path, __: Mapping[str, Any]) -> None:
            train_once(output, lambda work: self._train(output, work))

        run_unit(self.stage, self.index, request, make)
        stored = self.stage.link_path(self.name)
        # Without the record, so that equal weights are equal bytes: features follow from these.
        write_safetensors(self.weights, load_file(stored))
        card = self._card(stored, contents)
        write_json(self.card, card)
        write_text(self.card.with_suffix(".md"), card_text(card))
        # Anew: a training that was killed and resumed has logged only a part of its epochs.
        epochs = Recipe.parse(self.name, self.stage.options["recipe"]).epochs
        with EventLog(self.events) as events:
            for row in card["log"]:
                events.add(event_row(row, epochs))

    @property
    def events(self) -> Path:
        """Folder of TensorBoard's event files, beside the link to the training's file."""
        return self.stage.link_path(self.name).with_suffix(".tensorboard")

    def _train(self, output: Path, work: Path) -> None:
        work.mkdir(parents=True, exist_ok=True)
        description = Description(
            name=self.name,
            recipe=self.stage.options["recipe"],
            tables={name: str(path) for name, path in self.tables.items()},
            start=str(self.start) if self.start else None,
            work=str(work),
            output=str(output),
            events=str(self.events),
            device=take_device(visible_gpus(os.environ)) if self.gpus == 1 else "cpu",
            threads=self.threads,
        )
        if self.gpus > 1:
            self._train_together(description, work)
        else:
            backbone_worker.run(description)
        shutil.rmtree(work)

    def _train_together(self, description: Description, work: Path) -> None:
        """Start a process for each GPU."""
        names = visible_gpus(os.environ)
        held = [take_device(names) for _ in range(self.gpus)]
        chosen = ",".join(names[int(device.removeprefix("cuda:"))] for device in held)
        path = work / "description.json"
        share = {"device": "cuda", "threads": max(1, self.threads // self.gpus)}
        Description(**{**asdict(description), **share}).write(path)
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command += [f"--nproc-per-node={self.gpus}", "-m", backbone_worker.__name__, str(path)]
        library = str(LIBRARY)
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": chosen, "PYTHONPATH": library}
        subprocess.run(command, env=environment, check=True)

    def _card(self, stored: Path, contents: Mapping[str, str]) -> dict[str, Any]:
        trained = datetime.fromtimestamp(stored.stat().st_mtime, UTC)
        return {
            "name": self.name,
            "weights": self.weights.name,
            "sha256": file_digest(self.weights),
            "date": trained.date().isoformat(),
            "code": self.stage.code,
            "recipe": self.stage.options["recipe"],
            "start": self.stage.options["start"],
            "data": [self._data(name, contents[name]) for name in self.tables],
            "paper": dict(self.paper),
            **read_record(stored),
        }

    def _data(self, name: str, digest: str) -> dict[str, Any]:
        description = read_stills(self.tables[name]).description
        return {
            "set": name,
            "kind": description.kind,
            "licence": description.licence,
            "digest": digest,
            "options": dict(self.set_options[name]),
            "images": {s.value: len(read_stills(self.tables[name], s)) for s in StillSplit},
        }


def table_digest(path: Path) -> str:
    """Digest of what a table of stills holds, wherever its images are kept."""
    description = asdict(read_stills(path).description)
    state = hashlib.sha256()
    with pq.ParquetFile(path) as file:
        names = [name for name in file.schema_arrow.names if name not in PLACES]
        for batch in file.iter_batches(columns=names):
            state.update(json.dumps(batch.to_pylist(), default=bytes.hex).encode())
    facts = {k: description[k] for k in ("classes", "action_units", "present_from", "target")}
    return value_digest([facts, state.hexdigest()])
