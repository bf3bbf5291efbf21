"""The jobs of a search of hyperparameters, but for the training of its trials."""

import csv
import io
import math

import yaml

from circumplex.config.search import preset
from circumplex.io.atomic import write_json, write_text
from circumplex.io.markdown import markdown_table
from circumplex.pipeline.jobs.job import RunningJob
from circumplex.pipeline.requests import ProposalRequest, SearchRequest
from circumplex.training.search import Finished, Sampler, propose, read_trials, rows


def propose_round(job: RunningJob) -> None:
    """Write the parameters of each trial of a round."""
    request: ProposalRequest = job.request
    trials = read_trials(job.inputs["rounds"], job.inputs["epochs"])
    finished = [Finished(trial.parameters, trial.score) for trial in trials]
    sampler = Sampler(request.sampler)
    proposed = propose(request.space, finished, request.count, sampler, request.seed)
    write_json(job.output("round"), proposed)


def summarise_search(job: RunningJob) -> None:
    """Write a search's trials as CSV and Markdown, and the best one as a preset.

    Raises:
        ValueError: no trial has a score.
    """
    request: SearchRequest = job.request
    trials = read_trials(job.inputs["rounds"], job.inputs["epochs"])
    table = rows(trials, request.search["space"])
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    write_text(job.output("csv"), text.getvalue())
    cells = [[_cell(value) for value in row.values()] for row in table]
    note = "CCC on the validation samples, raw predictions, at each target's best epoch."
    body = "\n".join(markdown_table(list(table[0]), cells))
    write_text(job.output("markdown"), f"{note}\n\n{body}\n")
    best = trials[table[0]["trial"]]
    if math.isnan(best.score):
        raise ValueError("no trial has a score: narrow the learning rates")
    heading = f"# Trial {best.number} of the search, the best of {len(trials)} on validation.\n"
    chosen = preset(request.search, best.parameters)
    write_text(job.output("best"), heading + yaml.safe_dump(chosen, sort_keys=False))


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
