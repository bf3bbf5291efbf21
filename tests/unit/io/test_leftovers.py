from pathlib import Path

import numpy as np
import pytest

from circumplex.io.atomic import replacing
from circumplex.io.leftovers import find_leftovers, remove_leftovers
from circumplex.io.parquet import TableWriter, frame_schema
from circumplex.submissions.files import replacing_folder

KEPT = ["a/report.html", "store/x/ab/abc.parquet", ".digests.json", "store/x/ab/abc.work/state.pt"]
LEFT = [
    "a/.partial-0123abcd-report.html",
    "store/x/ab/.abc.parquet.0123abcd.partial",
    "submissions/.partial-main/predictions.csv",
    "submissions/.former-main/predictions.csv",
]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for name in (*KEPT, *LEFT):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x" * 100)
    (tmp_path / "a/.partial-1-link").symlink_to("gone")
    (tmp_path / "elsewhere").symlink_to(tmp_path / "a")
    return tmp_path


def test_leftovers_go_and_all_else_stays(results: Path) -> None:
    freed = remove_leftovers(results)
    assert 400 <= freed < 500
    assert {str(p.relative_to(results)) for p in results.rglob("*") if p.is_file()} >= set(KEPT)
    assert list(find_leftovers(results)) == []
    assert not any((results / name).exists() for name in LEFT)


def test_the_names_are_those_that_writers_take(tmp_path: Path) -> None:
    seen = []
    with replacing(tmp_path / "x.json") as temporary:
        temporary.write_text("x")
        seen += find_leftovers(tmp_path)
    with TableWriter(tmp_path / "x.parquet", frame_schema(), {}) as table:
        table.write(frame=np.arange(2), time_s=np.arange(2.0))
        seen += find_leftovers(tmp_path)
    with replacing_folder(tmp_path / "main") as folder:
        (folder / "x").write_text("x")
        seen += find_leftovers(tmp_path)
    assert len(seen) == 3
    assert list(find_leftovers(tmp_path)) == []
