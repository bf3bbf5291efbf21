import pytest

from circumplex.config.experiments import Ensemble, Experiment, Method, Row, Submission, Table
from circumplex.errors import RequestError

EXPERIMENT = {"encoder": "lstm", "features": ["fau"]}
ENSEMBLE = {"valence": ["a"], "arousal": ["a", "b"]}
SUBMISSION = {"ensemble": "main", "format": "abaw6"}
TABLE = {"title": "T", "rows": [{"label": "ours"}]}


def test_defaults():
    assert Experiment.read(EXPERIMENT).seeds == (0, 1, 2)
    assert Experiment.read(EXPERIMENT).strategy == "official"
    assert Ensemble.read(ENSEMBLE).method is Method.MEAN
    assert Submission.read(SUBMISSION).rows is None
    assert Table.read(TABLE).targets == ("valence", "arousal")
    assert Row.read({"label": "x"}).published.plain() == {}


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        (Experiment, {"encoder": "lstm"}, "lacks features"),
        (Experiment, {**EXPERIMENT, "features": []}, "features has 0 items"),
        (Experiment, {**EXPERIMENT, "seeds": [1, 1]}, "seeds names 1 twice"),
        (Experiment, {**EXPERIMENT, "strategy": "loo"}, "strategy is 'loo'"),
        (Ensemble, {**ENSEMBLE, "arousal": ["b", "b"]}, "arousal names 'b' twice"),
        (Ensemble, {**ENSEMBLE, "alpha": 0}, "alpha is 0"),
        (Ensemble, {**ENSEMBLE, "method": "median"}, "method is 'median'"),
        (Submission, {**SUBMISSION, "format": "abaw5"}, "format is 'abaw5'"),
        (Submission, {**SUBMISSION, "rows": "both"}, "rows is 'both'"),
        (Table, {**TABLE, "rows": []}, "rows has 0 items"),
        (Table, {**TABLE, "split": "train"}, "split is 'train'"),
        (Row, {"label": "x", "published": {"mean": 1.01}}, "published.mean is 1.01"),
        (Row, {"label": "x", "fold": 0}, "fold is 0"),
    ],
)
def test_invalid_options_are_refused_by_key(section, values, message):
    with pytest.raises(RequestError, match=message):
        section.read(values)
