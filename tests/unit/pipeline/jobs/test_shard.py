import errno
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from circumplex.io.atomic import read_json, write_text
from circumplex.io.digests import file_digest
from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.shard import ShardJob
from circumplex.pipeline.records import Job
from circumplex.pipeline.requests import ShardRequest
from circumplex.pipeline.store import Entry, Status, read_index, write_index
from example_requests import ROWS, write_sheet
from places import ROOT


class Named(list):
    """Like Snakemake's named lists: positional and named items."""

    def __init__(self, positional=(), **named):
        super().__init__([*positional, *named.values()])
        self._named = named

    def items(self):
        return self._named.items()

    def get(self, name, default=None):
        return self._named.get(name, default)

    def __getattr__(self, name):
        if name not in self._named:
            raise AttributeError(name)
        return self._named[name]

    def __str__(self):
        return " ".join(map(str, self))


class Script:
    """What a script sees under Snakemake, of a stage ``extract_x`` for a shard."""

    def __init__(self, folder, request, inputs, declared=(), gpu=None):
        index = "index/extract_x/000-of-001.json"
        named = {name: (f"index/{name}/000-of-001.json",) for name in declared}
        self.params = Named(job=Job("000-of-001", request, named, (index,)))
        self.input = Named(**inputs)
        # On a disk of the node, as with --default-storage-provider; the store is not.
        self.output = Named(index=str(folder / "disk" / index))
        self.config = {"results": str(folder / "results")}
        self.log = Named([str(folder / "logs" / "x.log")])
        self.resources = Named(**({} if gpu is None else {"gpu": gpu}))
        self.threads = 3


@pytest.fixture
def start(tmp_path, monkeypatch):
    monkeypatch.setattr("circumplex.pipeline.jobs.job.set_up", lambda *_: None)

    @contextmanager
    def of(inputs, options=None, samples=None, **script):
        request = ShardRequest("extract_x", "c", options or {}, samples or {})
        with running(Script(tmp_path, request, inputs, **script)) as job:
            yield ShardJob.of(job)

    return of


RECORD = "records/extract_x/000-of-001.json"


