"""Compare the results of two runs: what they were asked for, and what they reached."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from circumplex.errors import RequestError
from circumplex.evaluation.comparison import (
    DRAWS,
    Difference,
    Scored,
    common_samples,
    compare_scores,
)
from circumplex.evaluation.scores import HELD_OUT, OUT_OF_FOLD
from circumplex.io.atomic import read_json
from circumplex.pipeline.graph import output_paths
from circumplex.pipeline.records import REQUESTS
from circumplex.pipeline.store import ok_files
from circumplex.predictions.table import PredictionTable
from circumplex.report.comparison.page import Change, Comparison, SampleLine, ScoreLine
from circumplex.report.rendering import DASH
from circumplex.targets import Target

RENDERED = {
    *("check_failures", "export_ensemble", "fetch_weights", "list_failures", "make_manifest"),
    *("make_player", "make_proxy", "make_report", "make_table", "write_predictions"),
    *("write_submission", "summarise_quality"),
}
"""Stages that compute no prediction and no score, so that they explain no difference."""
OF_RUNS = ("train_encoder", "predict_frames", "smooth_predictions")
OF_ENSEMBLES = ("ensemble_predictions", "restore_frames")
"""Stages with a job for each run, and for each ensemble, that is scored."""
LONG = 12
"""Entries above which a list or mapping is counted instead of shown."""
SHOWN_UNITS = 3
DIGITS = 12
"""Characters of a digest that are shown."""


@dataclass(frozen=True)
class RunResults:
    """A finished run.

    Attributes:
        folder: its results folder.
    """

    folder: Path

    @cached_property
    def scores(self) -> Mapping[tuple[str, str, str], bool]:
        """Kind, name and split of all that was scored.

        Raises:
            RequestError: the folder holds no scores.
        """
        path = self.folder / output_paths("evaluate", "")["table"]
        if not path.is_file():
            raise RequestError(
                f"{self.folder} holds no scores ({path} is missing): name the results folder of a "
                "run that has finished"
            )
        rows = pq.read_table(path, columns=["kind", "model", "split"]).to_pylist()
        return {(row["kind"], row["model"], row["split"]): True for row in rows}

    @cached_property
    def requests(self) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        """What the jobs were asked for, by stage and unit; empty for runs of earlier versions.

        Jobs that only a former config asked for are left out.
        """
        found: dict[str, dict[str, Any]] = defaultdict(dict)
        place = self.folder / REQUESTS
        for path in sorted(place.rglob("*.json")):
            stage, *unit = path.relative_to(place).with_suffix("").parts
            found[stage]["/".join(unit)] = read_json(path)
        wanted = _scored_units(found["evaluate"]["all"]) if "evaluate" in found else {}
        return {
            stage: {unit: asked for unit, asked in of.items() if unit in wanted.get(stage, of)}
            for stage, of in found.items()
        }

    @property
    def splits(self) -> Mapping[str, str] | None:
        """Split of the sheet by sample; none if it is not on record."""
        asked = self.requests.get("evaluate", {}).get("all")
        return None if asked is None else asked["splits"]

    @cached_property
    def labels(self) -> Mapping[str, Path]:
        """Tables of labels by sample."""
        indexes = sorted((self.folder / "index" / "read_labels").glob("*.json"))
        return ok_files(indexes, self.folder)

    def scored(self, kind: str, name: str) -> Scored:
        """Predictions of a model or ensemble, with the run's annotation."""
        stage = "ensemble_predictions" if kind == "ensemble" else "smooth_predictions"
        path = self.folder / output_paths(stage, name)["predictions"]
        return Scored(PredictionTable(path), self.labels)


def _scored_units(evaluation: Mapping[str, Any]) -> Mapping[str, Collection[str]]:
    """By stage, the runs or the ensembles that the request of ``evaluate`` names."""
    runs = {f"{name}/{fold}/seed{seed}" for name, fold, seed, _ in evaluation["runs"]}
    ensembles = set(evaluation["ensembles"])
    return {**dict.fromkeys(OF_RUNS, runs), **dict.fromkeys(OF_ENSEMBLES, ensembles)}


