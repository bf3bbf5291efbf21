import math

import pytest

from circumplex.networks.tensorboard import EventLog
from event_files import read_events


def test_tensorboard_reads_the_curves_and_each_epoch_once(tmp_path):
    folder = tmp_path / "x" / "seed0.tensorboard"
    for _ in range(2):
        with EventLog(folder) as log:
            for epoch in (1, 2):
                log.add({"epoch": epoch, "train_loss": 2.5 / epoch, "ccc_valence": math.nan})
    assert read_events(folder) == {"train_loss": [(1, 2.5), (2, 1.25)]}


def test_an_epoch_is_on_disk_while_training_goes_on(tmp_path):
    with EventLog(tmp_path / "log") as log:
        log.add({"epoch": 1, "train_loss": 0.5})
        assert read_events(tmp_path / "log") == {"train_loss": [(1, pytest.approx(0.5))]}