def test_a_job_of_raw_files(start, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # where the locks of devices lie
    sheet = write_sheet(tmp_path / "samples.tsv", ROWS)
    samples = {"train0": {"video": "1"}, "test0": {"video": "2"}}
    seen = []

    def make(request, output, metadata):
        seen.append((request.sample, request.key, dict(request.upstream)))
        assert metadata["stage"] == "extract_x"
        write_text(output, "x")

    inputs = {"sheet": str(sheet), "raw": Named(["train0.mp4"])}
    with start(inputs, samples=samples, gpu=1) as job:
        assert job.stage.results == tmp_path / "results"
        assert (job.running.take_device(), job.threads, job.weights) == ("cuda:0", 3, {})
        assert job.sheet["train0"].video == tmp_path / "train0.mp4"
        job.run(make)
        assert not (tmp_path / "results" / RECORD).exists(), "written when the job has ended well"
    assert seen == [("test0", {"video": "2"}, {}), ("train0", {"video": "1"}, {})]
    index = tmp_path / "disk/index/extract_x/000-of-001.json"
    assert read_index(index)["test0"].status is Status.OK
    record = read_json(tmp_path / "results" / RECORD)
    assert list(record["outputs"]) == ["index/extract_x/000-of-001.json"]
    assert record["inputs"] == {}


def test_a_job_that_fails_leaves_no_record(start, tmp_path):
    def fail():
        with start({}) as job:
            job.run(lambda *_: None)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not (tmp_path / "results" / RECORD).exists()


def test_a_job_of_earlier_stages(start, tmp_path):
    before = tmp_path / "before.json"
    fine = Entry(Status.OK, "store/f", "1", "before")
    write_index(before, {"b": fine, "a": Entry(Status.FAILED, stage="before", reason="r")})
    made = []

    def make(request, output, _metadata):
        made.append((request.sample, request.upstream["before"]))
        write_text(output, "x")

    inputs = {"before": str(before), "changed": "marker", "weights": Named()}
    with start(inputs, declared=["before"]) as job:
        assert (job.running.take_device(), job.weights, job.sheet) == ("cpu", {}, {})
        assert job.path(fine) == tmp_path / "results" / "store" / "f"
        job.run(make)
    assert made == [("b", fine)]
    assert read_index(tmp_path / "disk/index/extract_x/000-of-001.json")["a"].reason == "r"
    record = read_json(tmp_path / "results" / RECORD)
    assert list(record["inputs"]) == ["index/before/000-of-001.json"], "by its place, not the copy"


@pytest.mark.parametrize(
    ("identity", "given", "expected"),
    [
        ("random:7", Named(), "random:7"),
        ("sha256:0", Named(["my weights/w.pth"]), "my weights/w.pth"),
        ("sha256:0", "folder", "folder"),
    ],
)
def test_weights_by_identity_and_by_path(start, identity, given, expected):
    options = {"weights": identity, "depth": 18}
    with start({"weights": given}, options) as job:
        job.run(lambda *_: None)
        assert job.extractor_options() == {"weights": expected, "depth": 18}
        assert job.stage.options == options, "what is tracked stays as it is"


def test_weights_of_two_options(start):
    options = {"weights": "sha256:0", "pca": "sha256:1"}
    with start({"weights": Named(["w.pth"]), "pca": Named(["p.npz"])}, options) as job:
        job.run(lambda *_: None)
        assert job.extractor_options() == {"weights": "w.pth", "pca": "p.npz"}


def test_weights_that_the_run_trains_count_by_content(start, tmp_path):
    weights = tmp_path / "w.safetensors"
    weights.write_text("trained")
    with start({"weights": str(weights)}, {"weights": "trained:1"}) as job:
        job.run(lambda *_: None)
        assert job.stage.options == {"weights": f"sha256:{file_digest(weights)}"}
        assert job.extractor_options() == {"weights": str(weights)}


def test_options_without_weights(start):
    with start({}, {"set": "x"}) as job:
        job.run(lambda *_: None)
        assert job.extractor_options() == {"set": "x"}


PROGRAM = """
import logging, sys, warnings
sys.path.insert(0, {scripts!r})
from circumplex.pipeline.jobs.logs import set_up
set_up({log!r}, "stage_x")
set_up({log!r}, "stage_x")
logging.getLogger("circumplex.a").info("told quietly é")
logging.getLogger("circumplex.a").warning("told aloud")
warnings.warn("a library warns")
def inner():
    raise {error}
inner()
"""


def run(folder, error):
    log = folder / "new" / "x.log"
    program = PROGRAM.format(scripts=str(ROOT / "workflow" / "scripts"), log=str(log), error=error)
    command = [sys.executable, "-X", "utf8", "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result, Path(log).read_text(encoding="utf-8")


def test_everything_is_in_the_log_and_a_line_each_on_the_terminal(tmp_path):
    result, log = run(tmp_path, "ValueError('what went wrong')")
    assert result.returncode == 1
    assert result.stdout == ""
    for text in ("told quietly é", "told aloud", "a library warns", "Traceback", "in inner"):
        assert log.count(text) == 1, text
    assert "ValueError: what went wrong" in log
    assert "told quietly" not in result.stderr
    assert result.stderr.count("stage_x: told aloud\n") == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.endswith(f"ValueError: what went wrong (log: {tmp_path}/new/x.log)\n")


def test_an_orderly_exit_is_no_failure(tmp_path):
    result, log = run(tmp_path, "SystemExit(3)")
    assert result.returncode == 3
    assert "Traceback" not in log
    assert "failed" not in log + result.stderr


HANGING = """
import sys
sys.path.insert(0, {scripts!r})
from circumplex.pipeline.jobs.logs import set_up
set_up({log!r}, "stage_x", {{"runtime": 0.005}})
def inner():
    while True:
        pass
inner()
"""


def test_a_job_that_hangs_is_ended_and_its_log_says_where(tmp_path):
    log = tmp_path / "x.log"
    program = HANGING.format(scripts=str(ROOT / "workflow" / "scripts"), log=str(log))
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert result.returncode == 1
    text = log.read_text()
    assert "ends after 0.02 minutes, done or not" in text
    assert "--set-resources stage_x:runtime=MINUTES" in text
    assert "in inner" in text[text.index("Timeout (0:00:01") :]


def test_a_job_with_samples_to_try_again_is_not_recorded(start, tmp_path):
    def make(request, output, _metadata):
        if request.sample == "b":
            raise OSError(errno.EIO, "Input/output error")
        write_text(output, "x")

    samples = {"a": {"video": "1"}, "b": {"video": "2"}}
    for number in range(2):
        with start({}, samples=samples) as job:
            job.run(make if number else lambda _, output, __: write_text(output, "x"))
            sha256 = {"a": {"video": "3"}, "b": {"video": "4"}}
        assert (tmp_path / "results" / RECORD).exists() == (number == 0)
        samples = sha256


def test_the_files_of_the_sheet_are_named_where_nobody_foresaw_an_error(start, tmp_path):
    def make(*_):
        raise KeyError("frame")

    sheet = write_sheet(tmp_path / "samples.tsv", ROWS)
    with start({"sheet": str(sheet)}, samples={"train0": {"video": "1"}}) as job:
        job.run(make)
    entry = read_index(tmp_path / "disk/index/extract_x/000-of-001.json")["train0"]
    assert entry.reason.startswith(f"{tmp_path / 'train0.mp4'}: unexpected error KeyError: 'frame'")


def test_a_file_that_a_disk_gives_in_part_fails_its_sample(start, tmp_path, monkeypatch):
    """At the start of the run it could not be read: its digest is none."""

    def refuse(path):
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr("circumplex.pipeline.jobs.shard.file_digest", refuse)
    sheet = write_sheet(tmp_path / "samples.tsv", ROWS)
    (tmp_path / "train0.mp4").write_text("half a film")
    samples = {"train0": {"video": "missing: train0 cannot be read"}, "test0": {"video": "1"}}
    with start({"sheet": str(sheet)}, samples=samples) as job:
        job.run(lambda _, output, __: write_text(output, "x"))
    entries = read_index(tmp_path / "disk/index/extract_x/000-of-001.json")
    assert "train0.mp4 cannot be read to its end: Input/output error" in entries["train0"].reason
    assert entries["test0"].status is Status.OK
    assert (tmp_path / "results" / RECORD).exists(), "tried again when the file can be read"


NAMED = """
import logging, sys
from pathlib import Path
sys.path.insert(0, {scripts!r})
from circumplex.io.prefetch import prefetch
from circumplex.pipeline.boundary import one_sample
from circumplex.pipeline.jobs.logs import set_up
set_up({log!r}, "stage_x")
def frames():
    logging.getLogger("circumplex.media").warning("%d packets failed", 3)
    yield 1
with one_sample("clip 7%s", Path({results!r})):
    list(prefetch(frames(), 1))
    logging.getLogger("circumplex.media").warning("clip 7%s: said so itself")
logging.getLogger("circumplex.media").warning("of no sample")
"""


def test_lines_of_the_log_name_the_sample(tmp_path):
    log = tmp_path / "x.log"
    places = {"scripts": str(ROOT / "workflow/scripts"), "log": str(log), "results": str(tmp_path)}
    command = [sys.executable, "-c", NAMED.format(**places)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [
        "stage_x: clip 7%s: 3 packets failed",
        "stage_x: clip 7%s: said so itself",
        "stage_x: of no sample",
    ]
    assert done.stderr.splitlines() == lines
    text = log.read_text()
    assert "WARNING circumplex.media: clip 7%s: 3 packets failed" in text
    assert text.count("clip 7%s: ") == 2


CRASHING = """
import ctypes, sys
from pathlib import Path
sys.path.insert(0, {scripts!r})
from circumplex.pipeline.jobs.logs import set_up
from circumplex.pipeline.store import SampleRequest, Stage, run_shard
set_up({log!r}, "stage_x")
def make(request, output, metadata):
    ctypes.string_at(0) if request.sample == "b" else output.write_text("x")
requests = [SampleRequest(name, {{"v": name}}) for name in "abc"]
run_shard(Stage("x", Path({results!r}), "c", {{}}), Path({results!r}, "i.json"), requests, make)
"""


def test_the_log_names_the_sample_that_crashed_the_process(tmp_path):
    log = tmp_path / "x.log"
    results = str(tmp_path / "results")
    places = {"scripts": str(ROOT / "workflow/scripts"), "log": str(log), "results": results}
    command = [sys.executable, "-c", CRASHING.format(**places)]
    assert subprocess.run(command, capture_output=True, check=False).returncode < 0
    text = log.read_text()
    assert [line.split()[-2] for line in text.splitlines() if "begins" in line] == ["a:", "b:"]
    assert "Segmentation fault" in text
    assert "in make" in text
