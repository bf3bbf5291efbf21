import hashlib

import pytest
import yaml

from circumplex.errors import RequestError
from circumplex.pipeline.plan import CACHE_VARIABLE
from example_requests import builder_of, request_config
from places import ROOT

ADDED = ["timm", "vit", "speech", "mfcc"]


def test_networks_that_no_experiment_uses_need_no_weights(tmp_path):
    builder = builder_of(request_config(tmp_path), tmp_path)
    assert not set(ADDED) & {feature.name for feature in builder.plan.features}
    assert not any(problem.startswith(tuple(ADDED)) for problem in builder.weights.problems())


CHOSEN = {
    "experiments": {
        "x": {"encoder": "lstm", "features": ["fau"], "strategy": "official", "seeds": [0]}
    },
    "ensembles": {"main": {"valence": ["x"], "arousal": ["x"]}},
}


def weights_of(folder, choice):
    changes = {**CHOSEN, "features": {"fau": {"weights": choice}}}
    return builder_of(request_config(folder, changes), folder).weights


def test_random_weights_are_their_own_identity_and_need_no_file(tmp_path):
    weights = weights_of(tmp_path, "random:7")
    assert weights.identity("random:7") == "random:7"
    assert weights.files("fau", "weights") == []
    assert weights.problems() == weights.by_hand() == weights.published() == []
    weights.require()


def test_a_file_is_identified_by_its_content(tmp_path):
    path = tmp_path / "w.pth"
    path.write_bytes(b"weights")
    weights = weights_of(tmp_path, str(path))
    assert weights.identity(str(path)) == f"sha256:{hashlib.sha256(b'weights').hexdigest()}"
    assert weights.files("fau", "weights") == [str(path)]
    assert weights.problems() == []


def test_weights_that_are_missing_are_named_with_what_to_do(tmp_path):
    path = tmp_path / "w.pth"
    weights = weights_of(tmp_path, str(path))
    (problem,) = weights.problems()
    assert problem.startswith(f"fau: weights {path} are missing.")
    assert "features.fau.weights" in problem
    assert weights.by_hand() == [problem]
    with pytest.raises(RequestError, match=r"(?s)fau: weights .*config/public_weights\.yaml"):
        weights.require()
    assert weights.are_fetched(), "nothing of the catalogue is asked for"


def test_published_weights_are_missing_until_fetched(tmp_path, monkeypatch):
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    changes = {**CHOSEN, "weights_cache": str(tmp_path / "cache")}
    changes["experiments"] = {"x": {**CHOSEN["experiments"]["x"], "features": ["wav2vec2"]}}
    weights = builder_of(request_config(tmp_path, changes), tmp_path).weights
    assert [entry.name for entry in weights.published()] == ["wav2vec2-base-960h"]
    assert not weights.are_fetched()
    assert weights.by_hand() == []
    assert all(problem.startswith("wav2vec2: weights ") for problem in weights.problems())
    assert weights.problems()
    with pytest.raises(RequestError) as refused:
        weights.require()
    assert "with this run's --configfile" in str(refused.value)
    assert "public_weights" not in str(refused.value), "these can be fetched"


def test_the_public_preset_needs_no_weights_that_must_be_asked_for(tmp_path):
    preset = yaml.safe_load((ROOT / "config/public_weights.yaml").read_text(encoding="utf-8"))
    builder = builder_of(request_config(tmp_path, preset), tmp_path)
    assert builder.weights.by_hand() == []
    fetched = {entry.name for entry in builder.weights.published()}
    assert fetched == {
        *("enet_b0_8_va_mtl", "dinov2-small", "wav2vec2-msp-dim", "wav2vec2-base-960h", "vggish")
    }
    strategies = {e["strategy"] for e in builder.plan.experiments.values()}
    assert strategies == {"official", "kfold", "train_val_mix"}
    encoders = {e["encoder"] for e in builder.plan.experiments.values()}
    assert encoders == {"lstm", "transformer"}
    assert not any(run.experiment in ("lstm_D_W", "transformer_D_WC") for run in builder.plan.runs)
