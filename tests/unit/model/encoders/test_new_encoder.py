"""What docs/training.md says of a new temporal encoder: two files, and no other is touched."""

import os
import shutil
import subprocess
import sys

import pytest

from circumplex.pipeline.code import code_digest
from places import ROOT

LIBRARY = ROOT / "workflow" / "scripts" / "circumplex"
FILES = ("config/encoders/moving_mean.py", "model/encoders/moving_mean.py")
OPTIONS = '''
"""Options of a moving mean."""

from typing import ClassVar

from pydantic import Field

from circumplex.config.encoders.base import EncoderOptions


class Options(EncoderOptions):
    """A moving mean over the frames of a segment."""

    carries: ClassVar[bool] = False

    window: int = Field(3, ge=1, le=1000, description="frames")
'''
NETWORK = '''
"""A moving mean, and a linear layer."""

from torch import Tensor, nn

from circumplex.config.encoders.moving_mean import Options
from circumplex.model.encoders.base import State, TemporalEncoder


class Encoder(TemporalEncoder):
    """The mean over the frames around each frame, then a linear layer."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.mean = nn.AvgPool1d(options.window, 1, options.window // 2)
        self.linear = nn.Linear(options.hidden, options.hidden)

    def forward(
        self, fused: Tensor, padding: Tensor | None, state: State | None
    ) -> tuple[Tensor, State | None]:
        """See `TemporalEncoder.forward`; there is no state."""
        return self.linear(self.mean(fused.transpose(1, 2)).transpose(1, 2)), None
'''
USE = """
import torch

from circumplex.config.encoders.registry import encoder_names
from circumplex.config.root import read_config
from circumplex.config.training import TrainingSpec
from circumplex.model.network import Network

assert "moving_mean" in encoder_names()
chosen = {"encoder": "moving_mean", "features": ["fau"], "encoder_options": {"window": 5}}
config = read_config({"experiments": {"x": chosen}, "encoders": {"moving_mean": {"hidden": 8}}})
options = {**config["encoders"]["moving_mean"], **config["experiments"]["x"]["encoder_options"]}
del options["training"]
spec = TrainingSpec.read({"encoder": {"kind": "moving_mean", **options}, "visual": ["fau"]})
assert spec.encoder.window == 5 and spec.encoder.hidden == 8 and spec.order == "drawn"
assert TrainingSpec.read(spec.plain()) == spec
output, state = Network(spec.encoder, 15)(torch.zeros(2, 9, 15))
assert output.shape == (2, 9, 2) and state is None
"""


@pytest.fixture
def copy(tmp_path):
    """The package with the new encoder's two files."""
    shutil.copytree(LIBRARY, tmp_path / "circumplex", ignore=shutil.ignore_patterns("__pycache__"))
    for file, text in zip(FILES, (OPTIONS, NETWORK), strict=True):
        (tmp_path / "circumplex" / file).write_text(text.lstrip())
    return tmp_path


def test_a_new_encoder_is_used_by_its_name(copy):
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    found = subprocess.run(
        [sys.executable, "-c", USE], env=environment, cwd=copy, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr


def test_a_new_encoder_makes_no_model_of_another_stale(copy):
    modules = ("training.train", "training.predict", "model.network", "model.encoders.lstm")
    assert code_digest(modules, copy / "circumplex") == code_digest(modules, LIBRARY)
    added = (*modules[:3], "model.encoders.moving_mean")
    assert code_digest(added, copy / "circumplex") != code_digest(modules, LIBRARY)
