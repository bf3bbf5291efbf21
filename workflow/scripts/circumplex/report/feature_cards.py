"""Feature cards: what each feature is, in the words of the code, the catalogue and a run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from circumplex.config.catalogue import published_weights
from circumplex.config.features import Feature, FeatureText, options_of
from circumplex.config.modalities import Framing
from circumplex.config.option_tables import options_table
from circumplex.config.weights import PUBLISHED, RANDOM, TRAINED

FRAMINGS: Mapping[Framing | None, str] = {
    None: "a frame without a face takes the row of the nearest frame that has one",
    Framing.MEAN: "a frame takes the mean of the rows with their centre in it, else the nearest",
    Framing.NEAREST: "a frame takes the row whose centre is nearest to its middle",
}
IMPORTED = FeatureText(
    network="imported from files of your own",
    input="not known here",
    row="a frame",
    address="",
    trained_on="not known here",
    licence="not known here",
    citation="not known here",
    note="",
)


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
        known: what its extractor's module in `circumplex.config.extractors` says.
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
    known: FeatureText
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
    known = feature.text or IMPORTED
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


def describe_cost(cost: Cost | None) -> str:
    """A measured cost in words."""
    if cost is None:
        return "not measured: taken from the store"
    measured = f"over {cost.video_s:.0f} s, start-up included"
    return f"{cost.per_second:.2g} CPU s a second of video ({measured})"


def render_markdown(cards: Iterable[Card]) -> str:
    """The cards as a page of the documentation, each with its options."""
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
        lines = [f"| {key} | {_cell(value)} |" for key, value in rows.items()]
        parts.append(f"## `{card.name}`\n\n| | |\n|---|---|\n" + "\n".join(lines) + "\n")
        parts.append(options_table(options_of(card.name)))
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

Written by `make cards` from the code, `config.yaml`, and `config/extractors/` and
`config/weights.yaml` of the package; a test compares them. The report of a run has the same
cards with the run's own weights and its measured costs. Which sound belongs to which frame:
[alignment.md](alignment.md).
"""
