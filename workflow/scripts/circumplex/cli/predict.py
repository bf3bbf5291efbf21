"""``circumplex predict``: predictions of new videos by an exported ensemble.

The samples are all videos, of split predict; Snakemake does the rest, as it does for
``snakemake --config samples=... results=... export=...``.
"""

import argparse
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from circumplex.cli.cache_folder import check_cache_folder
from circumplex.cli.checkout import find_checkout
from circumplex.corpora.sheet import write_sheet
from circumplex.corpora.videos import find_videos
from circumplex.errors import RequestError

EXAMPLE = "circumplex predict my_videos --export results/exports/main --output predicted"
SHEET = "samples.tsv"


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
        "--export",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="folder of the exported ensemble, which holds ensemble.json",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder to write the results into"
    )
    parser.add_argument("--cores", type=int, default=1, metavar="N", help="CPU cores (default: 1)")
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
    """Write the sheet into the output folder and run Snakemake.

    Returns:
        Snakemake's exit status.

    Raises:
        RequestError: no export in the folder, or no video.
    """
    export: Path = options.export
    if not (export / "ensemble.json").is_file():
        raise RequestError(
            f"{export} holds no ensemble.json: name the folder of an export, such as "
            "results/exports/main"
        )
    output: Path = options.output
    corpus = find_videos(options.videos, sound=options.sound)
    write_sheet(corpus.samples, output / SHEET, force=True)
    return run_snakemake(export, output, options.cores, options.configfile)


def run_snakemake(export: Path, output: Path, cores: int, presets: Sequence[Path]) -> int:
    """Predict the samples of the sheet in ``output``; returns Snakemake's exit status.

    Ctrl-C reaches Snakemake too, which ends its jobs; this process waits for it.

    Raises:
        RequestError: Snakemake cannot keep its cache anywhere.
    """
    check_cache_folder()
    checkout = find_checkout()
    places = {"samples": output / SHEET, "results": output, "export": export}
    command = [
        *(sys.executable, "-m", "snakemake"),
        *("--snakefile", str(checkout / "Snakefile")),
        *("--workflow-profile", str(checkout / "profiles" / "default")),
        *("--cores", str(cores)),
        *(["--configfile", *map(str, presets)] if presets else []),
        *("--config", *(f"{key}={json.dumps(str(path))}" for key, path in places.items())),
    ]
    handler = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        status = subprocess.run(command, check=False).returncode
    finally:
        signal.signal(signal.SIGINT, handler)
    # Shells report a process that a signal ended in the same way.
    return status if status >= 0 else 128 - status
