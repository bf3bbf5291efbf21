"""``circumplex backbone``: train one visual network on sets of still images, without any sample.

Snakemake does the work: ``snakemake --config backbones=... -- results/backbones/<recipe>.md``.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from circumplex.cli.config import add_presets, merge_presets
from circumplex.cli.predict import run_snakemake
from circumplex.config.still_sets import kinds
from circumplex.config.validation import suggestion
from circumplex.config.values import without_nulls
from circumplex.config.weights import PUBLISHED
from circumplex.errors import RequestError
from circumplex.pipeline.backbone_plan import FOLDER, TRAINABLE

EXAMPLE = "circumplex backbone expression_densenet --still-set ferplus=data/ferplus"
TABLE = "image_table"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("recipe", metavar="RECIPE", help="recipe under backbones.recipes")
    parser.add_argument(
        "--still-set",
        type=read_set,
        action="append",
        default=[],
        metavar="NAME=PATH",
        help=f"a set of still images and its place; NAME is one of {', '.join(kinds())}, a set "
        "that the config declares, or any name of a csv; may be given again",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="results folder (default: results)",
    )
    parser.add_argument(
        "--cores",
        type=int,
        default=len(os.sched_getaffinity(0)),
        metavar="N",
        help="CPU cores (default: all)",
    )
    add_presets(parser)


def read_set(text: str) -> tuple[str, str]:
    """Name and place of a set.

    Raises:
        argparse.ArgumentTypeError: not ``NAME=PATH``.
    """
    name, _, path = text.partition("=")
    if not name or not path:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=PATH, such as ferplus=data/ferplus")
    return name, path


def run(options: argparse.Namespace) -> int:
    """Train the backbone, and name what was written.

    Returns:
        Snakemake's exit status.

    Raises:
        RequestError: no such recipe, or a set of unknown layout.
    """
    backbones = without_nulls(merge_presets(options.configfile)).get("backbones", {})
    recipes = backbones.get("recipes", {})
    if options.recipe not in recipes:
        known = suggestion(options.recipe, [*recipes])
        raise RequestError(f"backbones.recipes has no {options.recipe}{known}")
    recipe = recipes[options.recipe]
    declared = backbones.get("still_sets", {})
    given = {name: describe_set(name, path, declared) for name, path in options.still_set}
    phases = choose_phases(recipe.get("phases", []), given, [*declared, *given])
    print(f"phases: {phases}", flush=True)
    values = {
        "results": options.output,
        "backbones": {"still_sets": given, "recipes": {options.recipe: {"phases": phases}}},
    }
    if str(recipe.get("start", "")).startswith(PUBLISHED) and (
        status := run_snakemake(values, 1, options.configfile, "weights")
    ):
        return status
    place = options.output / FOLDER / options.recipe
    status = run_snakemake(values, options.cores, options.configfile, f"{place}.md")
    if status == 0:
        features = [name for name, kind in TRAINABLE.items() if kind == recipe.get("network")]
        print(f"weights: {place}.safetensors")
        print(f"card:    {place}.md, and as JSON {place}.json")
        print(
            f"use:     features: {{{' or '.join(features)}: {{weights: {place}.safetensors}}}}, "
            "with the recipe's sizes"
        )
    return status


def describe_set(name: str, path: str, declared: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A set of still images as the config has it.

    Args:
        name: of the set; of a set that the config does not declare, it says the layout too.
        path: its folder, or its csv.
        declared: sets of the config, whose other options stay.

    Raises:
        RequestError: a layout that is not known.
    """
    if name in declared:
        return {"path": path}
    if name in kinds():
        return {"kind": name, "path": path}
    if path.lower().endswith(".csv"):
        return {"kind": TABLE, "path": path}
    raise RequestError(
        f"--still-set {name}={path}: which layout is it? Name it {' or '.join(kinds())}, give a "
        "csv of images, or declare it under backbones.still_sets of a --configfile "
        "(docs/backbones.md)"
    )


def choose_phases(
    phases: Sequence[Sequence[str]], given: Mapping[str, Any], known: Sequence[str]
) -> list[list[str]]:
    """The recipe's phases with the sets that there are; of other sets, one phase of them all.

    Args:
        phases: of the recipe.
        given: sets of the command line.
        known: all sets that there are.

    Raises:
        RequestError: no set at all, or sets beside those that the recipe names.
    """
    named = {name for phase in phases for name in phase}
    foreign = [name for name in given if name not in named]
    if foreign and len(foreign) == len(given):
        return [foreign]
    if foreign:
        raise RequestError(
            f"the recipe trains on {', '.join(sorted(named))}, not on {', '.join(foreign)}: say "
            "under phases of the recipe, in a --configfile, which sets come together or after "
            "one another"
        )
    kept = [[name for name in phase if name in known] for phase in phases]
    if not any(kept):
        raise RequestError(
            f"no set of still images to train on: give --still-set {phases[0][0]}=DIR, or declare "
            "it under backbones.still_sets (docs/backbones.md)"
        )
    return [phase for phase in kept if phase]
