"""The worked example of docs/annotations.md, from its files to its table of labels."""

import re
from dataclasses import replace

import numpy as np

import extract_frames
import read_labels
from circumplex.cli.config import plan_of
from circumplex.config.samples import shard_of
from circumplex.io.digests import DigestCache
from circumplex.io.parquet import read_columns, read_metadata
from circumplex.pipeline.jobs.shard import ShardJob
from circumplex.pipeline.request_builder import RequestBuilder
from circumplex.pipeline.store import Status, read_index
from clips import write_video
from places import ROOT
from running_jobs import running_job

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_example_gives_its_labels(tmp_path, monkeypatch):
    blocks = dict(BLOCK.findall((ROOT / "docs" / "annotations.md").read_text(encoding="utf-8")))
    (tmp_path / "data").mkdir()
    for name in ("interview", "second"):
        (tmp_path / "data" / f"{name}.csv").write_text(blocks["csv"], encoding="utf-8")
        write_video(tmp_path / "data" / f"{name}.mp4", frames=75, rate=25)
    (tmp_path / "data" / "samples.tsv").write_text(blocks["tsv"], encoding="utf-8")
    (tmp_path / "interview.yaml").write_text(blocks["yaml"], encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    plan = plan_of([tmp_path / "interview.yaml"])
    builder = RequestBuilder(plan, ROOT, DigestCache(tmp_path / ".digests.json"))
    shard = shard_of("interview", plan.config["shards"])
    sheet = {sample.sample: sample for sample in plan.samples}
    inputs = {}
    for script in (extract_frames, read_labels):
        stage = script.__name__
        index = tmp_path / "results" / "index" / stage / f"{shard}.json"
        job = running_job(
            tmp_path / "results", builder.request(stage, shard), inputs, {"index": index}, shard
        )
        script.main(replace(ShardJob.of(job), sheet=sheet))
        inputs = {**inputs, stage: [index]}
        entry = read_index(index)["interview"]
        assert entry.status is Status.OK, entry.reason

    table = tmp_path / "results" / "read_labels" / "interview.parquet"
    found = np.stack(read_columns(table, ["frame", "time_s", "valence", "arousal"]), axis=1)
    assert len(found) == 75
    documented = np.array([line.split() for line in blocks["text"].splitlines()[1:]], dtype=float)
    rows = documented[:, 0].astype(int)
    np.testing.assert_allclose(found[rows], documented, atol=1e-6)
    agreement = read_metadata(table)["agreement"]
    assert agreement["valence"]["annotators"] == 2
    assert "arousal" not in agreement
