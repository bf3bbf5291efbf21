"""Which samples get CSV files and player pages, which copies of videos, and what is stale then."""

import shutil
from pathlib import Path

import pytest

from circumplex.config.outputs import MANY_VIDEOS, ProxyChoice
from circumplex.pipeline.graph import Graph
from circumplex.pipeline.request_builder import RequestBuilder
from example_requests import PREDICTED, ROWS, builder_of, jobs_of, request_config, write_sheet

CLOSING = ("write_predictions", "make_player", "make_proxy")


def builder(
    folder: Path, rows: list[dict[str, str]], results: str = "results", **outputs: object
) -> RequestBuilder:
    write_sheet(folder / "samples.tsv", rows)
    config = request_config(folder, {"outputs": outputs})
    config["results"] = str(folder / results)
    return builder_of(config, folder)


def digests(of: RequestBuilder) -> dict[tuple[str, str], str]:
    return {job: of.request(*job).digest for job in jobs_of(of) if job[0] in CLOSING}


def stale(before: RequestBuilder, after: RequestBuilder) -> set[str]:
    old, new = digests(before), digests(after)
    return {job[0] for job in old.keys() | new.keys() if old.get(job) != new.get(job)}


def test_a_training_run_gets_none_unless_it_asks(tmp_path: Path) -> None:
    training = builder(tmp_path, ROWS)
    assert digests(training) == {}
    sources = Graph(training).sources("check_failures", "")
    assert sources["summary"] == sources["player"] == []
    asked = builder(tmp_path, ROWS, splits=["val", "test"])
    names = [row["sample"] for row in ROWS if row["split"] != "train"]
    assert asked.request("write_predictions").samples == names
    assert asked.request("make_player").samples == names


def test_samples_to_predict_get_them_and_the_run_ends_with_them(tmp_path: Path) -> None:
    both = builder(tmp_path, [*ROWS, PREDICTED])
    assert both.request("write_predictions").samples == ["predict0"]
    assert both.request("make_player").videos == {"predict0": "../../predict0.mp4"}
    (shard,) = both.plan.shown_shards
    assert list(both.request("make_proxy", shard).samples) == ["predict0"]
    sources = Graph(both).sources("check_failures", "")
    assert [source.path for source in sources["summary"]] == ["summary.csv"]
    assert [source.path for source in sources["player"]] == ["player.html"]


@pytest.mark.parametrize(
    ("choice", "count", "expected"),
    [
        ("auto", MANY_VIDEOS, ProxyChoice.NEEDED),
        ("auto", MANY_VIDEOS + 1, None),
        ("needed", MANY_VIDEOS + 1, ProxyChoice.NEEDED),
        ("always", 1, ProxyChoice.ALWAYS),
        ("never", 1, None),
    ],
)
def test_copies_of_videos(
    choice: str, count: int, expected: ProxyChoice | None, tmp_path: Path
) -> None:
    rows = [{**PREDICTED, "sample": f"p{number}"} for number in range(count)]
    made = builder(tmp_path, [*ROWS, *rows], proxy=choice)
    assert made.plan.proxies is expected
    assert bool(Graph(made).sources("make_player", "")["make_proxy"]) == bool(expected)
    if expected:
        (options,) = {
            tuple(made.request("make_proxy", shard).options.items())
            for shard in made.plan.shown_shards
        }
        assert dict(options) == {"height": 360, "always": choice == "always"}


def test_copies_are_made_at_any_rate_of_the_timeline(tmp_path: Path) -> None:
    write_sheet(tmp_path / "samples.tsv", [*ROWS, PREDICTED])
    made = builder_of(request_config(tmp_path, {"timeline": {"rate": 25}}), tmp_path)
    assert made.plan.proxies is ProxyChoice.NEEDED
    sources = Graph(made).sources("make_player", "")
    assert {source.stage for source in sources["make_proxy"]} == {"make_proxy"}
    assert {source.stage for source in sources["extract_frames"]} == {"extract_frames"}


def test_what_an_option_or_a_place_makes_stale(tmp_path: Path) -> None:
    before = builder(tmp_path, [*ROWS, PREDICTED])
    assert stale(before, builder(tmp_path, [*ROWS, PREDICTED], proxy_height=240)) == {"make_proxy"}
    assert stale(before, builder(tmp_path, [*ROWS, PREDICTED], proxy="always")) == {"make_proxy"}
    assert stale(before, builder(tmp_path, [*ROWS, PREDICTED], proxy="never")) == {"make_proxy"}
    more = {"splits": ["predict", "test"]}
    assert stale(before, builder(tmp_path, [*ROWS, PREDICTED], **more)) == set(CLOSING)
    # Other places of one another: the links of the pages no longer hold.
    deeper = builder(tmp_path, [*ROWS, PREDICTED], results="deeper/results")
    assert stale(before, deeper) == {"make_player"}
    shutil.copytree(tmp_path, tmp_path / "moved")
    assert stale(before, builder(tmp_path / "moved", [*ROWS, PREDICTED])) == set()


def test_an_ensemble_is_described_in_a_phrase(tmp_path: Path) -> None:
    alike = {"valence": ["lstm_D_W"], "arousal": ["lstm_D_W"], "seeds": [0, 1]}
    write_sheet(tmp_path / "samples.tsv", [*ROWS, PREDICTED])
    config = request_config(tmp_path, {"ensembles": {"alike": alike}})
    assert builder_of(config, tmp_path).request("write_predictions").notes == [
        "Ensemble main (mean): valence by 6 models of transformer_D_WC, transformer_IF_WVCE; "
        "arousal by 6 models of lstm_D_W, transformer_IF_WVCE.",
        "Ensemble alike (mean): 2 models of lstm_D_W.",
    ]
