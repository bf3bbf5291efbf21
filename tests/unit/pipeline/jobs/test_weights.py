"""The jobs before any training of a backbone."""

import logging

from circumplex.backbones.stills import StillSplit, read_stills
from circumplex.io.atomic import read_json
from circumplex.pipeline.jobs.weights import fetch_weights, list_stills_of_set
from circumplex.pipeline.requests import FetchRequest, StillsRequest
from running_jobs import running_job
from synthetic_stills import write_csv, write_image


def test_weights_that_a_person_must_obtain_are_named_in_the_log(tmp_path, caplog):
    request = FetchRequest("fetch_weights", "c", str(tmp_path / "cache"), [], ["ask for iresnet"])
    job = running_job(tmp_path, request, {}, {"fetched": tmp_path / "fetched.json"})
    with caplog.at_level(logging.WARNING):
        fetch_weights(job)
    assert "to be obtained by hand: ask for iresnet" in caplog.text
    assert read_json(tmp_path / "fetched.json") == {"cache": str(tmp_path / "cache"), "sha256": {}}


def test_a_set_is_listed_with_its_digests(tmp_path):
    rows = [["a.png", "train", "happiness"], ["b.png", "train", "fear"], ["c.png", "val", ""]]
    for seed, (name, _, _) in enumerate(rows):
        write_image(tmp_path / "images" / name, seed)
    write_csv(tmp_path / "set.csv", [["image", "split", "expression"], *rows])
    options = {
        "kind": "image_table",
        "path": str(tmp_path / "set.csv"),
        "images": str(tmp_path / "images"),
    }
    request = StillsRequest("list_stills", "code1", "mine", options, True, "sha256:2")
    outputs = {"table": tmp_path / "mine.parquet", "summary": tmp_path / "mine.json"}
    list_stills_of_set(running_job(tmp_path, request, {}, outputs))
    stills = read_stills(tmp_path / "mine.parquet", StillSplit.TRAIN)
    assert stills.labels.tolist() == [1, 6]  # of EXPRESSIONS, from 0
    described = stills.description
    assert (described.name, described.code, described.input) == ("mine", "code1", "sha256:2")
    assert len(read_stills(tmp_path / "mine.parquet", StillSplit.VAL)) == 1
    assert read_json(tmp_path / "mine.json")
