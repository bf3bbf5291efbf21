import subprocess
import sys
import time

import pytest

from circumplex.pipeline.jobs.gpus import device_of, take_device, visible_gpus
from places import ROOT

HOLDER = """
import sys, time
from circumplex.pipeline.jobs.gpus import take_device
print(take_device(sys.argv[1:]), flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def own_locks(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "workflow/scripts"))
    monkeypatch.setattr("tempfile.tempdir", None)


def hold(*names):
    """A process that takes a device: the process, and its pipe to read the device from."""
    command = [sys.executable, "-c", HOLDER, *names]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_jobs_beside_each_other_get_devices_of_their_own():
    jobs = [hold("GPU-a", "GPU-b") for _ in range(2)]
    taken = {job.stdout.readline().strip() for job in jobs}
    assert taken == {"cuda:0", "cuda:1"}
    third = hold("GPU-a", "GPU-b")
    time.sleep(1.5)
    assert third.poll() is None
    jobs[1].kill()  # the lock goes with the process, even if it is killed
    freed = third.stdout.readline().strip()
    assert freed in taken
    for job in [*jobs, third]:
        job.kill()
        job.wait()


def test_a_cluster_decides_which_devices_count(tmp_path):
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "3, GPU-7f"}) == ["3", "GPU-7f"]
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": ""}) == []
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / "gpus" / name).mkdir(parents=True)
    assert visible_gpus({}, tmp_path / "gpus") == ["0", "1"]
    assert visible_gpus({}, tmp_path / "none") == []


def test_no_device_is_an_error_that_says_what_to_do(monkeypatch):
    with pytest.raises(RuntimeError, match=r"compute\.gpu to 0"):
        take_device([])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert device_of({"gpu": 0}) == device_of({}) == "cpu"
    with pytest.raises(RuntimeError, match="GPU"):
        device_of({"gpu": 1})
