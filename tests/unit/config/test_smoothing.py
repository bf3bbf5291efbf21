import pytest

from circumplex.config.smoothing import Convention, Smoothing
from circumplex.errors import RequestError


def test_defaults_are_the_papers():
    """Section 3.5: windows of 20 frames for valence and of 50 for arousal."""
    smoothing = Smoothing.read({})
    assert (smoothing.valence, smoothing.arousal) == (20, 50)
    assert smoothing.convention is Convention.PAPER
    assert smoothing.search is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"valence": -1}, "valence is -1: must be an integer from 0"),
        ({"arousal": 20.0}, "arousal is 20.0: must be an integer"),
        ({"convention": "code"}, r"must be one of \['paper', 'published_code'\]"),
        ({"search": {"valence": []}}, "search.valence has 0 items"),
        ({"search": {"arousal": [5, 0, 5]}}, "search.arousal names 5 twice"),
        ({"window": 3}, "unknown key 'window'"),
    ],
)
def test_invalid_options_are_refused_by_key(values, message):
    with pytest.raises(RequestError, match=message):
        Smoothing.read(values)
