"""``circumplex clean``: remove stored files of former parameters, code and samples.

What killed jobs left half-written goes too.
"""

import argparse
from pathlib import Path

from circumplex.errors import RequestError
from circumplex.io.leftovers import remove_leftovers
from circumplex.pipeline.store import clean_store

EXAMPLE = "circumplex clean results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "results",
        type=Path,
        metavar="RESULTS",
        help="results folder, while no run uses it; what is removed is computed again if its "
        "parameters come back",
    )


def run(options: argparse.Namespace) -> int:
    """Remove the files and print how much space they took.

    Raises:
        RequestError: the folder holds no store, or an index of it is damaged.
    """
    results: Path = options.results
    if not (results / "store").is_dir():
        raise RequestError(f"{results} holds no store: name the results folder of a run")
    freed = remove_leftovers(results)
    try:
        freed += clean_store(results)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RequestError(
            f"an index below {results / 'index'} is damaged, so that what is in use is not known: "
            "run the workflow first, which writes it again"
        ) from error
    print(f"{freed / 1e6:.1f} MB freed")
    return 0
