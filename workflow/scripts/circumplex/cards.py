"""Feature cards: what each feature is, in the words of the code, the catalogue and a run."""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circumplex.catalogue import FeatureWeights, feature_weights, published_weights
from circumplex.features import Feature
from circumplex.modalities import Framing
from circumplex.store import Entry, Status
from circumplex.weight_choices import PUBLISHED, RANDOM, TRAINED

FRAMINGS: Mapping[Framing | None, str] = {
    None: "a frame without a face takes the row of the nearest frame that has one",
    Framing.MEAN: "a frame takes the mean of the rows with their centre in it, else the nearest",
    Framing.NEAREST: "a frame takes the row whose centre is nearest to its middle",
}
IMPORTED = FeatureWeights(
    network="imported from files of your own",
    input="not known here",
    row="a frame",
    published=None,
    start=None,
    address="",
    trained_on="not known here",
    licence="not known here",
    citation="not known here",
    note="",
)
COUNTS = re.compile(r"(\d+) made, (\d+) taken from the store")


@dataclass(frozen=True)
class Cost:
    """What a feature cost in a run, start-up and loading included.

    Attributes:
        cpu_s: CPU seconds.
        video_s: seconds of video that it was computed for.
    """

    cpu_s: float
    video_s: float

    @property
    def per_second(self) -> float:
        """CPU seconds a second of video."""
        return self.cpu_s / self.video_s


@dataclass(frozen=True)
class Card:
    """What a person must know of a feature.

    Attributes:
        name: of the feature.
        modality: what it is computed from.
        dimension: values a frame.
        known: what the catalogue says.
        network: its name and which of its values, in the size that the options ask for.
        time_base: rows of the extractor, and how they become frames.
        weights: which ones; empty where there is no network.
        trained_on: data sets of these weights.
        licence: of these weights.
        citation: of the network.
        is_random: whether they are a seeded stand-in.
        columns: names of the values; empty where they have none.
        cost: in words.
    """

    name: str
    modality: str
    dimension: int
    known: FeatureWeights
    network: str
    time_base: str
    weights: str
    trained_on: str
    licence: str
    citation: str
    is_random: bool
    columns: tuple[str, ...]
    cost: str


def make_card(
    feature: Feature, options: Mapping[str, Any], columns: Sequence[str], cost: str
) -> Card:
    """The card of a feature.

    Args:
        feature: which.
        options: of the config: ``weights``, if it has a network, ``dimension``, if that is not
            fixed, and `catalogue.SIZES`, if it comes in several.
        columns: names of its values.
        cost: in words.
    """
    known = IMPORTED if feature.imported else feature_weights()[feature.name]
    weights = options.get("weights", "")
    published = weights.startswith(PUBLISHED)
    source = published_weights()[weights.removeprefix(PUBLISHED)] if published else known
    random = weights.startswith(RANDOM)
    trained_on, licence = source.trained_on, source.licence
    if random:
        trained_on = "nothing: the weights are random"
    elif weights.startswith(TRAINED):
        card = f"the card {weights.removeprefix(TRAINED)}.md in backbones/"
        trained_on, licence = f"in this run: see {card}", f"that of the sets in {card}"
    return Card(
        name=feature.name,
        modality=feature.modality.value,
        dimension=feature.dimension or int(options["dimension"]),
        known=known,
        network=known.network.format_map(options),
        time_base="a row a frame, as imported"
        if feature.imported
        else f"a row is {known.row}; {FRAMINGS[feature.framing]}",
        weights=describe_weights(weights) if weights else "",
        trained_on=trained_on,
        licence=licence,
        citation=source.citation,
        is_random=random,
        columns=tuple(columns),
        cost=cost,
    )


def describe_weights(choice: str) -> str:
    """A choice of weights in words, with what pins it."""
    if choice.startswith(RANDOM):
        return f"{choice}, a seeded random stand-in, which says nothing of published performance"
    if not choice.startswith(PUBLISHED):
        return choice
    entry = published_weights()[choice.removeprefix(PUBLISHED)]
    files = [
        f"{file.name}" + (f" (sha256 {file.sha256[:12]}...)" if file.sha256 else "")
        for file in entry.files
    ]
    return f"{choice}, revision {entry.revision}: {', '.join(files)}"


