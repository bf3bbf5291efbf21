"""All that differs between a CPU and a GPU once a job has its device.

Which GPU a job gets, `circumplex.pipeline.jobs.gpus` decides. No other module asks for the kind of
a device.
"""

import logging
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import torch
from numpy.typing import NDArray

from circumplex.errors import JobError

logger = logging.getLogger(__name__)
Item = TypeVar("Item")
Found = TypeVar("Found")


def is_gpu(device: torch.device | str) -> bool:
    """Whether a device is a GPU."""
    return torch.device(device).type == "cuda"


def is_cpu(device: torch.device | str) -> bool:
    """Whether a device is the CPU."""
    return torch.device(device).type == "cpu"


def send(values: NDArray[Any] | torch.Tensor, device: torch.device | str) -> torch.Tensor:
    """Copy values to a device; to a GPU from pinned memory, while the CPU goes on."""
    tensor = values if isinstance(values, torch.Tensor) else torch.from_numpy(values)
    if is_gpu(device) and tensor.device.type == "cpu" and not tensor.is_pinned():
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def bfloat16_products(device: torch.device | str, enabled: bool) -> AbstractContextManager[Any]:
    """A block whose products are computed in bfloat16, if enabled."""
    context: AbstractContextManager[Any] = torch.autocast(
        torch.device(device).type, torch.bfloat16, enabled=enabled
    )
    return context


def use_process_gpu(number: int) -> str:
    """Make a GPU the process's own, as several processes that train together need; its name."""
    torch.cuda.set_device(number)
    return f"cuda:{number}"


def emulates_bfloat16(device: torch.device | str) -> bool:
    """Whether bfloat16 is emulated: correct, but many times slower than float32.

    Processors of the x86 family have it where they have AVX-512 BF16 or AMX; with AVX-512 alone
    oneDNN computes it, but three times as slowly as float32.
    """
    if not is_cpu(device):
        return False
    if platform.machine() in ("x86_64", "AMD64"):
        found = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    else:
        found = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return not found


def warn_of_emulated_bfloat16(device: torch.device | str) -> None:
    """Log a warning if bfloat16 is emulated on the device."""
    if emulates_bfloat16(device):
        logger.warning(
            "precision: bfloat16 is emulated by this processor, which takes many times as long as "
            "float32; set precision: float32, or use a GPU or another machine"
        )


@contextmanager
def explaining_lack_of_memory(advice: str) -> Iterator[None]:
    """Say what to do where a GPU's memory has run out.

    Args:
        advice: what takes less of it.

    Raises:
        JobError: the GPU's memory has run out in the block.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        first = str(error).splitlines()[0]
        raise JobError(
            f"the GPU's memory has run out ({first}). {advice}; or give the GPU to one job at a "
            "time (`snakemake --resources gpu=1`)"
        ) from error


def in_halves(
    compute: Callable[[Sequence[Item]], list[Found]], items: Sequence[Item]
) -> list[Found]:
    """The results of all items at once, or of half as many where a GPU's memory runs out.

    Only for what gives an item the same result in any batch, or one as good.

    Raises:
        torch.OutOfMemoryError: even one item is too much.
    """
    try:
        return compute(items)
    except torch.OutOfMemoryError:
        if len(items) < 2:
            raise
    # Outside of the handler, which would keep the memory of what failed.
    half = len(items) // 2
    logger.warning("the GPU's memory has run out on %d items: going on with %d", len(items), half)
    torch.cuda.empty_cache()
    return [*in_halves(compute, items[:half]), *in_halves(compute, items[half:])]
