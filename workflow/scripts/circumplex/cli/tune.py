"""``circumplex tune``: measure the settings of the deep extractors and recommend config values."""

import argparse
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import torch

from circumplex.cli.config import add_presets, plan_of
from circumplex.config.features import FEATURES, options_of
from circumplex.features.tuning import LEAST_COSINE, Build, Trial, Tuner, recommend
from circumplex.features.tuning_inputs import inputs_of
from circumplex.pipeline.jobs.extraction import PACKAGE
from circumplex.pipeline.plan import Plan

EXAMPLE = "circumplex tune --configfile config/small.yaml --features densenet"
HEADER = f"{'settings':56}{'ms/batch':>9}{'faster':>8}{'first s':>9}{'cosine':>10}{'error':>8} bits"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_presets(parser)
    parser.add_argument(
        "--features",
        nargs="+",
        choices=deep_features(),
        metavar="FEATURE",
        help="features to tune (default: the deep ones that the run uses)",
    )
    parser.add_argument(
        "--threads", type=int, metavar="N", help="CPU cores (default: compute.threads.extract)"
    )
    parser.add_argument(
        "--device", default="cpu", help="device as PyTorch names it, such as cuda:0 (default: cpu)"
    )


def run(options: argparse.Namespace) -> int:
    """Print what was measured, and the part of a config to write.

    Raises:
        RequestError: the config is invalid, or weights are missing.
    """
    plan = plan_of(options.configfile)
    torch.set_num_threads(options.threads or plan.config["compute"]["threads"]["extract"])
    names = options.features or [f.name for f in plan.features if f.name in deep_features()]
    _recommend({name: _tune(plan, name, options.device) for name in names}, options.device)
    return 0


def deep_features() -> list[str]:
    """Names of the features whose extractor is a network with settings."""
    deep = [feature.name for feature in FEATURES.values() if feature.deep]
    return [name for name in deep if "precision" in options_of(name).model_fields]


def extractor_options(plan: Plan, name: str) -> dict[str, Any]:
    """The config's slice, with the files of published and trained weights in place of names."""
    options = dict(plan.config["features"][name])
    for key, choice in plan.weight_choices(FEATURES[name]).items():
        path = plan.weights_path(choice)
        options[key] = choice if path is None else str(path)
    return options


def _tune(plan: Plan, name: str, device: str) -> tuple[Trial, Trial]:
    print(f"\n{name}\n{HEADER}", flush=True)
    trials: list[Trial] = []
    options = extractor_options(plan, name)
    build: Build = import_module(f"{PACKAGE}.{name}").build
    tuner = Tuner(build, options, device, lambda e: inputs_of(e, plan.results))
    for trial in tuner.trials():
        trials.append(trial)
        print(_line(trial, trials[0]), flush=True)
    return trials[0], recommend(trials)


def _line(trial: Trial, plain: Trial) -> str:
    settings = ", ".join(f"{key} {_yaml(value)}" for key, value in trial.settings.items())
    faster = plain.seconds / trial.seconds
    return (
        f"{settings:56}{1000 * trial.seconds:9.0f}{faster:8.2f}{trial.first_s:9.1f}"
        f"{trial.cosine:10.6f}{trial.error:8.4f} {'same' if trial.same_bits else 'OTHER'}"
    )


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _recommend(chosen: Mapping[str, tuple[Trial, Trial]], device: str) -> None:
    print(
        "\nfirst s: of the first batch, compiling included; error: largest relative error; bits: "
        "whether an item has the same at other positions of the batch."
        f"\nFor {torch.get_num_threads()} threads on {device}. A setting is offered where no "
        f"feature's cosine to float32 is below {LEAST_COSINE} on what was tried: look at your own "
        "scores before you keep it. Features of other settings are other files: choose once.\n"
    )
    print("features:")
    for name, (plain, best) in chosen.items():
        values = ", ".join(f"{key}: {_yaml(value)}" for key, value in best.settings.items())
        gain = f"{plain.seconds / best.seconds:.2f} times as fast as float32"
        change = f"cosine {best.cosine:.6f}, relative error {best.error:.4f}"
        print(f"  {name}: {{{values}}} # {gain}; {change}")
