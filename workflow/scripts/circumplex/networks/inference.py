"""Runs a feature network on batches of one shape: its arithmetic, memory layout, compilation."""

import ctypes
import os
import shutil
from typing import Any

import torch
from numpy.typing import NDArray
from torch.nn.utils.parametrize import is_parametrized

from circumplex.config.precision import Precision
from circumplex.errors import RequestError
from circumplex.networks.arithmetic import Arithmetic
from circumplex.networks.bfloat16 import warn_of_imitated_bfloat16


def require_compiler() -> None:
    """Check for the C++ compiler that PyTorch's compilation runs.

    Raises:
        RequestError: there is none.
    """
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise RequestError(
            f"compile: true needs a C++ compiler, and {compiler} is not in the PATH: install g++, "
            "name another one in the environment variable CXX, or set compile: false"
        )


def keep_freed_memory() -> None:
    """Have the C library keep what a network frees for its next batch.

    glibc gives large blocks back to the system at once, which then has to clear them anew for
    every batch. On 2 cores, three runs with and without: DenseNet 1.1 to 1.5 times as fast,
    IResNet100 1.0 to 1.4 times; a process holds up to a tenth more at its peak. Does nothing where
    there is another C library.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)  # no block of its own mapping
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)  # and the heap is not cut


M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of malloc.h
PRODUCTS = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Linear)


class Exact(torch.nn.Module):
    """A part of a network that stays in float32 when the rest runs in bfloat16."""

    def __init__(self, part: torch.nn.Module) -> None:
        super().__init__()
        self._part = part

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """The part, without autocast."""
        with torch.autocast(inputs.device.type, enabled=False):
            result: torch.Tensor = self._part(inputs)
        return result


def use_bfloat16(network: torch.nn.Module) -> None:
    """Keep the weights of products in bfloat16, and what is made of their results in float32.

    Autocast alone would let norms and residual sums pass on bfloat16: after the 49 units of an
    IResNet100 the cosine to float32 is 0.99987 then, and 0.99997 so.
    """
    if isinstance(network, PRODUCTS):
        if not is_parametrized(network):
            network.to(torch.bfloat16)
        network.register_forward_hook(lambda _network, _inputs, result: result.float())
    elif not isinstance(network, Exact):
        for child in network.children():
            use_bfloat16(child)


class Inference:
    """A network as a function of batches, float32 out.

    Compilation folds constant weights and norms together, which changes the last bits.

    Args:
        network: takes one batch, returns one tensor; in evaluation mode, on the device.
        arithmetic: how to run it.
        device: PyTorch's name of it.

    Raises:
        RequestError: compilation without a C++ compiler.
    """

    def __init__(self, network: torch.nn.Module, arithmetic: Arithmetic, device: str) -> None:
        self._device = torch.device(device)
        if self._device.type == "cpu":
            keep_freed_memory()
        self._half = arithmetic.precision is Precision.BFLOAT16
        self._layout = torch.channels_last if arithmetic.channels_last else torch.contiguous_format
        if self._half:
            warn_of_imitated_bfloat16(self._device)
            use_bfloat16(network)
        self._network: Any = network.to(memory_format=self._layout)
        if arithmetic.compile:
            require_compiler()
            self._network = torch.compile(network, dynamic=False, options={"freezing": True})

    def upload(self, inputs: NDArray[Any]) -> torch.Tensor:
        """A batch on the device; copied from pinned memory where the device is a GPU."""
        batch = torch.from_numpy(inputs)
        if self._device.type == "cuda":
            batch = batch.pin_memory()
        return batch.to(self._device, non_blocking=True)

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        """The network's output in float32, on the device."""
        if batch.ndim == 4:
            batch = batch.contiguous(memory_format=self._layout)
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, torch.bfloat16, enabled=self._half),
        ):
            values: torch.Tensor = self._network(batch)
        return values.float()
