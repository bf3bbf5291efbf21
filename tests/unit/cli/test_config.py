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
