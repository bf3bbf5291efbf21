"""The model card of a trained backbone, as Markdown; the report shows the same card as HTML."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from circumplex.io.markdown import markdown_table


def card_text(card: Mapping[str, Any]) -> str:
    """Markdown of a card, which says all that its JSON says.

    Args:
        card: as `circumplex.pipeline.jobs.backbone` writes it.
    """
    return "\n".join(
        [
            *_head(card),
            *("", "## Data", ""),
            *_data(card["data"]),
            *_scores(card),
            *("", "## Recipe", ""),
            *markdown_table(["value", ""], sorted(_flatten(card["recipe"]))),
            *("", "## Epochs", ""),
            *_epochs(card["log"]),
            "",
        ]
    )


def _head(card: Mapping[str, Any]) -> list[str]:
    recipe, kept = card["recipe"], card["kept"]
    network = recipe["network"] + (
        f" of {recipe['depth']} layers, {recipe['channels']} channels in its first stage"
        if recipe["network"] == "iresnet"
        else f", blocks of {recipe['blocks']} layers"
    )
    lines = [
        f"# {card['name']}",
        "",
        f"{network}, trained on {card['date']} for {recipe['task'].replace('_', ' ')}; started "
        f"from {card['start']}.",
        "",
        f"- weights: `{card['weights']}`, sha256 {card['sha256']}",
        f"- code: {card['code']}; torch {card['torch']}; seed {recipe['seed']}",
        f"- epochs: {len(card['log'])} trained in {len(recipe['phases'])} phase(s); the weights "
        f"are those of epoch {kept['epoch']} of phase {kept['phase']}",
    ]
    if "mean" in (images := recipe["augmentation"]):
        lines.append(f"- grey values: mean {images['mean']}, deviation {images['deviation']}")
    if card["untrained"]:
        units = ", ".join(f"AU{unit}" for unit in card["untrained"])
        lines.append(f"- untrained, since no training image is annotated for it: {units}")
    return lines


def _data(sets: Sequence[Mapping[str, Any]]) -> list[str]:
    splits = ("train", "val", "test")
    lines = markdown_table(
        ["set", "kind", *splits, "licence"],
        [
            [d["set"], d["kind"], *(d["images"][split] for split in splits), d["licence"]]
            for d in sets
        ],
    )
    for of_set in sets:
        options = "; ".join(f"{key}: {value}" for key, value in sorted(_flatten(of_set["options"])))
        lines += ["", f"{of_set['set']}: digest {of_set['digest']}; {options}."]
    return lines


def _scores(card: Mapping[str, Any]) -> list[str]:
    lines = []
    for split, sets in card["scores"].items():
        for name, score in sets.items():
            lines += ["", f"## {name}, {split}: {score['images']} images", ""]
            lines += _score(score, card["paper"].get(name))
    return lines


def _epochs(log: Sequence[Mapping[str, Any]]) -> list[str]:
    """A table with a row per epoch; a dash where a column belongs to another phase."""
    columns = list(dict.fromkeys(key for row in log for key in row))
    return markdown_table(
        columns, [["–" if row.get(key) is None else row[key] for key in columns] for row in log]
    )


def _flatten(values: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    """Values by key, those of a section by its key and theirs."""
    found: list[tuple[str, Any]] = []
    for key, value in values.items():
        inner = isinstance(value, Mapping)
        found += _flatten(value, f"{above}{key}.") if inner else [(f"{above}{key}", value)]
    return found


def _score(score: Mapping[str, Any], published: float | None) -> list[str]:
    if "units" in score:
        lines = [f"Mean F1 {number(score['mean_f1'])} over the units that are shown.", ""]
        return lines + markdown_table(
            ["unit", "F1", "accuracy", "shown", "annotated"],
            [
                [f"AU{unit}", number(u["f1"]), number(u["accuracy"]), u["shown"], u["annotated"]]
                for unit, u in sorted(score["units"].items(), key=lambda item: int(item[0]))
            ],
        )
    beside = f"; the paper's network {number(published, 4)} on its set" if published else ""
    lines = [
        f"Accuracy {number(score['accuracy'], 4)}{beside}; mean recall "
        f"{number(score['mean_recall'], 4)}. Rows are true classes, columns predicted ones.",
        "",
    ]
    return lines + markdown_table(
        ["", *score["classes"]],
        [[n, *row] for n, row in zip(score["classes"], score["confusion"], strict=True)],
    )


def number(value: float | None, decimals: int = 3) -> str:
    """A score with its decimals; a dash where there is none."""
    return "–" if value is None or math.isnan(value) else f"{value:.{decimals}f}"
