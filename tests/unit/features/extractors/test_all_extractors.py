"""What every extractor must have and refuse."""

import math
from importlib import import_module

import pytest
import torch

from circumplex.config.features import FEATURES, options_of
from circumplex.errors import RequestError
from circumplex.features.extractors import (
    compare,
    densenet,
    egemaps,
    fau,
    iresnet,
    speech,
    vggish,
    vit,
    wav2vec2,
)
from circumplex.features.extractors import timm as backbones
from circumplex.pipeline.resources import needs
from example_requests import config_of

RANDOM = {"weights": "random:1"}


SMALL = {"weights": "random:1", "size": "small"}


@pytest.mark.parametrize("module", [densenet, iresnet, fau, vggish])
def test_weights_of_another_network_are_refused_by_key(tmp_path, module) -> None:
    torch.save({"module.stem": torch.zeros(2)}, tmp_path / "w.pth")
    options = {"weights": str(tmp_path / "w.pth")}
    with pytest.raises(RequestError, match=r"w\.pth do not fit .* missing .* unexpected \(stem\)"):
        module.build(options if module in (densenet, vggish) else {**options, "depth": 18})


@pytest.mark.parametrize(
    ("module", "options", "problem"),
    [
        (iresnet, {}, "weights resources/weights/iresnet100_expression.pth are missing"),
        (
            iresnet,
            {**RANDOM, "depth": 101},
            r"iresnet.depth is 101, but must be one of \[18, 34, 50, 100\]",
        ),
        (
            iresnet,
            {**RANDOM, "channels": 0},
            "iresnet.channels is 0: must be an integer from 1 to 4096",
        ),
        (
            densenet,
            {**RANDOM, "blocks": [16, 16]},
            r"densenet.blocks is \[16, 16\]: must be a list",
        ),
        (
            densenet,
            {**RANDOM, "blocks": [16, True, 16]},
            "densenet.blocks.1 is True: must be an integer",
        ),
        (densenet, {**RANDOM, "blocks": [1, 1, 1]}, r"blocks: \[1, 1, 1\] end in 27 values"),
        (fau, {**RANDOM, "deep": 18}, "unknown key 'deep' at features.fau; did you mean 'depth'"),
        (
            densenet,
            {**RANDOM, "batch_size": 0},
            "densenet.batch_size is 0: must be an integer from 1 to 4096",
        ),
        (densenet, {**RANDOM, "batch_size": 2.5}, "densenet.batch_size"),
        (densenet, {**RANDOM, "mean": "grey"}, "densenet.mean"),
        (
            densenet,
            {**RANDOM, "precision": "bf16"},
            "densenet.precision is 'bf16', but must be one of",
        ),
        (egemaps, {"feature_set": "eGeMAPSv02"}, "egemaps.feature_set"),
        (compare, {"level": "functionals"}, "unknown key 'level' at features.compare"),
        (
            vggish,
            {**RANDOM, "hop_s": 0.965},
            "vggish.hop_s is 0.965: must be a number from 0.01 to 0.96",
        ),
        (vggish, {**RANDOM, "hop_s": 0.955}, "vggish.hop_s is 0.955: must be a multiple"),
        (vggish, {**RANDOM, "hop_s": math.nan}, "vggish.hop_s"),
        (vggish, {**RANDOM, "postprocess": "quantised"}, "vggish: pca .* go together: add pca"),
        (vggish, {**RANDOM, "pca": "random:1"}, "vggish: pca .* go together: remove pca"),
        (wav2vec2, {**SMALL, "window_s": 0.03}, "wav2vec2.window_s"),
        (wav2vec2, {**RANDOM, "size": "large"}, "wav2vec2.size is 'large', but must be one of"),
    ],
)
def test_invalid_options_are_refused_by_key(module, options, problem) -> None:
    with pytest.raises(RequestError, match=problem):
        module.build(options)


ARCHITECTURE = "resnet10t.c3_in1k"


def test_every_feature_has_all_its_parts():
    """What docs/extractors.md asks for."""
    config = config_of()["features"]
    for name, feature in FEATURES.items():
        assert callable(import_module(f"circumplex.features.extractors.{name}").build)
        assert options_of(name).read(config[name]).plain() == config[name]
        assert ("dimension" in config[name]) == (feature.dimension is None)
        assert needs()[feature.stage] is feature.need
        assert feature.text is not None


@pytest.mark.parametrize(
    ("module", "options"),
    [
        (backbones, {"architecture": ARCHITECTURE}),
        (vit, {}),
        (speech, {"layer": "last"}),
    ],
)
def test_a_second_network_of_a_kind_has_a_name_of_its_own(module, options):
    options = {"weights": "random:0", "dimension": 512, **options}
    assert module.build(options, "cpu", "other").name == "other"
    with pytest.raises(RequestError, match=r"unknown key 'surplus' at features\.other"):
        module.build({**options, "surplus": 1}, "cpu", "other")
