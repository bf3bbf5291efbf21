"""``circumplex cards``: write the feature cards of the documentation, docs/features.md."""

import argparse
from pathlib import Path

import yaml

from circumplex.cli.checkout import find_checkout
from circumplex.config.features import FEATURES
from circumplex.features.extractors import compare, egemaps, mfcc
from circumplex.io.atomic import write_text
from circumplex.pipeline.resources import needs
from circumplex.report.feature_cards import make_card, render_markdown

EXAMPLE = "circumplex cards"
PAGE = Path("docs", "features.md")
MACHINE = "2 cores with AVX-512, float32, 30 frames/s, without start-up"


def page() -> str:
    """The page as it should be."""
    shipped = find_checkout() / "config.yaml"
    config = yaml.safe_load(shipped.read_text(encoding="utf-8"))["features"]
    columns = {
        "egemaps": egemaps.build({}).columns,
        "compare": compare.build({}).columns,
        "mfcc": mfcc.build(config["mfcc"]).columns,
    }
    cards = [
        make_card(
            feature,
            config[feature.name],
            columns.get(feature.name, ()),
            f"{needs()[feature.stage].cpu_s:g} CPU seconds per second of video ({MACHINE})",
        )
        for feature in FEATURES.values()
    ]
    return render_markdown(cards)


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
