"""Tensors in files that hold no code: ``.safetensors``."""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from circumplex.io.atomic import replacing


def write_safetensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors, atomically; equal tensors and metadata of one key give equal bytes."""
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    # As bytes: the library's own file would be readable by its owner alone.
    content = save(plain, dict(metadata) if metadata else None)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
