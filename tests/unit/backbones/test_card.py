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
    "seed": 3,
    "augmentation": {"flip": 0.5, "shift_px": 4.0},
}
DENSENET = {
    **{**IRESNET, "network": "densenet", "task": "expression"},
    "augmentation": {"flip": 0.5, "mean": 131.0754, "deviation": 47.858177},
}
LOG = [
    {"phase": 1, "epoch": 1, "learning_rate": 0.001, "loss": 1.5, "score": 0.25, "drawn": 0.25},
    {"phase": 2, "epoch": 1, "learning_rate": 0.002, "loss": 1.25, "score": None},
]


def card(recipe, **fields):
    values = {
        "name": "my_network",
        "recipe": recipe,
        "date": "2024-05-01",
        "start": "random weights",
        "weights": "w.safetensors",
        "sha256": "ab" * 32,
        "code": "c0de",
        "torch": "2.14.1",
        "log": LOG,
        "kept": {"phase": 2, "epoch": 4},
        "untrained": [],
        "data": [
            {
                "set": "drawn",
                "kind": "image_table",
                "images": {"train": 11, "val": 22, "test": 33},
                "licence": "CC0",
                "digest": "d1ce",
                "options": {"classes": 8, "folds": {"count": 5}, "drop_duplicates": True},
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
    assert "- code: c0de; torch 2.14.1; seed 3\n" in text
    kept = "the weights are those of epoch 4 of phase 2"
    assert f"- epochs: 2 trained in 2 phase(s); {kept}\n" in text
    assert "grey values" not in text
    assert "- grey values: mean 131.0754, deviation 47.858177\n" in card(DENSENET)


def test_untrained_units_are_named_only_where_there_are_any():
    assert "untrained" not in card(IRESNET)
    assert "annotated for it: AU4, AU17\n" in card(IRESNET, untrained=[4, 17])


def test_images_of_each_split_stand_in_order():
    assert cells(card(IRESNET), "drawn") == ["drawn", "image_table", "11", "22", "33", "CC0"]


def test_each_set_has_its_digest_and_options():
    said = "drawn: digest d1ce; classes: 8; drop_duplicates: True; folds.count: 5."
    assert f"\n{said}\n" in card(IRESNET)


def test_every_epoch_is_listed():
    rows = card(IRESNET).split("## Epochs")[1].strip().splitlines()
    assert [[c.strip() for c in row.strip("|").split("|")] for row in (rows[0], *rows[2:])] == [
        ["phase", "epoch", "learning_rate", "loss", "score", "drawn"],
        ["1", "1", "0.001", "1.5", "0.25", "0.25"],
        ["2", "1", "0.002", "1.25", "–", "–"],
    ]


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
    recipe = card(IRESNET).split("## Recipe\n")[1].split("\n\n## ")[0].splitlines()
    keys = [line.strip("|").split("|")[0].strip() for line in recipe[3:]]
    plain = IRESNET.keys() - {"augmentation"}
    assert keys == sorted({*plain, "augmentation.flip", "augmentation.shift_px"})


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(0.12345, 3, "0.123"), (0.98765, 4, "0.9877"), (None, 3, "–"), (math.nan, 3, "–")],
)
def test_numbers(value, decimals, text):
    assert number(value, decimals) == text
