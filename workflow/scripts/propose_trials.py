"""This script proposes a round's trials of the search, from the scores of the rounds before."""

from pathlib import Path
from typing import TYPE_CHECKING

from circumplex.io.atomic import write_json
from circumplex.pipeline.jobs.logs import set_up
from circumplex.training.search import Finished, Sampler, propose, read_trials

if TYPE_CHECKING:
    from snakemake.script import Snakemake


def main(snakemake: "Snakemake") -> None:
    """Write the parameters of each trial of the round."""
    set_up(snakemake.log[0], "propose_trials")
    tracked = snakemake.params.stage
    trials = read_trials(
        [Path(path) for path in snakemake.input.rounds],
        [Path(path) for path in snakemake.input.epochs],
    )
    finished = [Finished(trial.parameters, trial.score) for trial in trials]
    proposed = propose(
        tracked["space"], finished, tracked["count"], Sampler(tracked["sampler"]), tracked["seed"]
    )
    write_json(Path(snakemake.output[0]), proposed)


if __name__ == "__main__":
    main(snakemake)
