"""How far a run is, by a clock that the tests set."""

import pytest

from snakemake_logger_plugin_circumplex.progress import Facts, Progress, duration, time_left

FACTS = Facts(
    samples={"0": 10, "1": 6, "2": 4},
    seconds={"align": 100.0, "pack": 10.0, "train": 200.0},
)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def begin(clock, **counts):
    return Progress(counts, FACTS, clock)


def test_samples_of_a_stage_are_counted_over_its_shards(clock):
    progress = begin(clock, align=3)
    progress.start(1, "align", "0")
    progress.start(2, "align", "1")
    assert progress.describe() == "align 0 of 20 samples"
    progress.report(1, 5, 10, "samples")
    assert progress.describe() == "align 5 of 20 samples"
    assert progress.finish(2) is None
    assert progress.describe() == "align 11 of 20 samples"
    progress.start(3, "align", "2")
    progress.report(3, 1, 4, "samples")
    assert progress.describe() == "align 12 of 20 samples"
    assert progress.finish(1) is None
    clock.now = 75
    assert progress.finish(3) == "align"
    assert progress.describe_finished("align") == "align: 20 samples, 1 min 15 s"


def test_samples_of_shards_that_are_current_count_as_done(clock):
    progress = begin(clock, align=1)
    progress.start(1, "align", "0")
    progress.report(1, 2, 10, "samples")
    assert progress.describe() == "align 12 of 20 samples"


def test_jobs_that_are_no_shards_are_counted_as_jobs(clock):
    progress = begin(clock, train=2, report=1)
    progress.start(1, "train", None)
    progress.report(1, 3, 10, "epochs")
    assert progress.describe() == "train 0 of 2 jobs, 3 of 10 epochs"
    progress.start(2, "report", None)
    assert progress.describe() == "train 0 of 2 jobs, 3 of 10 epochs (+1)"
    assert progress.describe_stage("report") == "report"
    progress.fail(1)
    assert progress.describe() == "report"
    assert progress.finish(2) == "report"
    assert progress.describe_finished("report") == "report: 0 s"


def test_many_jobs_a_shard_are_counted_as_jobs(clock):
    progress = begin(clock, pack=21)
    progress.start(1, "pack", "0")
    assert progress.describe() == "pack 0 of 21 jobs"


def test_time_left_follows_what_the_stage_took(clock):
    progress = begin(clock, align=3)
    progress.start(1, "align", "0")
    clock.now = 20
    assert progress.estimate()[1] is None, "nothing is finished"
    progress.finish(1)
    progress.start(2, "align", "1")
    share, left = progress.estimate()
    # Two jobs of 20 s, not of the expected 100 s, one after the other.
    assert left == pytest.approx(40)
    assert share == pytest.approx(1 / 3)
    clock.now = 30
    progress.report(2, 3, 6, "samples")
    assert progress.estimate()[1] == pytest.approx(10 + 20)


def test_time_left_of_stages_to_come_is_scaled_by_what_was_measured(clock):
    progress = begin(clock, align=1, train=1)
    progress.start(1, "align", "0")
    clock.now = 50
    progress.finish(1)
    # Half of the expected 100 s, tempered by 60 s that are taken for granted: 110 / 160.
    assert progress.estimate()[1] == pytest.approx(200 * 110 / 160)


def test_jobs_side_by_side_divide_the_time(clock):
    progress = begin(clock, align=4)
    for number in (1, 2):
        progress.start(number, "align", str(number - 1))
    clock.now = 30
    for number in (1, 2):
        progress.finish(number)
    assert progress.estimate()[1] == pytest.approx(30)


def test_the_longest_running_job_is_waited_for(clock):
    progress = begin(clock, pack=1, train=1)
    progress.start(1, "pack", "0")
    progress.start(2, "train", None)
    clock.now = 10
    progress.finish(1)
    progress.report(2, 1, 10, "epochs")
    assert progress.estimate()[1] == pytest.approx(90)


def test_the_share_never_falls(clock):
    progress = begin(clock, align=2)
    progress.start(1, "align", "0")
    clock.now = 40
    progress.report(1, 8, 10, "samples")
    share, _ = progress.estimate()
    clock.now = 60
    progress.report(1, 1, 10, "samples")
    assert progress.estimate()[0] == share


def test_a_wait_in_the_queue_of_a_cluster_does_not_count(clock):
    progress = begin(clock, align=2)
    progress.start(1, "align", "0")
    clock.now = 1000
    progress.begin(1)
    clock.now = 1010
    progress.finish(1)
    assert progress.estimate()[1] == pytest.approx(10)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (463, "7 min 43 s"), (7500, "2 h 5 min")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (20, "less than a minute left"),
        (170, "about 3 min left"),
        (7500, "about 2 h 5 min left"),
    ],
)
def test_time_left_in_words(seconds, text):
    assert time_left(seconds) == text
