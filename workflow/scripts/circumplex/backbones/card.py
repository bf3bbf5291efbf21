"""The model card of a trained backbone, as Markdown; the report shows the same card as HTML."""

import math
from collections.abc import Mapping
from typing import Any

from circumplex.io.markdown import markdown_table


def card_text(card: Mapping[str, Any]) -> str:
    """Markdown of a card.

    Args:
        card: as `circumplex.pipeline.jobs.backbone` writes it.
    """
    recipe = card["recipe"]
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
        f"- code: {card['code']}",
        f"- epochs: {len(card['log'])} in {len(recipe['phases'])} phase(s)",
    ]
    if card["untrained"]:
        units = ", ".join(f"AU{unit}" for unit in card["untrained"])
        lines.append(f"- untrained, since no training image is annotated for it: {units}")
    lines += ["", "## Data", ""]
    splits = ("train", "val", "test")
    lines += markdown_table(
        ["set", "kind", *splits, "licence"],
        [
            [d["set"], d["kind"], *(d["images"][split] for split in splits), d["licence"]]
            for d in card["data"]
        ],
    )
    for split, sets in card["scores"].items():
        for name, score in sets.items():
            lines += ["", f"## {name}, {split}: {score['images']} images", ""]
            lines += _score(score, card["paper"].get(name))
    lines += ["", "## Recipe", ""]
    lines += markdown_table(["value", ""], [[key, value] for key, value in sorted(recipe.items())])
    return "\n".join(lines) + "\n"


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
