"""``circumplex options``: write docs/options.md and the JSON schema of the config."""

import argparse

from circumplex.cli.checkout import find_checkout
from circumplex.config.documents import PAGE, SCHEMA, options_page, schema_text
from circumplex.io.atomic import write_text

EXAMPLE = "circumplex options"


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Declare the arguments: none."""


def run(_options: argparse.Namespace) -> int:
    """Write both from the models of the config."""
    write_text(find_checkout() / PAGE, options_page())
    write_text(SCHEMA, schema_text())
    return 0
