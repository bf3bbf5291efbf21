"""What fails one sample, and what ends the job."""

import errno
import logging
import threading
import time

import pytest

from circumplex.errors import (
    JobError,
    ModalityAbsent,
    PassingError,
    RequestError,
    SampleError,
)
from circumplex.io import memory
from circumplex.pipeline.boundary import (
    SAMPLE,
    one_sample,
    outside_time_limit,
    time_limit,
    whole_job,
)


def failure(tmp_path, error, files=("a.mp4",)):
    with pytest.raises(Exception) as caught, one_sample("a", tmp_path, files):  # noqa: PT011
        raise error
    return caught.value


@pytest.mark.parametrize(
    "error",
    [
        *(KeyError("x"), TypeError("x"), AttributeError("x"), AssertionError("x")),
        *(OverflowError("x"), RecursionError("x"), UnicodeError("x"), StopIteration("x")),
        *(RuntimeError("a library said no"), ZeroDivisionError("x"), MemoryError("absurd")),
    ],
)
def test_an_error_of_any_type_fails_the_sample_with_its_file_and_cause(tmp_path, caplog, error):
    with caplog.at_level(logging.INFO):
        problem = failure(tmp_path, error)
    assert type(problem) is SampleError
    assert str(problem).startswith(f"a.mp4: unexpected error {type(error).__name__}: {error}")
    assert "exclude" in str(problem)
    assert caplog.records[-1].exc_info[1] is error, "the traceback is in the log"


@pytest.mark.parametrize("error", [SampleError("x"), PassingError("y"), ModalityAbsent("z")])
def test_known_errors_stay_as_they_are(tmp_path, error):
    assert failure(tmp_path, error) is error


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ESTALE, errno.ELOOP])
def test_a_file_that_cannot_be_read_is_tried_again(tmp_path, number):
    problem = failure(tmp_path, OSError(number, "the disk is ill", "/films/a.mp4"))
    assert type(problem) is PassingError
    assert "/films/a.mp4 cannot be read: the disk is ill" in str(problem)
    assert "a.mp4 cannot be read" in str(failure(tmp_path, OSError(number, "ill")))


@pytest.mark.parametrize(
    "error",
    [
        *(OSError(errno.ENOSPC, "full"), OSError(errno.EDQUOT, "quota")),
        *(OSError(errno.EMFILE, "files"), ImportError("libx.so"), JobError("network")),
        *(RequestError("invalid"), RuntimeError("CUDA error: an illegal access")),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_what_would_meet_the_next_sample_too_ends_the_job(tmp_path, error):
    assert failure(tmp_path, error) is error


def test_memory_that_has_run_out_ends_the_job(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "ENOUGH_BYTES", 1 << 62)
    error = MemoryError("x")
    assert failure(tmp_path, error) is error


def test_results_that_cannot_be_written_end_the_job(tmp_path):
    results = tmp_path / "results"
    results.write_text("a file where the folder was")
    error = OSError(errno.EIO, "x")
    assert failure(results, error) is error


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interruption_is_no_failure(tmp_path, error):
    with pytest.raises(error), one_sample("a", tmp_path):
        raise error


def test_errors_of_what_serves_all_samples_end_the_job(tmp_path):
    def embed(error):
        yield 1
        raise error

    with pytest.raises(JobError, match="ValueError: x"), one_sample("a", tmp_path):
        list(whole_job(embed(ValueError("x"))))
    with pytest.raises(SampleError, match="row"), one_sample("a", tmp_path):
        list(whole_job(embed(SampleError("row"))))


def test_the_sample_is_known_while_it_is_made(tmp_path):
    assert SAMPLE.get() == ""
    with one_sample("a", tmp_path):
        assert SAMPLE.get() == "a"
    assert SAMPLE.get() == ""


def count_for_ever():
    with time_limit(0.1):
        while True:
            pass


def wait_and_sleep():
    with time_limit(0.3):
        with outside_time_limit():
            pass
        time.sleep(60)


def test_a_sample_that_takes_for_ever_is_given_up():
    begin = time.monotonic()
    with pytest.raises(PassingError, match="more than 0 s"), time_limit(0.1):
        time.sleep(60)
    with pytest.raises(PassingError):
        count_for_ever()
    assert time.monotonic() - begin < 10
    time.sleep(0.15)  # the clock is off again


def test_a_wait_for_a_device_does_not_count():
    with time_limit(0.3), outside_time_limit():
        time.sleep(0.5)
    with pytest.raises(PassingError):
        wait_and_sleep()


def test_a_thread_has_no_clock():
    caught = []

    def work():
        try:
            with time_limit(0.05), outside_time_limit():
                time.sleep(0.1)
        except Exception as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert caught == []
