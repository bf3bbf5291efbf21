"""``circumplex lag``: estimate how late annotators react, for ``labels.lag_s``."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from circumplex.annotations.labels import read_labels_table
from circumplex.annotations.lag import Recording, estimate_lag
from circumplex.cli.config import add_presets, plan_of
from circumplex.config.samples import Sample, Split
from circumplex.config.validation import suggestion
from circumplex.errors import RequestError
from circumplex.io.parquet import read_columns
from circumplex.pipeline.graph import output_paths
from circumplex.pipeline.plan import Plan
from circumplex.pipeline.store import ok_files
from circumplex.targets import Target

EXAMPLE = "circumplex lag --configfile config/demo.yaml --feature egemaps"
MOST_LAGS = 1000
WEAK = 0.1
"""Correlation below which an estimate says little."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_presets(parser)
    parser.add_argument(
        "--feature",
        action="append",
        metavar="NAME",
        help="feature to predict annotation from, several by repetition (default: all that are "
        "packed)",
    )
    lags = (("from", -1.0, "first"), ("to", 6.0, "last"), ("step", 0.2, "distance of"))
    for name, default, what in lags:
        parser.add_argument(
            f"--{name}",
            dest=f"{name}_s",
            type=float,
            default=default,
            metavar="S",
            help=f"{what} lag to try, in seconds (default: {default:g})",
        )


def run(options: argparse.Namespace) -> int:
    """Print the estimate for each target that is annotated.

    Raises:
        RequestError: an invalid config, no such feature, or the run has no packs or labels yet.
    """
    plan = plan_of(options.configfile)
    lags = _lags(options.from_s, options.to_s, options.step_s)
    features = _features(plan, options.feature)
    recordings = list(_recordings(plan, features))
    if not recordings:
        raise RequestError("no training or validation sample has labels and these features")
    applied_s = plan.config["labels"]["lag_s"]
    print(f"annotation predicted from {', '.join(features)}, training and validation samples")
    for target in Target:
        column = list(Target).index(target)
        if all(np.isnan(of.annotation[:, column]).all() for of in recordings):
            print(f"{target}: not annotated")
            continue
        found = estimate_lag(recordings, target, lags)
        at_zero = float(np.interp(0.0, found.lags_s, found.correlation))
        print(
            f"{target}: lag {found.lag_s + applied_s:.2f} s (90% of resamplings: "
            f"{found.low_s + applied_s:.2f} to {found.high_s + applied_s:.2f} s), correlation "
            f"{found.correlation.max():.3f}, without further lag {at_zero:.3f}, "
            f"{found.recordings} recordings"
        )
        if found.correlation.max() < WEAK:
            print("  these features hardly predict it: do not rely on the lag")
        elif found.at_edge:
            print("  it is at the edge of the lags that were tried: try others")
    print("labels.lag_s takes one lag for both targets; see docs/annotations.md")
    return 0


def _lags(first: float, last: float, step: float) -> list[float]:
    if not (step > 0 and first < last and (last - first) / step <= MOST_LAGS):
        raise RequestError(
            f"lags from {first:g} to {last:g} s in steps of {step:g} s: the first lies before the "
            f"last, and there are at most {MOST_LAGS}"
        )
    return [first + step * k for k in range(round((last - first) / step) + 1)]


def _features(plan: Plan, wanted: Sequence[str] | None) -> list[str]:
    known = [feature.name for feature in plan.features]
    for name in wanted or []:
        if name not in known:
            raise RequestError(f"the run has no feature {name!r}{suggestion(name, known)}")
    packed = [name for name in wanted or known if all(p.is_file() for p in _packs(plan, name))]
    missing = [name for name in wanted or known[:1] if name not in packed]
    if missing and (wanted or not packed):
        path = next(p for p in _packs(plan, missing[0]) if not p.is_file())
        raise RequestError(
            f"{path} is missing: run the workflow up to the packs, as with `snakemake --cores 4 "
            f"--until pack_features read_labels`"
        )
    return packed


def _packs(plan: Plan, feature: str) -> list[Path]:
    units = [f"{feature}/{shard}" for shard in plan.shards]
    return [plan.results / output_paths("pack_features", unit)["index"] for unit in units]


def _labels(plan: Plan) -> Mapping[str, Path]:
    indexes = [plan.results / output_paths("read_labels", shard)["index"] for shard in plan.shards]
    for index in indexes:
        if not index.is_file():
            raise RequestError(
                f"{index} is missing: run the workflow up to the labels, as with `snakemake "
                "--cores 4 --until pack_features read_labels`"
            )
    return ok_files(indexes, plan.results)


def _recordings(plan: Plan, features: Sequence[str]) -> Iterator[Recording]:
    from circumplex.features.pack_reader import PackReader  # with PyTorch

    reader = PackReader({name: _packs(plan, name) for name in features})
    labels = _labels(plan)
    samples: Sequence[Sample] = plan.in_split(Split.TRAIN, Split.VAL)
    for row in samples:
        name = row.sample
        if name not in labels or not reader.packed(name, features):
            continue
        if not reader.complete(name, features):
            continue
        (time_s,) = read_columns(labels[name], ["time_s"])
        columns = [reader.features(name, feature, 0, len(time_s)) for feature in features]
        values = read_labels_table(labels[name])
        yield Recording(row.group, time_s, np.concatenate(columns, axis=1), values)
