"""Tells who computes in bfloat16 on a processor that has no such arithmetic."""

import logging

import torch

logger = logging.getLogger(__name__)


def imitates_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 would be imitated: right, but many times slower than float32.

    A processor has it with AVX-512, roughly; laptops and many servers do not.
    """
    return device.type == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported()


def warn_of_imitated_bfloat16(device: torch.device) -> None:
    """Log a warning where bfloat16 would be imitated."""
    if imitates_bfloat16(device):
        logger.warning(
            "precision: bfloat16 is imitated by this processor, which takes many times as long as "
            "float32; set precision: float32, or compute on a GPU or another machine"
        )
