"""Warn when a CPU only emulates bfloat16, which is slow."""

import logging

import torch

logger = logging.getLogger(__name__)


def emulates_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is emulated: correct, but many times slower than float32.

    CPUs with AVX-512 usually support it; laptops and many servers do not.
    """
    return device.type == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported()


def warn_of_emulated_bfloat16(device: torch.device) -> None:
    """Log a warning if bfloat16 is emulated on the device."""
    if emulates_bfloat16(device):
        logger.warning(
            "precision: bfloat16 is emulated by this processor, which takes many times as long as "
            "float32; set precision: float32, or use a GPU or another machine"
        )
