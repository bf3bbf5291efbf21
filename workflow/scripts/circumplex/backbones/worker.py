"""Train one backbone as a file describes it: alone, or as one of several processes.

``torchrun --nproc-per-node 4 -m circumplex.backbones.worker DESCRIPTION`` is what the job of
``train_backbone`` starts on a machine with several GPUs.
"""

import json
import logging
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import safe_open

from circumplex.backbones.processes import Processes
from circumplex.backbones.train import Result, train_backbone
from circumplex.config.recipes import Recipe
from circumplex.io.devices import is_gpu, use_process_gpu
from circumplex.io.tensors import write_safetensors
from circumplex.networks.tensorboard import EventLog
from circumplex.networks.weights import Weights
from circumplex.progress import report_progress

RECORD = "record"


@dataclass(frozen=True)
class Description:
    """A training to run.

    Attributes:
        name: name of the recipe.
        recipe: values for `Recipe.parse`.
        tables: tables of stills, by set.
        start: checkpoint to start from, if any.
        work: folder of the resumable state.
        output: file to write; see `read_record`.
        events: folder of the event files for TensorBoard.
        device: ``cpu``, or ``cuda``, of which each process takes the one of its number.
        threads: threads of each process.
    """

    name: str
    recipe: Mapping[str, Any]
    tables: Mapping[str, str]
    start: str | None
    work: str
    output: str
    events: str
    device: str
    threads: int

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a description from a JSON file."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def write(self, path: Path) -> None:
        """Write the description to a JSON file."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")


def run(description: Description) -> None:
    """Train and write the result; the first process alone writes."""
    torch.set_num_threads(description.threads)
    on_gpu = is_gpu(description.device)
    processes = Processes.join(description.device)
    device = description.device
    if on_gpu and processes.count > 1:
        device = use_process_gpu(processes.local_rank)
    recipe = Recipe.parse(description.name, description.recipe)
    epochs = recipe.epochs * len(recipe.phases)
    events = EventLog(Path(description.events)) if processes.first else None
    with events or nullcontext():

        def on_epoch(row: Mapping[str, Any]) -> None:
            if events is not None:
                event = event_row(row, recipe.epochs)
                report_progress(int(event["epoch"]), epochs, "epochs")  # also of a resumed training
                events.add(event)

        result = train_backbone(
            recipe,
            {name: Path(path) for name, path in description.tables.items()},
            Path(description.work),
            start=Weights(file=Path(description.start)) if description.start else None,
            device=device,
            # On a CPU images are loaded where they are needed: there is no other device to feed.
            workers=max(1, description.threads - 1) if on_gpu else 0,
            processes=processes,
            on_epoch=on_epoch,
        )
    if processes.first:
        write_result(result, Path(description.output))
    processes.leave()


def event_row(row: Mapping[str, Any], epochs: int) -> dict[str, float]:
    """An epoch of a training for `EventLog`: its number counts on through the phases.

    Args:
        row: row of the training's log.
        epochs: epochs of a phase; one that lost patience leaves a gap.
    """
    values = {k: v for k, v in row.items() if k not in ("phase", "epoch") and v is not None}
    return {"epoch": (row["phase"] - 1) * epochs + row["epoch"], **values}


def write_result(result: Result, path: Path) -> None:
    """Write the backbone's tensors, and in the file's metadata the record of the training."""
    record = {
        "log": list(result.log),
        "scores": {
            split: {name: score.values() for name, score in of_split.items()}
            for split, of_split in result.scores.items()
        },
        "untrained": list(result.untrained),
        "kept": dict(result.kept),
        "torch": torch.__version__,
    }
    write_safetensors(path, result.state, {RECORD: json.dumps(record)})


def read_record(path: Path) -> dict[str, Any]:
    """Read the record of the training from a file of `write_result`."""
    with safe_open(path, "pt") as file:
        return dict(json.loads(file.metadata()[RECORD]))


def main() -> None:
    """Run the description that the command line names."""
    # As the log of the job, which takes what this process prints.
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.INFO, format=form)
    run(Description.read(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
