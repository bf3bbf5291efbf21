"""The command `circumplex` as ``python -m circumplex``."""

import sys

from circumplex.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
