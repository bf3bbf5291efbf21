"""``circumplex predict``: valence and arousal of new videos, by a model that is ready for use.

The samples are all videos, of split predict; Snakemake does the rest, as it does for
``snakemake --configfile config/starter.yaml --config samples=... results=...``.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from circumplex.cli.cache_folder import check_cache_folder
from circumplex.cli.checkout import find_checkout
from circumplex.cli.sheet import report
from circumplex.corpora.sheet import write_sheet
from circumplex.corpora.videos import find_videos
from circumplex.errors import RequestError
from circumplex.pipeline.exports import DESCRIPTION

EXAMPLE = "circumplex predict my_videos --output predicted"
SHEET = "samples.tsv"
STARTER = "starter"
PRESETS = (STARTER, "mini-xception", "emotiefflib", "msp-dim", "both")
"""Models that a file of this name in ``config/`` of the checkout describes."""
FETCHED = PRESETS[2:]
"""Those whose weights are fetched first, where they are not there yet."""

WRITTEN = {
    "CSV files": "summary.csv",
    "player": "player.html",
    "report": "report.html",
    "logs": "logs",
}
"""What to look at, below the results folder, where a run ended early."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "videos",
        type=Path,
        nargs="+",
        metavar="VIDEOS",
        help="a video, or a folder of videos with any folders below",
    )
    parser.add_argument(
        "--model",
        default=STARTER,
        metavar="MODEL",
        help=f"{', '.join(PRESETS)}, or the folder of an exported ensemble "
        f"(default: {STARTER}; see docs/prediction.md)",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder to write the results into"
    )
    parser.add_argument(
        "--cores",
        type=int,
        default=len(os.sched_getaffinity(0)),
        metavar="N",
        help="CPU cores (default: all)",
    )
    parser.add_argument("--sound", action="store_true", help="include sound files without picture")
    parser.add_argument(
        "--configfile",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="presets over config.yaml, such as the one that the ensemble was trained with",
    )


def run(options: argparse.Namespace) -> int:
    """Write the sheet into the output folder, run Snakemake, and name what was written.

    Returns:
        Snakemake's exit status.

    Raises:
        RequestError: no such model, or no video.
    """
    presets, export = find_model(options.model)
    output: Path = options.output
    corpus = find_videos(options.videos, sound=options.sound, results=output)
    write_sheet(corpus.samples, output / SHEET, force=True)
    report(corpus, output / SHEET)
    places = {"samples": output / SHEET, "results": output, **export}
    configs = [*presets, *options.configfile]
    if options.model in FETCHED and (status := run_snakemake(places, 1, configs, "weights")):
        return status
    began = time.time()
    status = run_snakemake(places, options.cores, configs)
    for line in closing_lines(output, status, began):
        print(line)
    return status


def find_model(model: str) -> tuple[list[Path], dict[str, Path]]:
    """Presets, and places in the config, that choose a model.

    Args:
        model: one of `PRESETS`, or the folder of an exported ensemble.

    Raises:
        RequestError: it is neither.
    """
    if model in PRESETS:
        return [find_checkout() / "config" / f"{model}.yaml"], {}
    folder = Path(model)
    if not (folder / DESCRIPTION).is_file():
        raise RequestError(
            f"--model {model}: name {', '.join(PRESETS)}, or the folder of an exported ensemble, "
            f"such as results/exports/main, which holds {DESCRIPTION}"
        )
    return [], {"export": folder}


def run_snakemake(
    values: Mapping[str, Any], cores: int, presets: Sequence[Path], *targets: str
) -> int:
    """Run the workflow, for all or for some targets; returns Snakemake's exit status.

    Ctrl-C reaches Snakemake too, which ends its jobs; this process waits for it.

    Args:
        values: of the config, by its top keys, over the presets.
        cores: CPU cores.
        presets: files over ``config.yaml``.
        targets: what to make in place of all.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; Snakemake has said what to do.
        RequestError: Snakemake cannot keep its cache anywhere.
    """
    check_cache_folder()
    checkout = find_checkout()
    command = [
        *(sys.executable, "-m", "snakemake"),
        *("--snakefile", str(checkout / "Snakefile")),
        *("--workflow-profile", str(checkout / "profiles" / "default")),
        *("--cores", str(cores)),
        *(["--configfile", *map(str, presets)] if presets else []),
        *("--config", *(f"{key}={json.dumps(v, default=str)}" for key, v in values.items())),
        *(["--", *targets] if targets else []),
    ]
    interrupts: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
    try:
        status = subprocess.run(command, check=False).returncode
    finally:
        signal.signal(signal.SIGINT, handler)
    if interrupts:
        raise KeyboardInterrupt
    # Shells report a process that a signal ended in the same way.
    return status if status >= 0 else 128 - status


def closing_lines(output: Path, status: int, began: float) -> Iterator[str]:
    """What was written, where the run's last job has not said it.

    That job says it, and which samples failed, whenever it runs: not in a run that has nothing to
    do, or that ended before.

    Args:
        output: the results folder.
        status: Snakemake's exit status.
        began: when Snakemake was started, in seconds since the epoch.
    """
    closing_log = output / "logs" / "check_failures.log"
    if closing_log.exists() and closing_log.stat().st_mtime >= began:
        return
    summary = output / "check_failures.txt"
    if status == 0 and summary.is_file():
        yield from summary.read_text(encoding="utf-8").splitlines()
        return
    for what, name in WRITTEN.items():
        if (output / name).exists():
            yield f"{f'{what}:':<12} {output / name}"