def measure_costs(
    results: Path,
    stages: Mapping[str, str],
    entries: Mapping[str, Mapping[str, Mapping[str, Entry]]],
    video_s: Mapping[str, float],
) -> dict[str, Cost]:
    """Cost of each feature by the benchmarks of the jobs that computed it.

    A job that took from the store what an earlier one made is left out: its time says nothing of
    the work.

    Args:
        results: folder of the run.
        stages: by feature, the stage that makes it.
        entries: by stage, shard and sample.
        video_s: length of each sample's video in seconds.

    Returns:
        By feature; only those of which some job is known whole.
    """
    costs = {}
    for feature, stage in stages.items():
        jobs = [
            cost
            for shard, samples in entries.get(stage, {}).items()
            if (cost := _job_cost(results, stage, shard, samples, video_s))
        ]
        total = Cost(sum(job.cpu_s for job in jobs), sum(job.video_s for job in jobs))
        if total.video_s > 0:
            costs[feature] = total
    return costs


def _job_cost(
    results: Path,
    stage: str,
    shard: str,
    samples: Mapping[str, Entry],
    video_s: Mapping[str, float],
) -> Cost | None:
    log = results / "logs" / stage / f"{shard}.log"
    benchmark = results / "benchmarks" / stage / f"{shard}.tsv"
    if not (log.is_file() and benchmark.is_file()):
        return None
    made = COUNTS.findall(log.read_text(encoding="utf-8"))
    done = {name: entry for name, entry in samples.items() if entry.status is Status.OK}
    # Samples of equal content, two people of one film say, share a file that is made once.
    files = {entry.file: name for name, entry in done.items()}
    if not files or not made or made[-1] != (str(len(files)), str(len(done) - len(files))):
        return None
    with benchmark.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    if len(rows) != 1 or not _is_number(rows[0].get("cpu_time", "")):
        return None  # too short a job has no CPU time
    return Cost(float(rows[0]["cpu_time"]), sum(video_s.get(name, 0.0) for name in files.values()))


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", text) is not None


def describe_cost(cost: Cost | None) -> str:
    """A measured cost in words."""
    if cost is None:
        return "not measured: taken from the store"
    measured = f"over {cost.video_s:.0f} s, start-up included"
    return f"{cost.per_second:.2g} CPU s a second of video ({measured})"


def render_markdown(cards: Iterable[Card], config: Mapping[str, Any]) -> str:
    """The cards as a page of the documentation.

    Args:
        cards: to show.
        config: the shipped config's ``features``.
    """
    parts = [HEADER]
    for card in cards:
        known = card.known
        rows = {
            "values a frame": str(card.dimension),
            "input": known.input,
            "time base": card.time_base,
            "network": card.network,
            "trained on": card.trained_on,
            "licence": card.licence,
            "citation": card.citation,
            "cost": card.cost,
        }
        if card.weights:
            rows["weights"] = (
                f"`{card.weights}`. {known.note} Stand-in: `random:<seed>`, named in every output, "
                "report and submission made with it"
            )
            rows["address"] = known.address
        options = ", ".join(
            f"{key}: {value}" for key, value in config[card.name].items() if key != "weights"
        )
        rows["options"] = f"`{options}`"
        lines = [f"| {key} | {_cell(value)} |" for key, value in rows.items()]
        parts.append(f"## `{card.name}`\n\n| | |\n|---|---|\n" + "\n".join(lines) + "\n")
        names = ", ".join(f"`{name}`" for name in card.columns)
        parts.append(
            f"<details><summary>{len(card.columns)} columns</summary>\n\n{names}\n\n</details>\n"
            if names
            else f"Columns: {card.dimension} unnamed values.\n"
        )
    return "\n".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


HEADER = """\
# Feature cards

Made by `make cards` from the code, `config.yaml`, `workflow/weights.yaml` and
`workflow/resources.yaml`; a test compares them. The report of a run has the same cards with the
run's own weights and what the features cost there. Which sound belongs to which frame:
[alignment.md](alignment.md).
"""
