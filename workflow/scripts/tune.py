"""Measure the settings of the deep extractors on this machine and recommend config values.

This is a command to run by hand, not a rule's script: ``make tune CONFIGS=...``.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from circumplex.cli.config import plan_of
from circumplex.config.features import FEATURES
from circumplex.errors import CircumplexError
from circumplex.features.extractors import (
    densenet,
    fau,
    iresnet,
    speech,
    timm,
    vggish,
    vit,
    wav2vec2,
)
from circumplex.features.tuning import LEAST_COSINE, Build, Trial, Tuner, recommend
from circumplex.features.tuning_inputs import inputs_of
from circumplex.pipeline.plan import Plan

DEEP: Mapping[str, Build] = {
    "densenet": densenet.build,
    "iresnet": iresnet.build,
    "fau": fau.build,
    "timm": timm.build,
    "vit": vit.build,
    "vggish": vggish.build,
    "wav2vec2": wav2vec2.build,
    "speech": speech.build,
}
HEADER = f"{'settings':56}{'ms/batch':>9}{'faster':>8}{'first s':>9}{'cosine':>10}{'error':>8} bits"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was measured, and the part of a config to write.

    Returns:
        1 if the config makes no sense or weights are missing, else 0.
    """
    parser = argparse.ArgumentParser(description="Recommend settings of the deep extractors.")
    parser.add_argument("--configfile", type=Path, nargs="*", default=[], help="presets")
    parser.add_argument("--features", nargs="+", choices=DEEP, help="default: those of the run")
    parser.add_argument("--threads", type=int, help="cores; default: compute.threads.extract")
    parser.add_argument("--device", default="cpu", help="PyTorch's name, such as cuda:0")
    options = parser.parse_args(arguments)
    try:
        plan = plan_of(options.configfile)
        torch.set_num_threads(options.threads or plan.config["compute"]["threads"]["extract"])
        names = options.features or [f.name for f in plan.features if f.name in DEEP]
        chosen = {name: _tune(plan, name, options.device) for name in names}
    except CircumplexError as error:
        print(f"tune: {error}", file=sys.stderr)
        return 1
    _recommend(chosen, options.device)
    return 0


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
    tuner = Tuner(DEEP[name], options, device, lambda e: inputs_of(e, plan.results))
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


if __name__ == "__main__":
    sys.exit(main())
