"""The job that trains a backbone."""

import shutil
from dataclasses import replace

import pytest

from circumplex.backbones.stills import (
    EXPRESSIONS,
    SetDescription,
    Still,
    StillSplit,
    write_stills,
)
from circumplex.config.still_sets import Target
from circumplex.pipeline.jobs.backbone import table_digest

DESCRIPTION = SetDescription("a", "image_table", "/data", EXPRESSIONS, (1,))
STILLS = [
    Still(f"{k}.png", StillSplit.TRAIN, label=k, action_units=(1.0,), digest=bytes([k]) * 16)
    for k in range(3)
]


def digest_of(folder, description=DESCRIPTION, stills=STILLS):
    write_stills(folder / "t.parquet", description, stills)
    return table_digest(folder / "t.parquet")


def test_the_place_of_images_does_not_count(tmp_path):
    plain = digest_of(tmp_path)
    elsewhere = replace(DESCRIPTION, root="/elsewhere", licence="x", code="2", input="3")
    assert digest_of(tmp_path, elsewhere) == plain
    assert digest_of(tmp_path, stills=[replace(s, image=f"n/{s.image}") for s in STILLS]) == plain
    shutil.copy(tmp_path / "t.parquet", tmp_path / "copy.parquet")
    assert table_digest(tmp_path / "copy.parquet") == plain


@pytest.mark.parametrize(
    ("description", "stills"),
    [
        (DESCRIPTION, STILLS[:2]),
        (DESCRIPTION, [replace(STILLS[0], label=7), *STILLS[1:]]),
        (DESCRIPTION, [replace(STILLS[0], digest=bytes(16 * [9])), *STILLS[1:]]),
        (replace(DESCRIPTION, present_from=2.0), STILLS),
        (replace(DESCRIPTION, target=Target.CROSS_ENTROPY), STILLS),
        (replace(DESCRIPTION, action_units=(2,)), STILLS),
    ],
)
def test_what_images_show_counts(tmp_path, description, stills):
    assert digest_of(tmp_path, description, stills) != digest_of(tmp_path)
