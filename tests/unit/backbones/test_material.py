from circumplex.backbones.material import Material
from circumplex.backbones.stills import (
    EXPRESSIONS,
    SetDescription,
    Still,
    StillSplit,
    read_stills,
    write_stills,
)
from circumplex.config.recipes import Recipe
from small_still_sets import make_set

SPLITS = (StillSplit.TRAIN, StillSplit.VAL, StillSplit.TEST)


def test_sets_come_in_the_recipes_order_by_split(tmp_path):
    tables = {
        "small": make_set(tmp_path, "small", images=8),
        "large": make_set(tmp_path, "large", images=12),
    }
    values = {"task": "expression", "network": "densenet", "phases": [["large"], ["small"]]}
    material = Material.read(Recipe.parse("r", values), tables)
    assert material.names == ("large", "small")
    counts = {split: [len(stills) for stills in sets] for split, sets in material.splits.items()}
    assert counts == dict(zip(SPLITS, ([12, 8], [6, 4], [6, 4]), strict=True))


def test_images_without_a_label_for_the_task_are_left_out(tmp_path):
    nan = float("nan")
    units = [(1.0, nan), (nan, nan), (nan, 0.0)]
    rows = [
        Still(f"{k}.png", StillSplit.TRAIN, label=label, action_units=shown, digest=bytes([k]) * 16)
        for k, (label, shown) in enumerate(zip((2, -1, 0), units, strict=True))
    ]
    path = tmp_path / "a.parquet"
    description = SetDescription("a", "image_table", str(tmp_path), EXPRESSIONS, (1, 4))
    write_stills(path, description, rows)
    expression = {"task": "expression", "network": "densenet", "phases": [["a"]]}
    units_of = {"task": "action_units", "network": "iresnet", "depth": 18, "phases": [["a"]]}
    for values, kept in (
        (expression, ["a: 0.png", "a: 2.png"]),
        ({**units_of, "units": [1, 4]}, ["a: 0.png", "a: 2.png"]),
        ({**units_of, "units": [4, 26]}, ["a: 2.png"]),
    ):
        material = Material.read(Recipe.parse("r", values), {"a": path})
        (stills,) = material.splits[StillSplit.TRAIN]
        assert [stills.name(row) for row in range(len(stills))] == kept
    assert len(read_stills(path, StillSplit.TRAIN)) == 3
