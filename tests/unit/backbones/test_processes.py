import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn

from circumplex.backbones.processes import Processes

CPU = torch.device("cpu")


def test_one_process_changes_nothing(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    alone = Processes.join("cpu")
    model, counts = nn.Linear(2, 2), np.array([[1, 2]])
    assert alone == Processes(0, 1, 0)
    assert alone.first
    assert alone.wrap(model) is model
    assert alone.mean(0.3, CPU) == 0.3
    assert alone.total(counts, CPU) is counts
    alone.share([torch.ones(1)])
    alone.leave()


@pytest.mark.parametrize(("device", "backend"), [("cpu", "gloo"), ("cuda", "nccl")])
def test_joining_takes_ranks_from_the_environment(monkeypatch, device, backend):
    for name, value in {"WORLD_SIZE": "6", "RANK": "4", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    backends = []
    monkeypatch.setattr(dist, "init_process_group", backends.append)
    processes = Processes.join(device)
    assert (processes.rank, processes.count, processes.local_rank) == (4, 6, 1)
    assert not processes.first
    assert backends == [backend]


def test_means_and_sums_are_over_all_processes(monkeypatch):
    """Of four processes that all have the same numbers."""
    monkeypatch.setattr(dist, "all_reduce", lambda tensor: tensor.mul_(4))
    processes = Processes(1, 4, 1)
    assert processes.mean(0.1, CPU) == 0.1
    counts = np.array([[1, 2**40]])
    total = processes.total(counts.copy(), CPU)
    assert total.dtype == np.int64
    assert total.tolist() == [[4, 2**42]]


def test_all_get_the_values_of_the_first(monkeypatch):
    sent = []
    monkeypatch.setattr(dist, "broadcast", lambda tensor, source: sent.append((tensor, source)))
    monkeypatch.setattr(dist, "destroy_process_group", lambda: sent.append("left"))
    tensors = [torch.ones(1), torch.ones(2)]
    processes = Processes(1, 2, 1)
    processes.share(tensors)
    assert [source for _, source in sent] == [0, 0]
    assert all(one is other for (one, _), other in zip(sent, tensors, strict=True))
    processes.leave()
    assert sent[-1] == "left"
