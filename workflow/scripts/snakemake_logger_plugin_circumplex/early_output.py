"""What a job prints before its log is open: an import that fails, or Ctrl-C's traceback."""

import tempfile
from shlex import quote

from snakemake.shell import shell


class EarlyOutput:
    """A file that takes the standard error of local jobs in place of the terminal.

    A job's own log takes it over as soon as the job's code runs.
    """

    def __init__(self) -> None:
        self._file = tempfile.NamedTemporaryFile("rb", prefix="circumplex-", suffix=".err")  # noqa: SIM115 - gone with the process
        name = quote(self._file.name).replace("{", "{{").replace("}", "}}")
        # Snakemake's own prefix of bash commands, and the file.
        shell.prefix(f"set -euo pipefail; exec 2>>{name}; ")

    def read(self) -> str:
        """What was printed since the last call."""
        return self._file.read().decode(errors="replace").strip()
