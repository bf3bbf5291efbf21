"""Write tensors as ``.safetensors``, a format that holds no code."""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from circumplex.io.atomic import replacing


def write_safetensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors, atomically.

    Equal tensors and metadata give equal bytes, as long as the metadata has only one key.
    """
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    # The library's own writer would make the file readable by its owner only.
    content = save(plain, dict(metadata) if metadata else None)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
