"""``circumplex lag`` on the files of a run."""

import numpy as np
import pytest
import yaml

from circumplex.cli.config import plan_of
from circumplex.cli.lag import _packs
from circumplex.cli.main import main
from circumplex.pipeline.graph import output_paths
from circumplex.pipeline.store import Entry, Status, write_index
from late_annotators import recordings
from synthetic_data import write_labels, write_pack


@pytest.fixture
def run(tmp_path):
    """A run of one feature and one shard, with its packs and labels."""
    made = recordings(2.4, count=6)
    rows = [f"s{k}\ts{k}.mp4\t{of.group}\ttrain\ta.txt" for k, of in enumerate(made)]
    header = "sample\tvideo\tgroup\tsplit\tannotation"
    (tmp_path / "samples.tsv").write_text("\n".join([header, *rows]) + "\n")
    config = {
        "samples": str(tmp_path / "samples.tsv"),
        "results": str(tmp_path / "results"),
        "shards": 1,
        "features": {"mine": {"import": str(tmp_path), "dimension": 4, "modality": "visual"}},
        "experiments": {
            **dict.fromkeys(("lstm_D_W", "transformer_D_WC", "transformer_IF_WVCE")),
            "only": {
                **{"encoder": "lstm", "features": ["mine"], "strategy": "train_val_mix"},
                "seeds": [0],
            },
        },
        "ensembles": {"main": {"valence": ["only"], "arousal": ["only"]}},
    }
    preset = tmp_path / "preset.yaml"
    preset.write_text(yaml.safe_dump(config))
    plan = plan_of([preset])
    (pack,) = _packs(plan, "mine")
    features = {f"s{k}": of.features for k, of in enumerate(made)}
    written = write_pack(tmp_path / "pack", "mine", features, {})
    pack.parent.mkdir(parents=True)
    for suffix in (".json", ".npy"):
        written.with_suffix(suffix).rename(pack.with_suffix(suffix))
    entries = {}
    for k, of in enumerate(made):
        file = f"read_labels/s{k}.parquet"
        (plan.results / file).parent.mkdir(parents=True, exist_ok=True)
        values = of.annotation.copy()
        values[:, 1] = np.nan
        write_labels(plan.results / file, values, rate=25)
        entries[f"s{k}"] = Entry(Status.OK, file=file, stage="read_labels")
    (shard,) = plan.shards
    index = plan.results / output_paths("read_labels", shard)["index"]
    index.parent.mkdir(parents=True)
    write_index(index, entries)
    return preset, plan, index


def test_the_lag_is_printed(run, capsys):
    preset, *_ = run
    assert main(["lag", "--configfile", str(preset)]) == 0
    printed = capsys.readouterr().out
    assert "annotation predicted from mine" in printed
    assert "valence: lag 2.40 s" in printed
    assert "6 recordings" in printed
    assert "arousal: not annotated" in printed


def test_a_lag_that_was_applied_counts(run, capsys):
    preset, *_ = run
    values = yaml.safe_load(preset.read_text())
    preset.write_text(yaml.safe_dump({**values, "labels": {"lag_s": 1.0}}))
    assert main(["lag", "--configfile", str(preset), "--feature", "mine"]) == 0
    assert "valence: lag 3.40 s" in capsys.readouterr().out


def test_an_edge_is_named(run, capsys):
    preset, *_ = run
    assert main(["lag", "--configfile", str(preset), "--to", "2"]) == 0
    assert "edge of the lags" in capsys.readouterr().out


def test_what_is_refused(run, capsys):
    preset, plan, index = run
    words = ["lag", "--configfile", str(preset)]
    for more, message in (
        (["--feature", "mime"], "no feature 'mime'; did you mean 'mine'"),
        (["--from", "3", "--to", "2"], "the first lies before the last"),
        (["--step", "0"], "the first lies before the last"),
    ):
        assert main([*words, *more]) == 1
        assert message in capsys.readouterr().err
    index.unlink()
    assert main(words) == 1
    assert "--until pack_features read_labels" in capsys.readouterr().err
    (pack,) = _packs(plan, "mine")
    pack.unlink()
    assert main(words) == 1
    assert f"{pack} is missing" in capsys.readouterr().err