def compare_results(first: Path, second: Path) -> Comparison:
    """Compare two results folders.

    Raises:
        RequestError: a folder holds no scores.
    """
    runs = RunResults(first), RunResults(second)
    recorded = all(run.requests for run in runs)
    common = [key for key in runs[0].scores if key in runs[1].scores]
    lines: list[ScoreLine] = []
    compared = ""
    samples: list[SampleLine] = []
    for kind, name, split in common:
        scored = runs[0].scored(kind, name), runs[1].scored(kind, name)
        splits = runs[1].splits or runs[0].splits
        shared = choose_samples(*scored, splits, split)
        if not shared:
            continue
        differences = compare_scores(*scored, shared)
        lines += score_lines(kind, name, split, len(shared), differences)
        if not compared or (name == compared and splits is not None):
            compared = name
            samples += sample_lines(shared, splits or {}, differences)
    return Comparison(
        first=str(first),
        second=str(second),
        changes=list(find_changes(*(run.requests for run in runs))) if recorded else None,
        lines=lines,
        compared=compared,
        samples=sorted(samples, key=lambda line: line.difference),
        notes=list(describe_limits(*runs, common)),
        draws=DRAWS,
    )


def choose_samples(
    first: Scored, second: Scored, splits: Mapping[str, str] | None, split: str
) -> list[str]:
    """Samples of a scored split that both runs have; all where no split is on record."""
    if splits is None:
        return sorted(first.samples() & second.samples())
    return common_samples(first, second, splits, HELD_OUT.get(split, OUT_OF_FOLD))


def score_lines(
    kind: str, name: str, split: str, samples: int, differences: Mapping[Target, Difference]
) -> Iterator[ScoreLine]:
    """Lines of a model or ensemble, one for each target."""
    for target, found in differences.items():
        yield ScoreLine(
            kind=kind,
            name=name,
            split=split,
            target=target.value,
            samples=samples,
            first=found.first,
            second=found.second,
            low=found.low,
            high=found.high,
            share_above=found.share_above,
        )


def sample_lines(
    samples: Sequence[str], splits: Mapping[str, str], differences: Mapping[Target, Difference]
) -> Iterator[SampleLine]:
    """Mean CCC of each sample over the targets that it has in both runs."""
    for sample in samples:
        pairs = [found.by_sample[sample] for found in differences.values()]
        defined = [pair for pair in pairs if all(value == value for value in pair)]
        if defined:
            first, second = (sum(values) / len(defined) for values in zip(*defined, strict=True))
            yield SampleLine(sample, splits.get(sample, DASH), first, second)


def describe_limits(
    first: RunResults, second: RunResults, common: Sequence[tuple[str, str, str]]
) -> Iterator[str]:
    """What a reader must know of the comparison."""
    for run in (first, second):
        if not run.requests:
            yield (
                f"{run.folder} has no record of what it was asked for: it was computed by an "
                "earlier version. Only scores are compared."
            )
    if first.splits is None and second.splits is None:
        yield "Splits are not on record: all annotated samples that both predicted are compared."
    for run, name in ((first, "A"), (second, "B")):
        alone = sorted({key[1] for key in run.scores} - {key[1] for key in common})
        if alone:
            names = ", ".join(alone[:LONG]) + (", …" if len(alone) > LONG else "")
            yield f"Only in {name}: {names}."


