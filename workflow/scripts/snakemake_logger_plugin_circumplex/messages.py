"""What Snakemake logs, as a person should read it."""

import re

CHATTER = (
    "Assuming unrestricted shared filesystem usage",
    "Building DAG of jobs",
    "Config file ",
    "Using shell:",
    "Provided ",
    "Group jobs:",
    "Conda environments: ignored",
    "Singularity containers: ignored",
    "Exiting because a job execution failed",
    "Complete log(s):",
    "Elapsed time:",
)
"""Beginnings of what Snakemake logs of itself."""
INTERRUPTED = "Terminating processes on user request"
RESTARTED = re.compile(r"Trying to restart job (\d+)")
NOTHING = "Nothing to be done"
ENDED = (
    "At least one job did not complete successfully",
    "returned non-zero exit status",
    "died with <Signals.",
)
"""What is said of a job that failed, of which its log says more."""
LOCKED = "Error: Directory cannot be locked."
UNLOCK = (
    "Directory cannot be locked: another run is at work in this folder; wait for it. If it was "
    "killed, remove its lock, `rm -r .snakemake/locks`, and run the same command again"
)
"""In place of Snakemake's advice, ``--unlock``, which asks for the killed run's config."""
HEADER = re.compile(r"\w*(?:Exception|Error)(?: in [^\n]*)?(?::|\.)?")
FRAME = re.compile(r'\s*File ".*", line \d+(?:, in .*)?')


def plain_error(text: str) -> str:
    """An error without the exception's name, the rule file and Snakemake's own call stack.

    A traceback of Python, of an error that nobody foresaw, stays as it is.
    """
    if text.startswith("Traceback"):
        return text
    lines = text.rstrip().splitlines()
    if "Wildcards:" in lines:  # of a function that names inputs: the error is in the middle
        lines = lines[: lines.index("Wildcards:")]
    kept = [line for line in lines if not FRAME.fullmatch(line)]
    while kept and (HEADER.fullmatch(kept[0].strip()) or not kept[0].strip()):
        kept = kept[1:]
    indent = min((len(line) - len(line.lstrip()) for line in kept if line.strip()), default=0)
    plain = "\n".join(line[indent:] for line in kept).strip() or text.strip()
    return UNLOCK if plain.startswith(LOCKED) else plain
