import pytest

from circumplex.config.preparation import Compute, Fill, Folds, Labels, Media, Packs, Timeline
from circumplex.errors import RequestError


def test_defaults():
    """Five folds (section 3.5); everything else does not change what the paper states."""
    assert Folds.read({}).plain()["count"] == 5
    assert Timeline.read({}).rate == "native"
    assert Packs.read({}).dtype == "float32"
    assert Compute.read({}).plain()["threads"] == {"extract": 4, "train": 2}


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        (Compute, {"gpu": -1}, "gpu is -1"),
        (Compute, {"threads": {"train": 0}}, "threads.train is 0: must be an integer from 1"),
        (Media, {"audio_only_fps": 0.5}, "audio_only_fps is 0.5: must be a number from 1 to 240"),
        (Media, {"audio_only_fps": float("nan")}, "audio_only_fps is nan"),
        (Timeline, {"rate": 241}, "rate"),
        (Timeline, {"rate": "fast"}, "rate"),
        (Fill, {"no_valid_face": "skip"}, r"must be one of \['fail', 'zeros'\]"),
        (Labels, {"max_difference": 3.0}, "max_difference is 3.0: must be an integer"),
        (Packs, {"dtype": "float64"}, "dtype is 'float64'"),
        (Folds, {"count": 1}, "count is 1: must be an integer from 2"),
        (Folds, {"count": 2e9}, "count is 2000000000.0"),
        (Folds, {"seed": 2**32}, "seed is 4294967296"),
    ],
)
def test_invalid_options_are_refused_by_key(section, values, message):
    with pytest.raises(RequestError, match=message):
        section.read(values)


@pytest.mark.parametrize("rate", ["native", 1, 25.0, 240])
def test_rates_of_the_timeline(rate):
    assert Timeline.read({"rate": rate}).rate == rate