def find_changes(
    first: Mapping[str, Mapping[str, Mapping[str, Any]]],
    second: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> Iterator[Change]:
    """What two runs were asked for differently, stage by stage.

    Args:
        first: requests of the first run by stage and unit.
        second: those of the second run.
    """
    for stage in dict.fromkeys([*first, *second]):
        if stage not in RENDERED:
            yield from _stage_changes(stage, first.get(stage, {}), second.get(stage, {}))


def _stage_changes(
    stage: str, first: Mapping[str, Mapping[str, Any]], second: Mapping[str, Mapping[str, Any]]
) -> Iterator[Change]:
    one, other = _sample_keys(first), _sample_keys(second)
    if one != other:
        yield Change(stage, "", "inputs", *_count_changes(one, other, "sample"))
    if _is_sharded(first) or _is_sharded(second):  # shards only divide the work
        first, second = _first_shard(first), _first_shard(second)
    units: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for unit in dict.fromkeys([*first, *second]):
        if unit in first and unit in second:
            for change in _unit_changes(first[unit], second[unit]):
                units[change].append(unit)
        else:
            here = ("asked for", DASH)
            units["job", *(here if unit in first else reversed(here))].append(unit)
    both = first.keys() & second.keys()
    for (key, a, b), named in units.items():
        yield Change(stage, "" if set(named) == both else _name_units(named), key, a, b)


def _is_sharded(jobs: Mapping[str, Mapping[str, Any]]) -> bool:
    return any(isinstance(asked.get("samples"), dict) for asked in jobs.values())


def _first_shard(jobs: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    """One job of a stage whose jobs differ in their samples alone, without these."""
    for asked in jobs.values():
        return {"all": {key: value for key, value in asked.items() if key != "samples"}}
    return {}


def _sample_keys(jobs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What a stage of per-sample files reads of each sample."""
    keys: dict[str, Any] = {}
    for asked in jobs.values():
        if isinstance(asked.get("samples"), dict):
            keys |= asked["samples"]
    return keys


def _unit_changes(
    first: Mapping[str, Any], second: Mapping[str, Any]
) -> Iterator[tuple[str, str, str]]:
    """Name and both texts of each value that differs."""
    one, other = dict(_flatten(first)), dict(_flatten(second))
    for key in dict.fromkeys([*one, *other]):
        a, b = one.get(key), other.get(key)
        if a != b:
            yield key, *_texts(key, a, b)


def _flatten(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Values by the names that lead to them, joined by points; long mappings stay whole."""
    for key, value in values.items():
        name = f"{above}{key}"
        if isinstance(value, dict) and 0 < len(value) <= LONG:
            yield from _flatten(value, f"{name}.")
        else:
            yield name, value


def _texts(key: str, first: Any, second: Any) -> tuple[str, str]:
    """Both values as people read them."""
    if key == "code":
        return first[: len("v1-") + DIGITS], second[: len("v1-") + DIGITS]
    both = [value for value in (first, second) if isinstance(value, list | dict)]
    if both and max(map(len, both)) > LONG:
        return _count_changes(_entries(first), _entries(second), "entry")
    return _text(first), _text(second)


def _entries(value: Any) -> dict[str, Any]:
    """Entries of a list or mapping by what they are."""
    if isinstance(value, dict):
        return value
    return {json.dumps(entry, sort_keys=True): entry for entry in value or []}


def _count_changes(
    first: Mapping[str, Any], second: Mapping[str, Any], noun: str
) -> tuple[str, str]:
    """How many entries each has, and how many came, went or changed."""
    changed = sum(1 for key in first.keys() & second.keys() if first[key] != second[key])
    parts = {
        "new": len(second.keys() - first.keys()),
        "gone": len(first.keys() - second.keys()),
        "changed": changed,
    }
    said = ", ".join(f"{count} {what}" for what, count in parts.items() if count)
    many = "entries" if noun == "entry" else f"{noun}s"
    count = f"{len(second)} {many if len(second) != 1 else noun}"
    return f"{len(first)} {many if len(first) != 1 else noun}", f"{count} ({said or 'other order'})"


def _text(value: Any) -> str:
    if value is None:
        return DASH
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    is_digest = len(text) > 40 and not set(text.rpartition(":")[2]) - set("0123456789abcdef")
    return f"{text[: len(text.rpartition(':')[0]) + DIGITS]}…" if is_digest else text


def _name_units(units: Sequence[str]) -> str:
    shown = ", ".join(units[:SHOWN_UNITS])
    return shown if len(units) <= SHOWN_UNITS else f"{shown} and {len(units) - SHOWN_UNITS} more"
