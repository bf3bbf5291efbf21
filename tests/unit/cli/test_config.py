import time

import pytest
import yaml

from circumplex.cli.config import plan_of
from circumplex.errors import RequestError
from example_requests import ROWS, write_sheet


def preset(path, **values):
    path.write_text(yaml.safe_dump(values))
    return path


def test_later_presets_win_key_by_key(tmp_path):
    sheet = write_sheet(tmp_path / "my samples.tsv", ROWS)
    first = preset(tmp_path / "1.yaml", samples=str(sheet), smoothing={"valence": 4})
    second = preset(tmp_path / "2.yaml", smoothing={"valence": 6})
    plan = plan_of([first, second])
    assert plan.smoothing == {"convention": "paper", "valence": 6, "arousal": 50}


def test_a_preset_without_keys_is_named(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("[1]")
    with pytest.raises(RequestError, match=r"bad\.yaml holds no keys"):
        plan_of([path])


@pytest.mark.parametrize("text", [None, "a: [\n"])
def test_a_preset_that_cannot_be_read_is_named(tmp_path, text):
    path = tmp_path / "bad.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(RequestError, match=r"bad\.yaml cannot be read"):
        plan_of([path])


@pytest.mark.parametrize(
    "text",
    [
        "features: &a\n  densenet: *a\n",
        "exclude: " + "[" * 5000 + "]" * 5000,
        "a: &a [x, x, x, x]\n" + "".join(f"b{k}: &b{k} [*a, *a, *a]\n" for k in range(3)),
        "b0: &b0 [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"b{k}: &b{k} [{', '.join([f'*b{k - 1}'] * 9)}]\n" for k in range(1, 12)),
    ],
)
def test_a_hostile_preset_is_refused_at_once_by_lines_of_its_own(tmp_path, text):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    start = time.monotonic()
    with pytest.raises(RequestError) as raised:
        plan_of([path])
    assert time.monotonic() - start < 5
    assert len(str(raised.value).splitlines()) <= 4
