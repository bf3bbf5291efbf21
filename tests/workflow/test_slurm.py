"""Through profiles/slurm on a real Slurm of two nodes, with what befalls clusters.

Runs where tests/cluster/slurm.sh can: as root, with Slurm and MUNGE installed (CI installs them).
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from places import ROOT
from projects import CONFIGS, STYLE, Outcome, Project

SLURM = ROOT / "tests/cluster/slurm.sh"
INSTALLED = all(map(shutil.which, ("slurmctld", "slurmd", "munged"))) and os.geteuid() == 0
LIMIT_S = 900
PART = {  # of the tiny run: one feature, one model
    "shards": 2,
    "experiments": {
        **dict.fromkeys(("lstm_DIF_WVCE", "transformer_D_WC")),
        "lstm_E": {
            "encoder": "lstm",
            "features": ["egemaps"],
            "strategy": "official",
            "seeds": [0],
        },
    },
    "ensembles": {"main": {"valence": ["lstm_E"], "arousal": ["lstm_E"]}},
}

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not INSTALLED, reason="needs root, slurm-wlm and munge"),
]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[None]:
    subprocess.run([SLURM, "start", tmp_path / "slurm"], check=True)
    yield
    subprocess.run([SLURM, "stop", tmp_path / "slurm"], check=True)


def queue() -> list[tuple[str, str, str]]:
    """Jobs that run: number, node, and the rule and wildcards that Snakemake notes."""
    command = ["squeue", "--noheader", "--states=RUNNING", "--format=%i|%N|%k"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [(number, node, note) for number, node, note in (line.split("|") for line in lines)]


def await_job(run: "subprocess.Popen[str]", rule: str) -> tuple[str, str]:
    """Number and node of the first job of a rule that runs."""
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until and run.poll() is None:
        for number, node, note in queue():
            if rule in note:
                return number, node
        time.sleep(0.2)
    raise AssertionError(f"no job of {rule} was seen")


@pytest.mark.usefixtures("cluster")
def test_a_model_survives_a_cluster(finished: tuple[Project, Outcome], fresh: Project) -> None:
    """A node is drained, a job is cancelled, one has too little memory until it is tried again."""
    predicted = "predict_frames/transformer_D_WC/fold1/seed0.parquet"
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/slurm", *STYLE]
    # The tests' polling may be brisker than a real cluster's administrators would like.
    command += ["--slurm-init-seconds-before-status-checks", "2"]
    command += ["--seconds-between-status-checks", "2", "--latency-wait", "10"]
    command += ["--set-resources", "extract_densenet:mem_mb=attempt*700"]
    command += ["--configfile", *CONFIGS, "--", f".test/results/{predicted}"]
    log = fresh.root / "slurm_run.txt"
    with log.open("w") as file:
        run = subprocess.Popen(
            command, cwd=fresh.root, stdout=file, stderr=subprocess.STDOUT, text=True
        )
        _, node = await_job(run, "align_faces")
        subprocess.run(
            ["scontrol", "update", f"nodename={node}", "state=drain", "reason=test"], check=True
        )
        number, _ = await_job(run, "extract_wav2vec2")
        subprocess.run(["scancel", number], check=True)
        subprocess.run(["scontrol", "update", f"nodename={node}", "state=resume"], check=True)
        code = run.wait(LIMIT_S)
    text = log.read_text()
    assert code == 0, text
    for rule in ("extract_densenet", "extract_wav2vec2"):
        assert re.search(rf"(?s)Error in rule {rule}.*Trying to restart", text), text
    here, there = (project.results / predicted for project in (finished[0], fresh))
    assert there.read_bytes() == here.read_bytes()


@pytest.mark.cluster
@pytest.mark.usefixtures("cluster")
@pytest.mark.skipif(shutil.which("rsync") is None, reason="needs rsync")
def test_jobs_work_on_copies_on_their_nodes_disks(fresh: Project, tmp_path: Path) -> None:
    """The options of docs/clusters.md; a part of the tiny run, and the same on shared storage."""
    config = tmp_path / "part.yaml"
    config.write_text(yaml.safe_dump(PART))
    configs = (*CONFIGS, str(config))
    target = ".test/results/write_submission/main.json"
    shared = fresh.clone(tmp_path / "shared")
    outcome = shared.snakemake(target, configs=configs)
    assert outcome.code == 0, outcome.text
    options = ["--profile", "profiles/slurm", "--seconds-between-status-checks", "2"]
    options += ["--slurm-init-seconds-before-status-checks", "2", "--slurm-keep-successful-logs"]
    options += ["--default-storage-provider", "fs", "--default-storage-prefix", ""]
    options += ["--remote-job-local-storage-prefix", str(tmp_path / "disk"), "--shared-fs-usage"]
    options += ["persistence", "software-deployment", "source-cache", "sources"]
    outcome = fresh.snakemake(target, configs=configs, options=tuple(options))
    assert outcome.code == 0, outcome.text
    logs = "".join(path.read_text() for path in fresh.root.glob(".snakemake/slurm_logs/**/*.log"))
    for copied in ("corpus/videos/clip01.mp4", "results/pack_features/egemaps/000-of-002.npy"):
        assert f"Retrieving from storage: .test/{copied}" in logs
    for folder in ("pack_features", "predict_frames", "submissions"):
        assert contents(fresh.results / folder) == contents(shared.results / folder)
    # On shared storage from here on: nothing is stale for that.
    assert fresh.snakemake(target, configs=configs, options=("--dry-run",)).jobs == set()


@pytest.mark.cluster
@pytest.mark.usefixtures("cluster")
def test_a_search_is_a_slurm_job_a_trial(project: Project, tmp_path: Path) -> None:
    search = {
        "encoder": "gru",
        "encoder_options": {"segment_length": 25, "stride": 25, "regressor": [8]},
        "seed": 0,
        "sampler": "tpe",
        "sampler_seed": 1,
        "trials": 4,
        "parallel": 2,
        "space": {
            "learning_rate": {"low": 1e-4, "high": 1e-1},
            "hidden": [4, 8],
            "features": [["egemaps"], ["densenet", "vggish"]],
        },
    }
    config = tmp_path / "search.yaml"
    config.write_text(yaml.safe_dump({"search": search}))
    options = ["--profile", "profiles/slurm", "--seconds-between-status-checks", "2"]
    options += ["--slurm-init-seconds-before-status-checks", "2", "--slurm-keep-successful-logs"]
    configs = (*CONFIGS, str(config))
    outcome = project.snakemake("search", configs=configs, options=tuple(options))
    assert outcome.code == 0, outcome.text
    assert {rule for rule in outcome.rules if rule.startswith(("extract", "pack"))} == set()
    trials = (project.results / "search/trials.csv").read_text().splitlines()[1:]
    assert sorted(line.split(",")[0] for line in trials) == ["0", "1", "2", "3"]
    logs = project.root / ".snakemake/slurm_logs/rule_train_trial"
    assert len(list(logs.rglob("*.log"))) == 4


def contents(folder: Path) -> dict[str, bytes]:
    """What the files of a folder hold; there is at least one."""
    found = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert found
    return found
