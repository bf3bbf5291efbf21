"""`config/public_weights.yaml` on the tiny corpus, with small checkpoints of the same formats."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import torch
import yaml
from safetensors.torch import save_file
from transformers import (
    BitImageProcessor,
    Dinov2Config,
    Dinov2Model,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2Model,
)

from circumplex.io.parquet import count_rows, read_metadata
from circumplex.networks.vggish import VGGish
from circumplex.networks.weights import Weights, build_network
from onnx_networks import write_network
from projects import Project

PRESET = "config/public_weights.yaml"
DIMENSIONS = {"onnx": 10, "vit": 384, "speech": 1024, "wav2vec2": 768, "vggish": 128}
FEATURES = (*DIMENSIONS, "compare", "egemaps")


def make_checkpoints(folder: Path) -> dict[str, str]:
    """Random values in the published formats, widths and names, with few layers; by feature."""
    folder.mkdir(parents=True)
    places = {"onnx": write_network(folder / "enet_b0_8_va_mtl.onnx")}
    torch.manual_seed(0)
    picture = folder / "dinov2-small"
    Dinov2Model(
        Dinov2Config(hidden_size=384, num_hidden_layers=1, num_attention_heads=6)
    ).save_pretrained(picture)
    BitImageProcessor(
        size={"shortest_edge": 256}, crop_size={"height": 224, "width": 224}
    ).save_pretrained(picture)
    heard = folder / "wav2vec2-base-960h"
    Wav2Vec2ForCTC(Wav2Vec2Config(num_hidden_layers=1)).save_pretrained(heard)
    torch.save(build_network(VGGish, Weights(seed=3)).state_dict(), folder / "vggish-10086976.pth")
    felt = folder / "wav2vec2-msp-dim"
    config = Wav2Vec2Config(
        hidden_size=1024,
        intermediate_size=1024,
        num_hidden_layers=1,
        num_attention_heads=16,
        do_stable_layer_norm=True,
        feat_extract_norm="layer",
        architectures=["Wav2Vec2ForSpeechClassification"],
    )
    state = {f"wav2vec2.{n}": value for n, value in Wav2Vec2Model(config).state_dict().items()}
    state |= {
        f"classifier.{name}.{kind}": torch.zeros(shape)
        for name, width in (("dense", 1024), ("out_proj", 3))
        for kind, shape in (("weight", (width, 1024)), ("bias", (width,)))
    }
    config.save_pretrained(felt)
    save_file(state, felt / "model.safetensors", {"format": "pt"})
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(felt)
    places |= {"vit": str(picture), "wav2vec2": str(heard), "speech": str(felt)}
    return {**places, "vggish": str(folder / "vggish-10086976.pth")}


def overlay(checkpoints: dict[str, str]) -> str:
    """What fits the preset to the tiny corpus, and names checkpoints that are not the published."""
    short = {"epochs": 2, "valence_epochs": [1, 2], "arousal_epochs": [1, 2]}
    segments = {"segment_length": 25, "stride": 25, "training": short}
    return yaml.safe_dump(
        {
            "samples": ".test/corpus/samples.tsv",
            "results": "public",
            "shards": 1,
            "compute": {"threads": {"extract": 1, "train": 1}},
            "faces": {"min_face_size": 80},
            "features": {name: {"weights": path} for name, path in checkpoints.items()},
            "encoders": {"lstm": segments, "transformer": segments},
            "folds": {"count": 2},
            "experiments": {
                name: {"seeds": [0]}
                for name in ("lstm_O_WS", "transformer_O_WC", "transformer_OT_WVCES")
            },
        }
    )


def test_the_preset_runs_on_checkpoints_of_the_published_formats(fresh: Project) -> None:
    checkpoints = make_checkpoints(fresh.root / "checkpoints")
    (fresh.root / "own.yaml").write_text(overlay(checkpoints))
    outcome = fresh.snakemake(configs=(PRESET, "config/small.yaml", "own.yaml"))
    assert outcome.code == 0, outcome.text
    assert "SEEDED RANDOM WEIGHTS" not in outcome.text
    results = fresh.root / "public"
    (sample, *_) = sorted(path.stem for path in (results / "extract_frames").glob("*.parquet"))
    for feature in FEATURES:
        table = results / f"extract_{feature}/{sample}.parquet"
        width = pq.read_schema(table).field(feature).type.list_size
        assert width == DIMENSIONS.get(feature, width)
        if feature in DIMENSIONS:
            assert read_metadata(table)["options"]["weights"].startswith("sha256:")
    for submission in ("main", "train_val_mix", "five_fold"):
        (text, *_) = sorted((results / "submissions" / submission).glob("*.txt"))
        frames = count_rows(results / f"extract_frames/{text.stem}.parquet")
        assert len(text.read_text().splitlines()) == frames + 1
    models = json.loads((results / "manifest.json").read_text())["models"].values()
    assert {model["fold"] for model in models} == {"official", "mix", "fold1", "fold2"}


def test_the_preset_asks_for_what_can_be_fetched_alone(fresh: Project) -> None:
    (fresh.root / "own.yaml").write_text("samples: .test/corpus/samples.tsv\nresults: public\n")
    configs = (PRESET, "own.yaml")
    refused = fresh.snakemake(configs=configs, options=("--dry-run",))
    assert refused.code == 1
    assert "by `snakemake --cores 1 weights`" in refused.text
    assert "request" not in refused.text
    fetching = fresh.snakemake("weights", configs=configs, options=("--dry-run",))
    assert fetching.code == 0, fetching.text
    assert "fetch_weights" in fetching.rules
