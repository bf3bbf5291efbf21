import math

import pytest

from circumplex.backbones.card import card_text, number

EXPRESSIONS = {
    "images": 40,
    "accuracy": 0.87654,
    "mean_recall": 0.5,
    "classes": ["happy", "sad"],
    "confusion": [[7, 1], [2, 30]],
}
UNITS = {
    "images": 9,
    "mean_f1": 0.61249,
    "units": {
        "1": {"f1": 0.8, "accuracy": 0.25, "shown": 3, "annotated": 9},
        "12": {"f1": None, "accuracy": 1.0, "shown": 0, "annotated": 8},
    },
}
IRESNET = {
    "network": "iresnet",
    "depth": 50,
    "channels": 32,
    "blocks": [1, 2, 3],
    "task": "action_units",
    "phases": ["a", "b"],
}
DENSENET = {**IRESNET, "network": "densenet", "task": "expression"}


def card(recipe, **fields):
    values = {
        "name": "my_network",
        "recipe": recipe,
        "date": "2024-05-01",
        "start": "random weights",
        "weights": "w.safetensors",
        "sha256": "ab" * 32,
        "code": "c0de",
        "log": [{}] * 5,
        "untrained": [],
        "data": [
            {
                "set": "drawn",
                "kind": "image_table",
                "images": {"train": 11, "val": 22, "test": 33},
                "licence": "CC0",
            }
        ],
        "scores": {"val": {"drawn": EXPRESSIONS}},
        "paper": {},
    }
    return card_text({**values, **fields})


def cells(text, first):
    """The row of a table that begins with a cell."""
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in text.splitlines()]
    (row,) = (row for row in rows if row[0] == first)
    return row


def test_the_network_is_described_by_its_own_options():
    assert "\niresnet of 50 layers, 32 channels in its first stage, trained on 2024-05-01" in card(
        IRESNET
    )
    assert "\ndensenet, blocks of [1, 2, 3] layers, trained on 2024-05-01" in card(DENSENET)


def test_the_head_names_task_start_weights_code_and_epochs():
    text = card(IRESNET)
    assert text.startswith("# my_network\n")
    assert " for action units; started from random weights." in text
    assert f"- weights: `w.safetensors`, sha256 {'ab' * 32}\n" in text
    assert "- code: c0de\n" in text
    assert "- epochs: 5 in 2 phase(s)\n" in text


def test_untrained_units_are_named_only_where_there_are_any():
    assert "untrained" not in card(IRESNET)
    assert "annotated for it: AU4, AU17\n" in card(IRESNET, untrained=[4, 17])


def test_images_of_each_split_stand_in_order():
    assert cells(card(IRESNET), "drawn") == ["drawn", "image_table", "11", "22", "33", "CC0"]


def test_expression_scores():
    text = card(DENSENET)
    assert "## drawn, val: 40 images\n" in text
    assert "\nAccuracy 0.8765; mean recall 0.5000. Rows are true classes" in text
    assert cells(text, "happy") == ["happy", "7", "1"]
    assert cells(text, "sad") == ["sad", "2", "30"]
    published = card(DENSENET, paper={"drawn": 0.9})
    assert "Accuracy 0.8765; the paper's network 0.9000 on its set; mean recall" in published


def test_scores_of_action_units():
    text = card(IRESNET, scores={"test": {"drawn": UNITS}})
    assert "## drawn, test: 9 images\n" in text
    assert "\nMean F1 0.612 over the units" in text
    assert cells(text, "AU1") == ["AU1", "0.800", "0.250", "3", "9"]
    assert cells(text, "AU12") == ["AU12", "–", "1.000", "0", "8"]


def test_the_recipe_is_listed_in_order_of_its_keys():
    recipe = card(IRESNET).split("## Recipe")[1].splitlines()
    keys = [line.strip("|").split("|")[0].strip() for line in recipe[4:]]
    assert keys == sorted(IRESNET)


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(0.12345, 3, "0.123"), (0.98765, 4, "0.9877"), (None, 3, "–"), (math.nan, 3, "–")],
)
def test_numbers(value, decimals, text):
    assert number(value, decimals) == text
