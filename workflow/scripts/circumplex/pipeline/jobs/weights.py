"""The jobs before any training of a backbone: published weights, tables of still images."""

import logging
from dataclasses import replace
from pathlib import Path

from circumplex.backbones.listing import list_stills
from circumplex.backbones.sets.registry import make_reader
from circumplex.config.catalogue import published_weights
from circumplex.io.atomic import write_json
from circumplex.networks.fetching import fetch
from circumplex.pipeline.jobs.job import RunningJob
from circumplex.pipeline.requests import FetchRequest, StillsRequest

logger = logging.getLogger(__name__)


def fetch_weights(job: RunningJob) -> None:
    """Fetch what is missing, check what is there, and report what a person must obtain."""
    request: FetchRequest = job.request
    cache = Path(request.cache)
    catalogue = published_weights()
    fetched = {name: fetch(catalogue[name], cache) for name in request.published}
    for problem in request.by_hand:
        logger.warning("to be obtained by hand: %s", problem)
    write_json(job.output("fetched"), {"cache": str(cache), "sha256": fetched})


def list_stills_of_set(job: RunningJob) -> None:
    """Write the table of a set of still images, and a summary of it."""
    request: StillsRequest = job.request
    options = dict(request.options)
    reader = make_reader(options.pop("kind"), options)
    description = reader.describe(request.name)
    summary = list_stills(
        reader,
        replace(description, code=request.code, input=request.input),
        job.output("table"),
        drop_duplicates=request.drop_duplicates,
        threads=job.threads,
    )
    write_json(job.output("summary"), summary)
