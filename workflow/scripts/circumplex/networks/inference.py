"""Run a feature network on batches of one shape: arithmetic, memory layout and compilation."""

import ctypes
import os
import shutil
from typing import Any

import torch
from numpy.typing import NDArray
from torch.nn.utils.parametrize import is_parametrized

from circumplex.config.precision import Precision
from circumplex.errors import RequestError
from circumplex.io.devices import (
    bfloat16_products,
    explaining_lack_of_memory,
    is_cpu,
    send,
    warn_of_emulated_bfloat16,
)
from circumplex.networks.arithmetic import Arithmetic


def require_compiler() -> None:
    """Check that the C++ compiler which PyTorch's compilation needs is available.

    Raises:
        RequestError: there is no compiler.
    """
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise RequestError(
            f"compile: true needs a C++ compiler, and {compiler} is not in the PATH: install g++, "
            "name another one in the environment variable CXX, or set compile: false"
        )


def keep_freed_memory() -> None:
    """Make the C library keep the memory that a network frees, for its next batch.

    glibc returns large blocks to the system at once, which then has to clear them for every batch.
    On 2 cores, three runs with and without: DenseNet 1.1 to 1.5 times as fast, IResNet100 1.0 to
    1.4 times; the peak memory of a process grows by up to a tenth. With another C library, this
    function does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)  # no block has a mapping of its own
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)  # the heap is never trimmed


M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of malloc.h
PRODUCTS = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Linear)


class Exact(torch.nn.Module):
    """A part of a network that stays in float32 when the rest runs in bfloat16."""

    def __init__(self, part: torch.nn.Module) -> None:
        super().__init__()
        self._part = part

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Run the part without autocast."""
        with bfloat16_products(inputs.device, enabled=False):
            result: torch.Tensor = self._part(inputs)
        return result


def use_bfloat16(network: torch.nn.Module) -> None:
    """Compute products in bfloat16, and everything else in float32.

    With autocast alone, norms and residual sums would output bfloat16: after the 49 units of an
    IResNet100, the cosine to float32 would be 0.99987 instead of 0.99997.
    """
    if isinstance(network, PRODUCTS):
        if not is_parametrized(network):
            network.to(torch.bfloat16)
        network.register_forward_hook(lambda _network, _inputs, result: result.float())
    elif not isinstance(network, Exact):
        for child in network.children():
            use_bfloat16(child)


class Inference:
    """A network as a function from batches to float32 tensors.

    Compilation folds norms into weights, which changes the last bits of the result.

    Args:
        network: network from one tensor to one tensor, in evaluation mode and on the device.
        arithmetic: precision, memory layout and compilation.
        device: PyTorch's name of the device.

    Raises:
        RequestError: the network is to be compiled, but there is no C++ compiler.
    """

    def __init__(self, network: torch.nn.Module, arithmetic: Arithmetic, device: str) -> None:
        self._device = torch.device(device)
        if is_cpu(self._device):
            keep_freed_memory()
        self._half = arithmetic.precision is Precision.BFLOAT16
        self._layout = torch.channels_last if arithmetic.channels_last else torch.contiguous_format
        if self._half:
            warn_of_emulated_bfloat16(self._device)
            use_bfloat16(network)
        self._network: Any = network.to(memory_format=self._layout)
        if arithmetic.compile:
            require_compiler()
            self._network = torch.compile(network, dynamic=False, options={"freezing": True})

    def upload(self, inputs: NDArray[Any]) -> torch.Tensor:
        """Copy a batch to the device; to a GPU, from pinned memory."""
        return send(inputs, self._device)

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        """Run the network on a batch; the result is float32 and on the device.

        Raises:
            JobError: a GPU's memory has run out. The batch is not halved: a frame would have other
                last bits in some jobs than in others.
        """
        if batch.ndim == 4:
            batch = batch.contiguous(memory_format=self._layout)
        with (
            torch.inference_mode(),
            bfloat16_products(self._device, self._half),
            explaining_lack_of_memory("Lower the feature's batch_size, or window_s for sound"),
        ):
            values: torch.Tensor = self._network(batch)
        return values.float()
