"""``circumplex cards``: write the feature cards of the documentation, docs/features.md."""

import argparse
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from circumplex.cli.checkout import find_checkout
from circumplex.config.features import FEATURES, Feature
from circumplex.config.root import read_config
from circumplex.io.atomic import write_text
from circumplex.io.yaml_files import read_small_yaml
from circumplex.pipeline.jobs.extraction import PACKAGE
from circumplex.pipeline.resources import needs
from circumplex.report.feature_cards import make_card, render_markdown

EXAMPLE = "circumplex cards"
PAGE = Path("docs", "features.md")
MACHINE = "2 cores with AVX-512, float32, 30 frames/s, without start-up"


def page() -> str:
    """The page as it should be."""
    config = read_config(read_small_yaml(find_checkout() / "config.yaml"))["features"]
    cards = [
        make_card(
            feature,
            config[feature.name],
            _columns(feature, config[feature.name]),
            f"{needs()[feature.stage].cpu_s:g} CPU seconds per second of video ({MACHINE})",
        )
        for feature in FEATURES.values()
    ]
    return render_markdown(cards)


def _columns(feature: Feature, options: Mapping[str, Any]) -> Sequence[str]:
    """Names of a feature's values; empty where they have none."""
    if feature.deep:
        return feature.columns or options.get("columns", ())
    columns: Sequence[str] = import_module(f"{PACKAGE}.{feature.name}").build(options).columns
    return columns


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="page to write (default: docs/features.md of the checkout)",
    )


def run(options: argparse.Namespace) -> int:
    """Write the page."""
    write_text(options.output or find_checkout() / PAGE, page())
    return 0
