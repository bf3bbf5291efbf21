"""What reruns after a change: what is stale by content, and nothing else."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from circumplex.config.samples import shard_of
from circumplex.io.digests import file_digest
from projects import AFTER_TRAINING, RESULT_RULES, Outcome, Project, copy_project, planned

SMOOTHING = {"smooth_predictions", "check_failures", *RESULT_RULES}


def test_another_smoothing_window_reruns_smoothing_and_what_follows(project: Project) -> None:
    project.edit("config.yaml", "valence: 20", "valence: 10")
    done = project.snakemake()
    assert done.code == 0, done.text
    assert done.rules == SMOOTHING
    assert planned(project) == set()


def test_one_extractors_parameter_reruns_it_its_packs_and_its_models(project: Project) -> None:
    project.edit("config/demo.yaml", "hop_s: 0.24", "hop_s: 0.48")
    done = project.snakemake()
    assert done.code == 0, done.text
    extraction = {"extract_vggish", "list_failures"}
    assert done.rules == extraction | {"pack_features", "train_encoder", *AFTER_TRAINING}
    packed = {job.split()[0] for rule, job in done.jobs if rule == "pack_features"}
    assert packed == {"vggish"}
    trained = {job.split("/")[0] for rule, job in done.jobs if rule == "train_encoder"}
    assert trained == {"lstm_DIF_WVCE"}
    assert planned(project) == set()


def test_a_comment_or_a_touch_or_threads_rerun_nothing(project: Project) -> None:
    later = time.time() + 60
    for path in (project.root / "workflow/scripts").rglob("*.py"):
        text = path.read_text()
        path.write_text(text + "\n# A comment.\n")
        os.utime(path, (later, later))
    for path in project.corpus.rglob("*"):
        os.utime(path, (later, later))
    project.edit("config/demo.yaml", "extract: 1", "extract: 2")
    project.edit("envs/light.yaml", "# Rules", "# The rules")
    assert planned(project) == set()


def test_a_moved_checkout_reruns_nothing(project: Project) -> None:
    moved = Project(project.root.with_name("moved checkout"))
    project.root.rename(moved.root)
    assert planned(moved) == set()


def test_a_checkout_copied_without_dates_reruns_nothing(project: Project) -> None:
    copied = Project(project.root.with_name("copied"))
    subprocess.run(["cp", "-r", str(project.root), str(copied.root)], check=True)
    assert planned(copied) == set()


def test_an_edited_module_reruns_the_rules_that_import_it(project: Project) -> None:
    project.edit(
        "workflow/scripts/circumplex/predictions/smoothing.py",
        "(window + 1) // 2",
        "window // 2 + 1",
    )
    assert planned(project) == SMOOTHING


def test_damaged_files_are_made_again_and_lost_links_laid_again(project: Project) -> None:
    folder = project.results / "extract_egemaps"
    altered, deleted, unlinked = (folder / f"clip0{number}.parquet" for number in (4, 5, 6))
    before = {path: path.read_bytes() for path in (altered, deleted, unlinked)}
    altered.write_bytes(before[altered][:-1] + bytes([before[altered][-1] ^ 1]))
    deleted.resolve().unlink()
    unlinked.unlink()
    models = {p: p.read_bytes() for p in (project.results / "train_encoder").rglob("*.pt")}
    assert models
    done = project.snakemake()
    assert done.code == 0, done.text
    assert {path: path.read_bytes() for path in before} == before
    (shard,) = [job for rule, job in done.jobs if rule == "extract_egemaps"]
    log = (project.results / f"logs/extract_egemaps/{shard}.log").read_text()
    assert re.search(r"(\d+) made", log)[1] == "2"  # type: ignore[index]
    for index in (project.results / "logs/train_encoder").rglob("*.log"):
        assert "resuming" not in index.read_text()
    assert {p: p.read_bytes() for p in models} == models
    assert planned(project) == set()


def test_a_damaged_file_reruns_its_shard_alone(fresh: Project) -> None:
    two = ("--config", "shards=2")
    index = ".test/results/index/extract_egemaps/{}-of-002.json"
    targets = [index.format("000"), index.format("001")]
    assert fresh.snakemake(*targets, options=two).code == 0
    path = fresh.results / "extract_egemaps/clip04.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    plan = fresh.snakemake(*targets, options=(*two, "--dry-run"))
    assert plan.jobs == {("extract_egemaps", shard_of("clip04", 2))}


def test_an_added_sample_is_the_only_one_extracted(project: Project) -> None:
    video = project.corpus / "videos" / "added film.mp4"
    # Other bytes, the same film: an empty box at the end.
    film = (project.corpus / "videos/clip07.mp4").read_bytes()
    video.write_bytes(film + b"\0\0\0\x08free")
    sheet = project.corpus / "samples.tsv"
    row = ["added sample", "videos/added film.mp4", "largest", "", "test", "added"]
    sheet.write_text(sheet.read_text() + "\t".join(row) + "\n")
    done = project.snakemake()
    assert done.code == 0, done.text
    for rule in ("align_faces", "extract_densenet"):
        jobs = [job for name, job in done.jobs if name == rule]
        logs = [(project.results / f"logs/{rule}/{job}.log").read_text() for job in jobs]
        assert sum(int(re.search(r"(\d+) made", log)[1]) for log in logs) == 1  # type: ignore[index]
    for log in (project.results / "logs/train_encoder").rglob("*.log"):
        assert "1 taken from the store" in log.read_text() or "made" not in log.read_text()
    assert (project.results / "submissions/main/added sample.txt").is_file()


def test_a_video_replaced_by_an_older_file_is_seen(project: Project) -> None:
    video = project.corpus / "videos/clip07.mp4"
    shutil.copy(project.corpus / "videos/clip05.mp4", video)
    os.utime(video, (1, 1))
    assert {"extract_frames", "align_faces", "extract_audio"} <= planned(project)


def relative_links(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*.parquet") if path.is_symlink()]


def test_links_stay_whole_when_the_results_move(project: Project, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    project.results.rename(moved)
    links = relative_links(moved / "extract_densenet")
    assert links
    assert all(link.resolve().is_file() for link in links)


def made(project: Project) -> dict[tuple[str, str], tuple[Path, int]]:
    """By stage and sample: which stored file it is, and when that was written."""
    links = [path for path in project.results.glob("*/*") if path.is_symlink() and path.exists()]
    return {
        (path.parent.name, path.stem): (
            path.resolve().relative_to(project.results.resolve()),
            path.stat().st_mtime_ns,
        )
        for path in links
    }


def test_a_replaced_video_an_edited_annotation_and_a_removed_sample(project: Project) -> None:
    """Rows that share one run: the samples that each stage made, and no others."""
    before = made(project)
    video = project.corpus / "videos/clip07.mp4"
    video.write_bytes(video.read_bytes() + b"\0\0\0\x08free")  # another file, the same film
    os.utime(video, (1, 1))
    (annotation,) = project.corpus.rglob("clip01.txt")
    rows = annotation.read_text().splitlines()
    annotation.write_text("\n".join([*rows[:-1], "0.125,-0.25"]) + "\n")
    sheet = project.corpus / "samples.tsv"
    kept = [line for line in sheet.read_text().splitlines() if not line.startswith("clip06\t")]
    sheet.write_text("\n".join(kept) + "\n")
    touched = project.corpus / "videos/clip05.mp4"
    os.utime(touched)
    done = project.snakemake()
    assert done.code == 0, done.text
    after = made(project)
    changed = {key for key in after if after[key] != before.get(key)}
    # The sound comes out byte for byte as before, so that what follows it is in the store.
    same = {f"extract_{name}" for name in ("egemaps", "compare", "vggish", "wav2vec2")}
    expected = {key for key in before if key[1] == "clip07" and key[0] not in same}
    assert changed == expected | {("read_labels", "clip01")}
    submitted = {path.name for path in (project.results / "submissions/main").iterdir()}
    assert "clip07.txt" in submitted
    assert "clip06.txt" not in submitted
    assert planned(project) == set()


CONDA = """#!/bin/sh
case "$*" in
*--version*) echo "conda 24.7.1" ;;
*info*) echo '{"conda_prefix": "/nowhere", "platform": "linux-64"}' ;;
*config*) echo '{"get": {"channel_priority": "strict"}}' ;;
esac
"""


def test_use_conda_on_or_off_reruns_nothing_and_a_missing_conda_is_reported(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    missing = project.snakemake(options=("--use-conda", "--conda-create-envs-only"))
    assert missing.code == 1
    assert "Is conda installed and accessible?" in missing.text
    conda = tmp_path / "bin/conda"
    conda.parent.mkdir()
    conda.write_text(CONDA)
    conda.chmod(0o755)
    monkeypatch.setenv("PATH", f"{conda.parent}:/usr/bin:/bin")
    project.edit("envs/torch.yaml", "# Rules", "# The rules")
    outcome = project.snakemake(options=("--use-conda", "--dry-run"))
    assert outcome.code == 0, outcome.text
    assert outcome.rules == set()


# Snakemake's records are lost, or the dates of the files: what lies beside the results decides.


Change = Callable[[Project], Outcome]


def lose_records(project: Project) -> Outcome:
    shutil.rmtree(project.root / ".snakemake")
    return project.snakemake()


def clean_metadata(project: Project) -> Outcome:
    records = (project.results / "records").rglob("*.json")
    paths = [path for file in records for path in json.loads(file.read_text())["outputs"]]
    assert len(paths) > 30
    folder = project.results.relative_to(project.root)
    files = [str(folder / path) for path in paths]
    cleaned = project.snakemake(options=("--cleanup-metadata", *files))
    assert cleaned.code == 0, cleaned.text
    return project.snakemake()


def copy_without_dates(project: Project) -> Outcome:
    before = project.results.rename(project.results.with_name("before"))
    shutil.copytree(before, project.results, symlinks=True, copy_function=shutil.copyfile)
    shutil.rmtree(before)
    return project.snakemake()


def copy_without_dates_or_records(project: Project) -> Outcome:
    shutil.rmtree(project.root / ".snakemake")
    return copy_without_dates(project)


def start_in_a_fresh_clone(project: Project) -> Outcome:
    clone = copy_project(project.root.with_name("clone"))
    shutil.copytree(project.corpus, clone.corpus)
    return clone.snakemake(options=("--config", f"results={project.results}"))


@pytest.mark.parametrize(
    "change",
    [
        lose_records,
        clean_metadata,
        copy_without_dates,
        copy_without_dates_or_records,
        start_in_a_fresh_clone,
    ],
)
def test_an_unchanged_request_runs_no_job(project: Project, change: Change) -> None:
    done = change(project)
    assert done.code == 0, done.text
    assert done.jobs == set()
    assert "Nothing to be done" in done.text


@pytest.mark.parametrize("change", [lose_records, copy_without_dates_or_records])
def test_a_changed_window_reruns_smoothing_where_records_are_lost(
    project: Project, change: Change
) -> None:
    project.edit("config.yaml", "valence: 20", "valence: 10")
    models = digests(project, "train_encoder/**/*.pt")
    ensemble = project.results / "ensemble_predictions/main.parquet"
    before = file_digest(ensemble)
    done = change(project)
    assert done.code == 0, done.text
    assert done.rules == SMOOTHING
    assert file_digest(ensemble) != before
    assert digests(project, "train_encoder/**/*.pt") == models
    assert planned(project) == set()


def test_an_unused_function_reruns_its_stage_and_trains_nothing_anew(project: Project) -> None:
    module = project.root / "workflow/scripts/circumplex/features/extractors/egemaps.py"
    module.write_text(module.read_text() + "\n\ndef unused() -> int:\n    return 1\n")
    models = digests(project, "train_encoder/**/*.pt")
    submission = digests(project, "submissions/*/*")
    done = project.snakemake()
    assert done.code == 0, done.text
    extraction = {"extract_egemaps", "pack_features", "list_failures"}
    assert done.rules <= extraction | {"train_encoder", *AFTER_TRAINING}
    assert extraction <= done.rules
    packed = {job.split()[0] for rule, job in done.jobs if rule == "pack_features"}
    assert packed == {"egemaps"}
    trained = {job for rule, job in done.jobs if rule == "train_encoder"}
    for run in trained:
        log = (project.results / f"logs/train_encoder/{run}.log").read_text()
        assert "0 made, 1 taken from the store" in log
    assert digests(project, "train_encoder/**/*.pt") == models
    assert digests(project, "submissions/*/*") == submission
    assert planned(project) == set()


def digests(project: Project, pattern: str) -> dict[str, str]:
    """Digest of each file that a pattern matches below the results folder."""
    found = {str(p): file_digest(p) for p in project.results.glob(pattern) if p.is_file()}
    assert found
    return found
