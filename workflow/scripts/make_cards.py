"""Write the feature cards of the documentation, docs/features.md.

This is a command to run by hand, not a rule's script: ``make cards``.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import yaml

from circumplex.config.features import FEATURES
from circumplex.features.extractors import compare, egemaps, mfcc
from circumplex.io.atomic import write_text
from circumplex.pipeline.resources import needs
from circumplex.report.feature_cards import make_card, render_markdown

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "features.md"
MACHINE = "2 cores with AVX-512, float32, 30 frames/s, without start-up"


def page() -> str:
    """The page as it should be."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["features"]
    named = [egemaps.build({}), compare.build({}), mfcc.build(config["mfcc"])]
    columns = {extractor.name: extractor.columns for extractor in named}
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description="Write the feature cards.")
    parser.add_argument("--output", type=Path, default=PAGE)
    write_text(parser.parse_args(arguments).output, page())


if __name__ == "__main__":
    main()
