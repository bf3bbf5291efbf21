"""Processes that train one network together, as torchrun starts them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import nn


@dataclass(frozen=True)
class Processes:
    """This process among those that train together.

    Attributes:
        rank: number of this process.
        count: number of all processes.
        local_rank: its number on this machine: that of its GPU.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @classmethod
    def join(cls, device: str) -> "Processes":
        """Join the others, by torchrun's environment variables; alone without them."""
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1:
            return cls()
        dist.init_process_group("nccl" if device == "cuda" else "gloo")
        return cls(int(os.environ["RANK"]), count, int(os.environ["LOCAL_RANK"]))

    @property
    def first(self) -> bool:
        """Whether this is rank 0, the only process that writes."""
        return self.rank == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model with gradients averaged over the processes."""
        if self.count == 1:
            return model
        return nn.parallel.DistributedDataParallel(model)

    def mean(self, value: float, device: torch.device) -> float:
        """Compute the mean of a number over the processes."""
        if self.count == 1:
            return value
        tensor = torch.tensor(value, dtype=torch.float64, device=device)
        dist.all_reduce(tensor)
        return float(tensor) / self.count

    def total(self, counts: NDArray[np.int64], device: torch.device) -> NDArray[np.int64]:
        """Sum counts over the processes."""
        if self.count == 1:
            return counts
        tensor: Any = torch.from_numpy(counts).to(device)
        dist.all_reduce(tensor)
        return np.asarray(tensor.cpu().numpy(), np.int64)

    def share(self, tensors: Sequence[torch.Tensor]) -> None:
        """Give all processes the first one's values."""
        if self.count > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def leave(self) -> None:
        """Leave the process group."""
        if self.count > 1:
            dist.destroy_process_group()
