"""`config.yaml` itself: all networks at full size, the extractors' from checkpoints made here."""

from pathlib import Path

import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2Model

from circumplex.io.parquet import count_rows, read_metadata
from circumplex.networks.densenet import DenseNetBC
from circumplex.networks.iresnet import iresnet100
from circumplex.networks.vggish import VGGish
from circumplex.networks.weights import Weights, build_network
from projects import Project


def make_checkpoints(folder: Path) -> None:
    """Checkpoints of the published names, shapes and formats, with random values."""
    folder.mkdir(parents=True)
    networks = {
        "densenet_ferplus.pth": (DenseNetBC, 0),
        "iresnet100_expression.pth": (iresnet100, 1),
        "iresnet100_action_units.pth": (iresnet100, 2),
        "vggish-10086976.pth": (VGGish, 3),
    }
    for name, (factory, seed) in networks.items():
        torch.save(build_network(factory, Weights(seed=seed)).state_dict(), folder / name)
    torch.manual_seed(4)
    Wav2Vec2Model(Wav2Vec2Config()).save_pretrained(folder / "wav2vec2-base-960h")


@pytest.fixture
def full(fresh: Project) -> Project:
    """A sheet with one clip of 2 s in every split."""
    annotation = "annotations/VA_Estimation_Challenge/Validation_Set/clip04.txt"
    rows = [
        f"{split}\tvideos/clip04.mp4\t{annotation if split != 'test' else ''}\t{split}\t{split}"
        for split in ("train", "val", "test")
    ]
    header = "sample\tvideo\tannotation\tsplit\tgroup"
    (fresh.corpus / "one.tsv").write_text("\n".join([header, *rows]) + "\n")
    return fresh


OWN = """\
features: # checkpoints made here have not the published digests
  vggish: {weights: resources/weights/vggish-10086976.pth}
  wav2vec2: {weights: resources/weights/wav2vec2-base-960h}
training: {epochs: 2, valence_epochs: [1, 1], arousal_epochs: [2, 2]}
experiments: # one seed of the three
  lstm_D_W: {seeds: [0]}
  transformer_D_WC: {seeds: [0]}
  transformer_IF_WVCE: {seeds: [0]}
"""
OVERRIDES = ("--config", "samples=.test/corpus/one.tsv", "results=full", "shards=1")


def test_missing_weights_stop_the_run_and_say_what_to_put_where(full: Project) -> None:
    outcome = full.snakemake(configs=(), options=OVERRIDES)
    assert outcome.code == 1
    assert outcome.rules == set()
    for feature in ("densenet", "iresnet", "fau", "vggish", "wav2vec2"):
        assert f"{feature}: weights resources/weights/" in outcome.text
    assert "Put them at" in outcome.text


def test_the_shipped_networks_run_at_full_size(full: Project) -> None:
    make_checkpoints(full.root / "resources/weights")
    (full.root / "own.yaml").write_text(OWN)
    outcome = full.snakemake(configs=("own.yaml",), options=OVERRIDES)
    assert outcome.code == 0, outcome.text
    assert "SEEDED RANDOM WEIGHTS" not in outcome.text
    frames = count_rows(full.root / "full/extract_frames/test.parquet")
    assert count_rows(full.root / "full/extract_iresnet/test.parquet") == frames
    for feature in ("densenet", "iresnet", "fau", "vggish", "wav2vec2"):
        metadata = read_metadata(full.root / f"full/extract_{feature}/test.parquet")
        assert metadata["options"]["weights"].startswith("sha256:")
    text = (full.root / "full/submissions/main/test.txt").read_text()
    assert len(text.splitlines()) == frames + 1
