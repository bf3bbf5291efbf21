"""Kinds of files that a run reads as a whole: accepted, or refused with a `RequestError`."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from random import Random

import torch
import yaml

from circumplex.io.yaml_files import read_small_yaml
from circumplex.model.checkpoints import load_model
from circumplex.networks.weights import Weights, load_into
from circumplex.pipeline.checks import make_plan
from circumplex.pipeline.exports import write_export
from circumplex.pipeline.graph import Graph
from example_requests import (
    builder_of,
    config_of,
    jobs_of,
    overlay,
    request_config,
    write_sheet,
)
from fuzz.kind import (
    Kind,
)
from fuzz.mutations import damage_bytes, damage_text, damage_value
from places import ROOT


class Configs(Kind):
    """Presets over ``config.yaml``."""

    name = "configs"

    def make_seeds(self) -> Sequence[Path]:
        """See `Kind.make_seeds`."""
        write_sheet(self.folder / "samples.tsv", _rows())
        places = {"samples": str(self.folder / "samples.tsv"), "results": str(self.folder / "out")}
        self.config = overlay(config_of(), places)
        return sorted((ROOT / "config").glob("*.yaml"))

    def write_bad(self, rng: Random, work: Path) -> Path:
        """See `Kind.write_bad`."""
        bad = work / "bad.yaml"
        seed = rng.choice(self.seeds).read_text()
        how = rng.random()
        if how < 0.6:
            whole = overlay(self.config, yaml.safe_load(seed))
            bad.write_text(yaml.safe_dump(damage_value(rng, whole), allow_unicode=True))
        elif how < 0.8:
            bad.write_bytes(damage_text(rng, seed))
        else:
            bad.write_bytes(damage_bytes(rng, seed.encode()))
        return bad

    def consume(self, bad: Path, work: Path) -> str:  # noqa: ARG002 - writes nothing
        """See `Kind.consume`."""
        values = read_small_yaml(bad)
        if isinstance(values, dict):
            make_plan(overlay(self.config, values))
        return "accepted"


class Sheets(Kind):
    """Sample sheets."""

    name = "sheets"

    def make_seeds(self) -> Sequence[Path]:
        """See `Kind.make_seeds`."""
        self.config = overlay(config_of(), {"results": str(self.folder / "out")})
        return [write_sheet(self.folder / "samples.tsv", _rows())]

    def write_bad(self, rng: Random, work: Path) -> Path:
        """See `Kind.write_bad`."""
        bad = work / "bad.tsv"
        text = self.seeds[0].read_text()
        damaged = damage_text(rng, text) if rng.random() < 0.7 else damage_bytes(rng, text.encode())
        bad.write_bytes(damaged)
        return bad

    def consume(self, bad: Path, work: Path) -> str:  # noqa: ARG002 - writes nothing
        """See `Kind.consume`."""
        make_plan(overlay(self.config, {"samples": str(bad)}))
        return "accepted"


def _rows() -> list[dict[str, str]]:
    parts = {"train": 6, "val": 6, "test": 1}
    return [
        {"sample": f"{s}{k}", "video": f"{s}{k}.mp4", "annotation": "a.txt", "split": s}
        for s, count in parts.items()
        for k in range(count)
    ]


class Exports(Kind):
    """Descriptions of exported ensembles."""

    name = "exports"

    def make_seeds(self) -> Sequence[Path]:
        """See `Kind.make_seeds`."""
        features = {name: {"weights": "random:0"} for name in ("densenet", "iresnet", "fau")}
        changes = {"features": {**features, "vggish": {"weights": "random:0"}}}
        changes["features"]["wav2vec2"] = {"weights": "random:0"}
        config = request_config(self.folder, changes)
        graph = Graph(builder_of(config, self.folder / "digests"))
        request = graph.job("export_ensemble", "main").request
        model = self.folder / "model.pt"
        model.write_bytes(b"a model")
        folder = self.folder / "export"
        write_export(folder, request.description, {run: model for run in request.runs})
        row = {"sample": "a", "video": "a.mp4", "split": "predict"}
        self.config = overlay(config, {"samples": str(write_sheet(self.folder / "a.tsv", [row]))})
        return [folder]

    def write_bad(self, rng: Random, work: Path) -> Path:
        """See `Kind.write_bad`."""
        bad = work / "export"
        shutil.copytree(self.seeds[0], bad)
        path = bad / "ensemble.json"
        if rng.random() < 0.8:
            path.write_text(json.dumps(damage_value(rng, json.loads(path.read_text()))))
        else:
            path.write_bytes(damage_bytes(rng, path.read_bytes()))
        return bad

    def consume(self, bad: Path, work: Path) -> str:
        """See `Kind.consume`."""
        builder = builder_of(overlay(self.config, {"export": str(bad)}), work)
        builder.prepare()
        for stage, unit in jobs_of(builder):
            builder.request(stage, unit)
        return "accepted"


class Checkpoints(Kind):
    """Files of weights, loaded into a network."""

    name = "checkpoints"

    def make_seeds(self) -> Sequence[Path]:
        """See `Kind.make_seeds`."""
        self.state = {"weight": torch.randn(8, 4), "bias": torch.randn(8)}
        torch.save(self.state, self.folder / "a.pth")
        torch.save({"state_dict": self.state, "epoch": 3}, self.folder / "b.pth")
        torch.save(self.state, self.folder / "c.pth", _use_new_zipfile_serialization=False)
        return sorted(self.folder.glob("*.pth"))

    def write_bad(self, rng: Random, work: Path) -> Path:
        """See `Kind.write_bad`."""
        bad = work / "bad.pth"
        if rng.random() < 0.2:
            bias = torch.ones(8)
            odd = (torch.full((8,), float("nan")), bias.to_sparse(), bias.to("meta"), 3, None, "x")
            key = rng.choice(("bias", "bias", "extra", 3))
            torch.save({**self.state, key: rng.choice(odd)}, bad)
        else:
            bad.write_bytes(damage_bytes(rng, rng.choice(self.seeds).read_bytes()))
        return bad

    def consume(self, bad: Path, work: Path) -> str:  # noqa: ARG002 - writes nothing
        """See `Kind.consume`."""
        network = torch.nn.Linear(4, 8)
        load_into(network, Weights.parse(str(bad)))
        assert all(value.isfinite().all() for value in network.parameters()), "NaN was accepted"
        return "accepted"


class Models(Kind):
    """Model files of trained encoders."""

    name = "models"

    def make_seeds(self) -> Sequence[Path]:
        """See `Kind.make_seeds`."""
        path = self.folder / "a.pt"
        weights = {"layer.weight": torch.randn(8, 4)}
        value = {
            "format": 2,
            "spec": {"encoder": {"kind": "lstm"}},
            "dimensions": {"face": 3},
            "scalings": {"face": {"mean": torch.zeros(3), "scale": torch.ones(3)}},
            "checkpoints": {"valence": [[1, weights]], "arousal": [[2, weights]]},
            "seed": 0,
            "fold": None,
            "metadata": {"train_samples": ["a"]},
        }
        torch.save(value, path)
        self.value = value
        return [path]

    def write_bad(self, rng: Random, work: Path) -> Path:
        """See `Kind.write_bad`."""
        bad = work / "bad.pt"
        if rng.random() < 0.5:
            torch.save(damage_value(rng, self.value), bad)
        else:
            bad.write_bytes(damage_bytes(rng, self.seeds[0].read_bytes()))
        return bad

    def consume(self, bad: Path, work: Path) -> str:  # noqa: ARG002 - writes nothing
        """See `Kind.consume`."""
        load_model(bad)
        return "accepted"
