"""Remove stored files that no index names any more: of former parameters, code and samples.

This is a command to run by hand, not a rule's script, while no run is on.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from circumplex.pipeline.store import clean_store


def main(arguments: Sequence[str] | None = None) -> int:
    """Clean and say how much was set free.

    Returns:
        1 if there is no store, else 0.
    """
    parser = argparse.ArgumentParser(
        description="Remove stored files that nothing refers to any more. What is removed must be "
        "computed again if its parameters come back."
    )
    parser.add_argument("results", type=Path, help="the results folder")
    options = parser.parse_args(arguments)
    if not (options.results / "store").is_dir():
        print(f"clean_store: {options.results} holds no store", file=sys.stderr)
        return 1
    print(f"{clean_store(options.results) / 1e6:.1f} MB set free")
    return 0


if __name__ == "__main__":
    sys.exit(main())
