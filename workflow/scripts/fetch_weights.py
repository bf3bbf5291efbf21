"""This script fetches the published weights that the config asks for into the cache."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from circumplex.config.catalogue import published_weights
from circumplex.io.atomic import write_json
from circumplex.networks.fetching import fetch
from circumplex.pipeline.jobs.logs import set_up

if TYPE_CHECKING:
    from snakemake.script import Snakemake

logger = logging.getLogger(__name__)


def main(snakemake: "Snakemake") -> None:
    """Fetch what is missing, check what is there, and say what a person must obtain."""
    set_up(snakemake.log[0], "fetch_weights", snakemake.resources)
    tracked = snakemake.params.stage
    cache = Path(tracked["cache"])
    catalogue = published_weights()
    fetched = {name: fetch(catalogue[name], cache) for name in tracked["published"]}
    for problem in tracked["by_hand"]:
        logger.warning("to be obtained by hand: %s", problem)
    write_json(Path(snakemake.output[0]), {"cache": str(cache), "sha256": fetched})


if __name__ == "__main__":
    main(snakemake)
