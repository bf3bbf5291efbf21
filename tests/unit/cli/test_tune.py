import pytest
import yaml

from circumplex.cli import tune
from circumplex.cli.main import main
from circumplex.features.tuning import PLAIN, Trial
from example_requests import ROWS, write_sheet


@pytest.fixture
def preset(tmp_path):
    sheet = write_sheet(tmp_path / "samples.tsv", ROWS)
    path = tmp_path / "own.yaml"
    features = {"densenet": {"weights": "random:3"}}
    values = {"samples": str(sheet), "results": str(tmp_path), "features": features}
    path.write_text(yaml.safe_dump(values))
    return str(path)


def test_the_registry_says_which_features_are_networks():
    assert {"densenet", "vggish", "speech"} <= set(tune.deep_features())
    assert not {"egemaps", "compare", "mfcc"} & set(tune.deep_features())


def test_the_fastest_offered_setting_is_recommended(preset, monkeypatch, capsys):
    asked = []

    class Fake:
        def __init__(self, build, options, device, _):
            asked.append((build.__module__, options["weights"], device))

        def trials(self):
            yield Trial(PLAIN, 2.0, 1.0, 1.0, 1.0, 0.0, True)
            yield Trial({**PLAIN, "channels_last": True}, 1.0, 1.0, 1.0, 1.0, 0.0, True)

    monkeypatch.setattr(tune, "Tuner", Fake)
    words = ["tune", "--configfile", preset, "--features", "densenet", "--threads", "1"]
    assert main(words) == 0
    assert asked == [("circumplex.features.extractors.densenet", "random:3", "cpu")]
    settings = "{precision: float32, compile: false, channels_last: true}"
    assert f"densenet: {settings} # 2.00 times as fast" in capsys.readouterr().out
