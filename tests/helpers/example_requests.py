"""Sheets and merged configs for tests of requests."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from circumplex.io.digests import DigestCache
from circumplex.pipeline.checks import make_plan
from circumplex.pipeline.request_builder import RequestBuilder
from circumplex.pipeline.stage_context import LIBRARY
from places import ROOT

COLUMNS = ["sample", "video", "subject", "faces", "audio", "annotation", "split", "group"]
ROWS = [
    {"sample": f"{split}{k}", "video": f"{split}{k}.mp4", "annotation": "a.txt", "split": split}
    for split in ("train", "val")
    for k in range(6)
] + [{"sample": "test0", "video": "test0.mp4", "split": "test"}]
PREDICTED = {"sample": "predict0", "video": "predict0.mp4", "split": "predict"}
"""A row that gets CSV files and a player page."""


def write_sheet(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write a sample sheet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(COLUMNS), *("\t".join(r.get(c, "") for c in COLUMNS) for r in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def overlay(below: Any, above: Any) -> Any:
    """A preset over a config: mappings key by key, anything else as a whole."""
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)):
        return above
    merged = dict(below)
    for key, value in above.items():
        merged[key] = overlay(merged.get(key), value)
    return merged


def config_of(*presets: str) -> dict[str, Any]:
    """The shipped config overlaid by the presets of ``config/``."""
    merged = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    for name in presets:
        preset = (ROOT / "config" / f"{name}.yaml").read_text(encoding="utf-8")
        merged = overlay(merged, yaml.safe_load(preset))
    return dict(merged)


def request_config(folder: Path, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The shipped config on a synthetic sheet, with changes."""
    sheet = folder / "samples.tsv"
    if not sheet.exists():
        write_sheet(sheet, ROWS)
    places = {"samples": str(sheet), "results": str(folder / "results")}
    return dict(overlay(overlay(config_of(), places), changes or {}))


def builder_of(
    config: Mapping[str, Any], folder: Path, root: Path = ROOT, library: Path = LIBRARY
) -> RequestBuilder:
    """Builder of the requests of a config; digests of files are kept in a folder."""
    return RequestBuilder(
        make_plan(dict(config)), root, DigestCache(folder / "digests.json"), library
    )


def jobs_of(builder: RequestBuilder) -> list[tuple[str, str]]:
    """Stage and unit of every job that a plan may ask for."""
    plan = builder.plan
    runs = [run.path for run in plan.runs]
    trained = [run.path for run in plan.trained_runs]
    packs = [f"{feature.name}/{shard}" for feature in plan.features for shard in plan.shards]
    trials = [f"{trial:03d}" for several in plan.search_rounds for trial in several]
    rounds = [f"{number:03d}" for number in range(len(plan.search_rounds))]
    units = [
        (list(builder.stages), list(plan.shards)),
        (["pack_features"], packs),
        (["train_encoder"], trained),
        (["predict_frames", "smooth_predictions"], runs),
        (["ensemble_predictions", "export_ensemble"], list(plan.ensembles)),
        (["restore_frames"], [] if plan.rate is None else list(plan.ensembles)),
        (["write_submission"], list(plan.submissions)),
        (["write_predictions", "make_player"], [""] if plan.shown else []),
        (["make_proxy"], plan.shown_shards if plan.proxies else []),
        (["make_table"], list(plan.tables)),
        (["list_stills"], list(plan.still_sets)),
        (["train_backbone"], list(plan.backbones.recipes)),
        (["propose_trials"], rounds),
        (["train_trial"], trials),
        (["summarise_search"], [""] if rounds else []),
        (["make_folds", "evaluate", "make_manifest", "make_report"], [""]),
        (["list_failures", "check_failures", "fetch_weights"], [""]),
    ]
    return [(stage, unit) for stages, several in units for stage in stages for unit in several]
