"""Feature cards: a description of each feature from the code, the catalogue and a run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from circumplex.config.catalogue import published_weights
from circumplex.config.features import Feature, FeatureText, options_of
from circumplex.config.modalities import Framing
from circumplex.config.option_tables import options_table
from circumplex.config.weights import PUBLISHED, RANDOM, TRAINED
from circumplex.io.markdown import markdown_table

FRAMINGS: Mapping[Framing | None, str] = {
    None: "a frame without a face takes the row of the nearest frame that has one",
    Framing.MEAN: "a frame takes the mean of the rows with their centre in it, else the nearest",
    Framing.NEAREST: "a frame takes the row whose centre is nearest to its middle",
}
IMPORTED = FeatureText(
    network="imported from your own files",
    input="unknown",
    row="a frame",
    address="",
    trained_on="unknown",
    licence="unknown",
    citation="unknown",
    note="",
)


@dataclass(frozen=True)
class Cost:
    """Cost of a feature in a run, including start-up and loading.

    Attributes:
        cpu_s: CPU seconds.
        video_s: seconds of video for which it was computed.
    """

    cpu_s: float
    video_s: float

    @property
    def per_second(self) -> float:
        """CPU seconds per second of video."""
        return self.cpu_s / self.video_s


@dataclass(frozen=True)
class Card:
    """Description of a feature for its users.

    Attributes:
        name: name of the feature.
        modality: modality it is computed from.
        dimension: values per frame.
        known: what the module of its extractor in `circumplex.config.extractors` says.
        network: name of the network in the configured size, and the layer whose output is used.
        time_base: what a row of the extractor is, and how rows become frames.
        weights: choice of weights; empty if there is no network.
        trained_on: data sets that the weights were trained on.
        licence: licence of the weights.
        citation: citation of the network.
        is_random: whether the weights are random.
        columns: names of the values; empty if they have none.
        cost: measured cost as text.
        accuracy: what is known of published weights whose outputs are emotions; else empty.
        limits: what to know of predictions made with them.
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
    accuracy: str = ""
    limits: str = ""


def make_card(
    feature: Feature, options: Mapping[str, Any], columns: Sequence[str], cost: str
) -> Card:
    """Make the card of a feature.

    Args:
        feature: feature to describe.
        options: its options in the config: ``weights`` if it has a network, ``dimension`` if that
            is not fixed, and those of `catalogue.SIZES` if its network has several sizes.
        columns: names of its values.
        cost: measured cost as text.
    """
    known = feature.text or IMPORTED
    weights = options.get("weights", "")
    published = weights.startswith(PUBLISHED)
    entry = published_weights()[weights.removeprefix(PUBLISHED)] if published else None
    source = entry or known
    trained_on, licence = _describe_training(weights, source.trained_on, source.licence)
    return Card(
        name=feature.name,
        modality=feature.modality.value,
        dimension=feature.dimension or int(options["dimension"]),
        known=known,
        network=known.network.format_map(options),
        time_base="one row per frame, as imported"
        if feature.imported
        else f"a row is {known.row}; {FRAMINGS[feature.framing]}",
        weights=describe_weights(weights) if weights else "",
        trained_on=trained_on,
        licence=licence,
        citation=source.citation,
        is_random=weights.startswith(RANDOM),
        columns=tuple(columns),
        cost=cost,
        accuracy=entry.accuracy if entry else "",
        limits=entry.limits if entry else "",
    )


def _describe_training(weights: str, trained_on: str, licence: str) -> tuple[str, str]:
    """Training data and licence of a choice of weights, by default those given."""
    if weights.startswith(RANDOM):
        return "nothing: the weights are random", licence
    if weights.startswith(TRAINED):
        card = f"the card {weights.removeprefix(TRAINED)}.md in backbones/"
        return f"in this run: see {card}", f"that of the sets in {card}"
    return trained_on, licence


def describe_weights(choice: str) -> str:
    """A choice of weights as text, with the revision and digests that pin it."""
    if choice.startswith(RANDOM):
        return f"{choice}, random weights, which say nothing about published performance"
    if not choice.startswith(PUBLISHED):
        return choice
    entry = published_weights()[choice.removeprefix(PUBLISHED)]
    files = [
        f"{file.name}" + (f" (sha256 {file.sha256[:12]}...)" if file.sha256 else "")
        for file in entry.files
    ]
    return f"{choice}, revision {entry.revision}: {', '.join(files)}"


def describe_cost(cost: Cost | None) -> str:
    """A measured cost as text."""
    if cost is None:
        return "not measured: taken from the store"
    measured = f"over {cost.video_s:.0f} s, start-up included"
    return f"{cost.per_second:.2g} CPU s per second of video ({measured})"


def render_markdown(cards: Iterable[Card]) -> str:
    """Render the cards as a page of the documentation, each with the options of its feature."""
    parts = [HEADER]
    for card in cards:
        table = "\n".join(markdown_table(["", ""], _rows(card).items()))
        parts.append(f"## `{card.name}`\n\n{table}\n")
        parts += [*options_table(options_of(card.name)), ""]
        parts.append(_render_columns(card))
    return "\n".join(parts)


def _rows(card: Card) -> dict[str, str]:
    """The rows of a card's table, value by name."""
    known = card.known
    rows = {
        "values per frame": str(card.dimension),
        "input": known.input,
        "time base": card.time_base,
        "network": card.network,
        "trained on": card.trained_on,
        "licence": card.licence,
        "citation": card.citation,
        "cost": card.cost,
    }
    if card.accuracy:
        rows |= {"accuracy": card.accuracy, "limits": card.limits}
    if card.weights:
        rows["weights"] = (
            f"`{card.weights}`. {known.note} For random weights: `random:<seed>`, named in every "
            "output, report and submission made with them"
        )
        rows["address"] = known.address
    return rows


def _render_columns(card: Card) -> str:
    if not card.columns:
        return f"Columns: {card.dimension} unnamed values.\n"
    names = ", ".join(f"`{name}`" for name in card.columns)
    return f"<details><summary>{len(card.columns)} columns</summary>\n\n{names}\n\n</details>\n"


HEADER = """\
# Feature cards

Written by `circumplex cards` from the code, `config.yaml`, and `config/extractors/` and
`config/weights.yaml` of the package; a test compares them. The report of a run has the same
cards with the run's own weights and its measured costs. Which sound belongs to which frame:
[alignment.md](alignment.md).
"""
