"""What a person sees of a run, on a terminal and in a file."""

import os
import subprocess
import sys

import pytest
import yaml

from projects import CONFIGS, Project
from terminals import COLUMNS, Shown, run_in_terminal

STOPPED = "stopped; run the same command to continue"
REASON = "the media file cannot be opened"
FEW_MODELS = {  # two features, one model
    "experiments": {
        "lstm_DIF_WVCE": {"features": ["densenet", "egemaps"]},
        "transformer_D_WC": None,
    },
    "ensembles": {"main": {"arousal": ["lstm_DIF_WVCE"]}},
}


def command(project: Project, *options: str) -> list[str]:
    (project.root / "few.yaml").write_text(yaml.safe_dump(FEW_MODELS))
    presets = (*CONFIGS, "few.yaml")
    return [
        *(sys.executable, "-m", "snakemake", "--cores", "2", *options),
        *("--configfile", *presets),
    ]


def environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("SNAKEMAKE")}


def show(project: Project, *options: str, interrupt_at: str | None = None) -> Shown:
    words = command(project, *options)
    return run_in_terminal(words, project.root, environment(), interrupt_at=interrupt_at)


def test_a_run_with_a_failed_sample_and_the_run_after_it(project: Project) -> None:
    video = project.corpus / "videos/clip05.mp4"
    whole = video.read_bytes()
    video.write_text("not a film")
    shown = show(project)
    assert shown.code == 1
    assert "\x1b" not in shown.raw
    assert "Traceback" not in shown.raw
    # The one stage that has none beside it, of which the first to begin would be shown.
    assert any("extract_frames" in state and "of 8 samples" in state for state in shown.moving)
    assert all(len(state) <= COLUMNS for state in shown.moving)
    failures = [line for line in shown.lines if "clip05" in line]
    assert len(failures) == 2
    assert failures[0].startswith(f"clip05: failed in extract_frames: {REASON}")
    assert failures[1].startswith(f"  clip05: extract_frames: {REASON}")
    at = shown.lines.index(failures[1])
    # A line that is longer than the terminal goes on below; the table is the last thing.
    assert len("".join(shown.lines[at:])) < 400
    assert shown.lines[at - 1].endswith("under exclude: in the config.")
    assert len(shown.lines) < 20

    # Whole again, and shown in a file: few lines, and what was written last.
    video.write_bytes(whole)
    done = subprocess.run(
        command(project),
        cwd=project.root,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "\r" not in done.stderr + done.stdout
    assert "\x1b" not in done.stderr + done.stdout
    stages = [line for line in done.stderr.splitlines() if line.startswith("extract_frames: ")]
    assert len(stages) == 1
    assert stages[0].startswith("extract_frames: 8 samples, ")
    assert len(done.stderr.splitlines()) < 40
    assert done.stdout.splitlines()[-1].startswith("report: ")


def test_ctrl_c_says_how_to_go_on(fresh: Project) -> None:
    shown = show(fresh, interrupt_at="align_faces ")
    assert shown.code != 0
    assert "Traceback" not in shown.raw
    assert "Warning" not in shown.raw
    assert shown.lines[-1] == STOPPED
    assert [line for line in shown.lines if "failed" in line] == []
    assert not (fresh.results / "report.html").exists()


@pytest.mark.parametrize(
    ("overlay", "first"),
    [
        ({"features": {"densenet": {"weights": "nowhere.pth"}}}, "densenet: weights nowhere.pth"),
        ({"smothing": {"valence": 3}}, "config"),
    ],
    ids=["weights", "config"],
)
def test_what_is_wrong_with_the_request_stands_alone(
    fresh: Project, overlay: dict[str, object], first: str
) -> None:
    (fresh.root / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    words = [*command(fresh), "overlay.yaml"]
    shown = run_in_terminal(words, fresh.root, environment())
    assert shown.code == 1
    *_, heading = [line for line in shown.lines if line.startswith(first)]
    for decoration in ("Exception", "WorkflowError", "Wildcards", "Traceback", ", line "):
        assert decoration not in shown.raw
    assert shown.lines.index(heading) <= 2
