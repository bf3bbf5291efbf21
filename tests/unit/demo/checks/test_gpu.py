"""The check of a GPU, tried on the CPU, where it must find nothing."""

import pytest

from demo.checks.gpu import Outcomes, check_extractor, check_faces, check_memory, check_training


def test_what_is_missing_is_named_and_skipped_and_what_fails_is_counted(capsys):
    outcomes = Outcomes()

    def lacks():
        raise ModuleNotFoundError("No module named 'timm'")

    def fails():
        raise ValueError("the cosine must be 0.9999 or more")

    for name, check in (("good", lambda: "cosine 1"), ("absent", lacks), ("bad", fails)):
        outcomes.run(name, check)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["good", "absent", "bad"]
    assert lines[1].endswith("skipped: No module named 'timm'")
    assert "FAILED: ValueError: the cosine" in lines[2]
    assert outcomes.failed == 1


@pytest.mark.slow
def test_the_cpu_agrees_with_itself():
    assert "cosine 1.000000" in check_extractor("iresnet", "cpu", True, {})
    assert "faces, boxes within 0.000 px" in check_faces("cpu")
    assert "CCC" in check_training("lstm", "cpu", True, "float32")
    assert check_memory("cpu").startswith("skipped")
