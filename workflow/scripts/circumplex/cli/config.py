"""The plan of a config as Snakemake would merge it, for commands that run beside the workflow."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from snakemake.utils import update_config

from circumplex.cli.checkout import find_checkout
from circumplex.errors import RequestError
from circumplex.io.yaml_files import read_small_yaml
from circumplex.pipeline.checks import make_plan
from circumplex.pipeline.plan import Plan


def plan_of(presets: Iterable[Path]) -> Plan:
    """The plan of ``config.yaml`` overlaid by presets, in order.

    Raises:
        RequestError: a preset that cannot be read, is too large or refers to itself, or an invalid
            request.
    """
    plan = make_plan(merge_presets(presets))
    if plan.without_sheet:
        raise RequestError(plan.without_sheet)
    return plan


def merge_presets(presets: Iterable[Path]) -> dict[str, Any]:
    """Overlay ``config.yaml`` by presets, in order; nothing is checked.

    Raises:
        RequestError: a preset that cannot be read, is too large or refers to itself.
    """
    config: dict[str, Any] = {}
    for path in (find_checkout() / "config.yaml", *presets):
        values = read_small_yaml(path)
        if not isinstance(values, dict):
            raise RequestError(f"config file {path} holds no keys: write `key: value` lines")
        update_config(config, values)
    return config


def add_presets(parser: argparse.ArgumentParser) -> None:
    """Declare the argument that names presets."""
    parser.add_argument(
        "--configfile",
        type=Path,
        nargs="*",
        default=[],
        metavar="FILE",
        help="presets over config.yaml, in order",
    )
