"""Killed, interrupted, out of room, read-only, twice at once, hanging: what comes of it."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from demo.checks.faults import COMPARED, Victim, differences, half_files
from projects import CONFIGS, Outcome, Project, copy_project


def may_mount() -> bool:
    """Whether a file system can be mounted here, tried in a namespace of its own."""
    trial = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return (
        shutil.which("unshare") is not None
        and subprocess.run(trial, capture_output=True).returncode == 0
    )


needs_mounts = pytest.mark.skipif(not may_mount(), reason="needs root and the right to mount")
RULES_OF_A_RUN = (  # in the order of the graph; those of a tuple have nothing to wait for
    ("extract_frames",),
    ("extract_audio", "align_faces", "read_labels"),
    ("fill_frames", "extract_egemaps", "extract_compare", "extract_vggish", "extract_wav2vec2"),
    ("extract_densenet", "extract_iresnet", "extract_fau", "summarise_quality", "make_folds"),
    ("pack_features", "list_failures"),
    ("train_encoder",),
    ("predict_frames",),
    ("smooth_predictions",),
    ("ensemble_predictions",),
    ("evaluate", "write_submission", "make_manifest"),
    ("make_report",),
)
NO_ROOM = "No space left on device"


def victim_of(project: Project) -> Victim:
    options = ["--cores", "2", "--configfile", *CONFIGS]
    return Victim(project.root, options, project.root / "run.txt")


def forget(project: Project, *stages: str) -> None:
    """Remove what stages made, and all predictions, so that a run makes them again."""
    for stage in (*stages, *COMPARED):
        for folder in (project.results / "store" / stage, project.results / stage):
            shutil.rmtree(folder, ignore_errors=True)


def test_three_kills_and_an_interrupt_leave_nothing_half_done(
    finished: tuple[Project, Outcome], project: Project
) -> None:
    forget(project, "align_faces", "extract_fau", "train_encoder")
    run = victim_of(project)
    run.start()
    moments = (("scheduler", "align_faces"), ("job", "extract_feature"), ("both", "train_encoder"))
    for kind, rule in moments:
        job = run.await_job(rule)
        assert job is not None, run.log.read_text()
        run.strike(kind, job)
        assert not list(half_files(project.results))
        if kind == "job":
            assert run.process.wait(300) == 1
        else:
            run.unlock()
        run.start()
    assert run.await_job() is not None, run.log.read_text()
    started = time.monotonic()
    run.interrupt()
    assert run.process.wait(60) != 0
    assert time.monotonic() - started < 20
    psutil.wait_procs(run.orphans, 300)
    run.start()
    assert run.process.wait(600) == 0, run.log.read_text()
    assert not list(half_files(project.results))
    assert differences(finished[0].results, project.results) == []


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, that can be full or read-only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path, spare: int) -> Path:
    """Fill a file system but for so many bytes; returns the file to remove."""
    ballast = disk / "ballast"
    free = shutil.disk_usage(disk).free
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(free - spare, 1))
    return ballast


def run_without_room(
    project: Project, disk: Path, spare: int, *options: str, may_fit: bool = False
) -> Outcome:
    """Run on a full disk, which must fail and say why, then on one that has room again.

    ``may_fit``: what a small stage writes may be no more than what is spared.
    """
    ballast = fill(disk, spare)
    failed = project.snakemake(options=options)
    if not (may_fit and failed.code == 0):
        assert failed.code != 0
        assert NO_ROOM in failed.text
    ballast.unlink()
    assert not list(half_files(project.results))
    resumed = project.snakemake(options=options)
    assert resumed.code == 0, resumed.text
    return failed


@pytest.mark.root
@needs_mounts
def test_a_full_disk_is_reported_and_a_resume_succeeds(
    finished: tuple[Project, Outcome], disk: Path
) -> None:
    project = finished[0].clone(disk / "project")
    forget(project, "extract_compare", "extract_densenet")
    failed = run_without_room(project, disk, 200_000)
    assert re.search("(?s)Error in rule extract_(compare|densenet)", failed.text)
    assert differences(finished[0].results, project.results) == []


@pytest.mark.root
@needs_mounts
@pytest.mark.faults
@pytest.mark.parametrize("spare", [0, 20_000, 200_000])
def test_a_full_disk_in_every_stage(
    finished: tuple[Project, Outcome], corpus: Path, disk: Path, spare: int
) -> None:
    project = copy_project(disk / "project")
    shutil.copytree(corpus, project.corpus)
    tried = [
        run_without_room(project, disk, spare, "--until", *rules, may_fit=spare > 20_000)
        for rules in RULES_OF_A_RUN
    ]
    assert any(outcome.code for outcome in tried), "half a megabyte of DenseNet's features alone"
    last = project.snakemake()
    assert last.code == 0, last.text
    assert differences(finished[0].results, project.results) == []


@pytest.mark.root
@needs_mounts
def test_read_only_results_are_read_and_said_to_be_so(project: Project, disk: Path) -> None:
    # A folder of results that others may only read; one's own checkout may be written.
    shutil.move(project.results, disk / "results")
    project.results.symlink_to(disk / "results")
    # Hashes what a copy's inodes ask for.
    assert project.snakemake(options=("--dry-run",)).code == 0
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    done = project.snakemake(options=("--dry-run",))
    assert done.code == 0, done.text
    assert "Nothing to be done" in done.text
    (project.corpus / "videos/clip07.mp4").write_bytes(b"another film")
    refused = project.snakemake(options=("--dry-run",))
    assert refused.code == 1
    assert "Read-only file system: '.test/results/" in refused.text
    assert "Traceback" not in refused.text


def test_two_runs_in_one_folder_do_not_meet(
    finished: tuple[Project, Outcome], project: Project
) -> None:
    forget(project, "extract_densenet")
    run = victim_of(project)
    run.start()
    assert run.await_job() is not None, run.log.read_text()
    second = project.snakemake()
    assert second.code == 1
    assert "Directory cannot be locked" in second.text
    assert second.rules == set()
    assert run.process.wait(300) == 0, run.log.read_text()
    assert differences(finished[0].results, project.results) == []


def test_a_job_that_hangs_is_ended_and_its_log_says_where(project: Project) -> None:
    jobs = "workflow/scripts/circumplex/pipeline/jobs"
    project.edit(f"{jobs}/logs.py", "LENIENCE = 4.0", "LENIENCE = 0.005")
    # It never ends of itself.
    endless = "    while True:\n        pass\n    failures: dict"
    project.edit(f"{jobs}/results.py", "    failures: dict", endless)
    outcome = project.snakemake(
        ".test/results/list_failures.tsv", options=("--forcerun", "list_failures")
    )
    assert outcome.code == 1
    log = (project.results / "logs/list_failures.log").read_text()
    assert "ends after 0.05 minutes, done or not" in log
    assert re.search(r"Timeout.*results\.py", log, re.DOTALL)
    assert "Timeout" in outcome.text, "Snakemake shows the log of a failed job"


BROKEN = {  # sample: how, and the stage that says so
    "s03": ("missing", "extract_frames"),
    "s07": ("no film", "extract_frames"),
    "s10": ("cut", "extract_frames"),
    "s12": ("no annotation", "read_labels"),
    "s18": ("empty", "extract_frames"),
}
TWO_FEATURES = """
experiments:
  lstm_DIF_WVCE: {features: [densenet, egemaps], seeds: [0]}
  transformer_D_WC: null
