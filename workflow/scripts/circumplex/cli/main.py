"""The command `circumplex` and its subcommands."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol

from circumplex.errors import CircumplexError

COMMANDS: Mapping[str, str] = {
    "sheet": "write the sample sheet from folders of videos, annotations or features",
    "predict": "predict valence and arousal of new videos, with nothing to train",
    "backbone": "train a visual network on still images, without any sample",
    "check-submission": "check a submission against the organisers' list",
    "compare": "set two runs side by side: what they were asked for, and their CCC",
    "estimate": "estimate jobs, CPU and GPU hours, and disk space of a run",
    "lag": "estimate how late annotators react, from a run's features and labels",
    "tune": "measure settings of the deep extractors on this machine and recommend some",
    "clean": "remove stored files that no result refers to, and what killed jobs left",
    "cards": "write the page of feature cards, docs/features.md",
    "options": "write the page of options, docs/options.md, and the JSON schema of the config",
    "debug": "run one stage for one sample in this process, for a debugger",
}
EPILOG = """\
examples:
  circumplex predict my_videos --output predicted
  circumplex sheet videos --videos my_videos --output my.tsv
  circumplex estimate --configfile config/demo.yaml
  circumplex compare results/before results/after
  circumplex COMMAND --help

The workflow itself is run by Snakemake: snakemake --cores 8
"""
INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


class Command(Protocol):
    """A module of a subcommand."""

    EXAMPLE: str
    """A command line, for the help."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the subcommand's arguments."""

    def run(self, options: argparse.Namespace) -> int:
        """Run the subcommand; returns the exit status."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        words: arguments; those of the process by default.

    Returns:
        Exit status: 0 if all is well, 1 after an error that the message explains, 130 after
        Ctrl-C. Invalid arguments end the process with status 2.
    """
    words = sys.argv[1:] if words is None else words
    try:
        options = make_parser(words).parse_args(words)
        status: int = options.run(options)
    except (CircumplexError, OSError) as error:
        print(f"circumplex: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def make_parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """A parser of this command line.

    Only the subcommand that the first word names has arguments, so that no other one is imported.
    """
    parser = argparse.ArgumentParser(
        prog="circumplex",
        description="Commands beside the workflow of Circumplex: what comes before a run, after "
        "it, and while developing.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        subparser = subparsers.add_parser(
            name, help=summary, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if words and words[0] == name:
            command = load(name)
            subparser.description = f"{summary[0].upper()}{summary[1:]}."
            subparser.epilog = f"example:\n  {command.EXAMPLE}"
            command.add_arguments(subparser)
            subparser.set_defaults(run=command.run)
    return parser


def load(name: str) -> Command:
    """The module of a subcommand, imported only when it is called."""
    match name:
        case "sheet":
            from circumplex.cli import sheet

            return sheet
        case "predict":
            from circumplex.cli import predict

            return predict
        case "backbone":
            from circumplex.cli import backbone

            return backbone
        case "check-submission":
            from circumplex.cli import check_submission

            return check_submission
        case "compare":
            from circumplex.cli import compare

            return compare
        case "estimate":
            from circumplex.cli import estimate

            return estimate
        case "lag":
            from circumplex.cli import lag

            return lag
        case "tune":
            from circumplex.cli import tune

            return tune
        case "clean":
            from circumplex.cli import clean

            return clean
        case "cards":
            from circumplex.cli import cards

            return cards
        case "options":
            from circumplex.cli import options

            return options
        case "debug":
            from circumplex.cli import debug

            return debug
    raise ValueError(f"no subcommand {name!r}")