ensembles: {main: {valence: [lstm_DIF_WVCE], arousal: [lstm_DIF_WVCE]}}
"""


def make_twenty(project: Project) -> None:
    """Twenty samples of the tiny corpus's films, five of them broken."""
    films = [project.corpus / f"videos/clip{number:02d}.mp4" for number in (1, 4, 5, 7)]
    (annotation,) = project.corpus.rglob("clip04.txt")
    rows = ["sample\tvideo\tannotation\tsplit"]
    for number in range(1, 21):
        name, split = f"s{number:02d}", ("train", "train", "val", "test")[number % 4]
        film = films[number % 4].read_bytes()
        # Other bytes, the same film: a box at the end that players skip.
        content = film + (16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big")
        text = annotation.read_text()
        match BROKEN.get(name, ("", ""))[0]:
            case "no film":
                content = b"not a film"
            case "cut":
                content = film[: len(film) // 2]
            case "empty":
                content = b""
            case "no annotation":
                text = "valence,arousal\n"
        (project.corpus / f"{name}.mp4").write_bytes(content)
        (project.corpus / f"{name}.txt").write_text(text)
        rows.append(f"{name}\t{name}.mp4\t{'' if split == 'test' else name + '.txt'}\t{split}")
    (project.corpus / "s03.mp4").unlink()
    (project.corpus / "samples.tsv").write_text("\n".join(rows) + "\n")


@pytest.mark.faults
def test_five_of_twenty_fail_and_fifteen_go_to_the_end(fresh: Project) -> None:
    make_twenty(fresh)
    (fresh.root / "two.yaml").write_text(TWO_FEATURES)
    outcome = fresh.snakemake(configs=(*CONFIGS, "two.yaml"))
    assert outcome.code == 1
    assert "5 of the samples failed; all others were finished" in outcome.text
    table = (fresh.results / "list_failures.tsv").read_text().splitlines()[1:]
    assert {line.split("\t")[0]: line.split("\t")[1] for line in table} == {
        sample: stage for sample, (_, stage) in BROKEN.items()
    }
    page = (fresh.results / "report.html").read_text()
    failures = page[page.index("Failed samples</h3>") : page.index('id="corpus"')]
    for line in table:
        sample, stage, reason = line.split("\t")
        assert reason
        assert f"  {sample}: {stage}: {reason}" in outcome.text
        assert sample in failures
    predicted = fresh.results / "ensemble_predictions/main.parquet"
    names = set(pq.read_table(predicted, columns=["sample"])["sample"].to_pylist())
    everyone = {f"s{number:02d}" for number in range(1, 21)}
    tested = {name for name in everyone if int(name[1:]) % 4 == 3}
    submitted = {path.stem for path in (fresh.results / "submissions/main").glob("*.txt")}
    assert submitted == tested - set(BROKEN)
    assert names >= submitted
    trained = (fresh.results / "logs/train_encoder/lstm_DIF_WVCE/official/seed0.log").read_text()
    assert "s12" in trained, "left out for want of annotation"
    (fresh.root / "two.yaml").write_text(TWO_FEATURES + f"exclude: [{', '.join(BROKEN)}]\n")
    assert fresh.snakemake(configs=(*CONFIGS, "two.yaml")).code == 0
