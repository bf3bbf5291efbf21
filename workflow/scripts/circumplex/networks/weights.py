"""Weights of the feature networks: a file or folder, or seeded random weights."""

import codecs
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from circumplex.config.weights import PUBLISHED, RANDOM, TRAINED
from circumplex.errors import RequestError

if TYPE_CHECKING:
    import torch

    Network = TypeVar("Network", bound=torch.nn.Module)
    Reader = Callable[[Path, torch.nn.Module], dict[str, torch.Tensor]]

FOLDER_SUFFIXES = {".json", ".safetensors", ".bin"}
NAMED_IN_ERRORS = 3


@dataclass(frozen=True)
class Weights:
    """Where a network's weights come from: exactly one of ``file`` and ``seed`` is given.

    Attributes:
        file: a checkpoint, or the folder of a transformers model.
        seed: of random weights, for trials without the published ones.
    """

    file: Path | None = None
    seed: int | None = None

    @classmethod
    def parse(cls, choice: str) -> Self:
        """Read the config's notation: ``random:<seed>``, or a file or folder.

        Raises:
            RequestError: ``published:<name>`` or ``trained:<recipe>``, in whose place the workflow
                puts the file that it stands for.
        """
        if choice.startswith((PUBLISHED, TRAINED)):
            raise RequestError(f"weights {choice} stand for a file of a run: name that file")
        if choice.startswith(RANDOM):
            return cls(seed=int(choice.removeprefix(RANDOM)))
        return cls(file=Path(choice))

    @property
    def is_random(self) -> bool:
        """Whether the weights are random: every output made with them must say so."""
        return self.file is None

    def identity(self) -> str:
        """``random:<seed>`` or ``sha256:<hex>`` of the file's content.

        Raises:
            RequestError: the file is missing.
        """
        if self.file is None:
            return f"{RANDOM}{self.seed}"
        return f"sha256:{digest_path(self.checked_file())}"

    def checked_file(self) -> Path:
        """The file or folder, which exists.

        Raises:
            RequestError: it is missing.
            ValueError: the weights are random.
        """
        if self.file is None:
            raise ValueError("random weights have no file")
        if not self.file.exists():
            raise RequestError(
                f"weights {self.file} are missing: put the checkpoint there, or name its place "
                f"under `weights:`; for a trial without it, `weights: {RANDOM}<seed>`"
            )
        return self.file


def digest_path(path: Path) -> str:
    """Hex SHA-256 of a file; of a model's folder, over its sorted (name, SHA-256) lines."""
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    parts = sorted(part for part in path.iterdir() if part.suffix in FOLDER_SUFFIXES)
    lines = "".join(f"{part.name} {digest_path(part)}\n" for part in parts)
    return hashlib.sha256(lines.encode()).hexdigest()


def load_state(path: Path) -> "dict[str, torch.Tensor]":
    """Read a state dict: ``.safetensors``, ``.npz`` or a PyTorch file, no code executed.

    A PyTorch file may hold the state dict itself or under ``state_dict``, and arrays of NumPy in
    place of tensors; a leading ``module.`` (from data-parallel training) is removed when all names
    have it.

    Raises:
        RequestError: the file cannot be read safely or holds something else.
    """
    import torch
    from safetensors.torch import load_file

    content: Any
    with naming_errors(path):
        if path.suffix == ".safetensors":
            content = load_file(path)
        elif path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                content = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        else:
            with torch.serialization.safe_globals(_array_globals()):
                content = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if isinstance(content, Mapping):
        content = {
            name: torch.from_numpy(value) if _is_numeric(value) else value
            for name, value in content.items()
        }
    if (
        not isinstance(content, Mapping)
        or not content
        or not all(isinstance(name, str) for name in content)
        or not all(isinstance(value, torch.Tensor) for value in content.values())
    ):
        raise RequestError(f"weights {path} hold no state dict (a mapping of names to tensors)")
    check_plain(path, content)
    prefix = "module." if all(name.startswith("module.") for name in content) else ""
    return {name.removeprefix(prefix): value for name, value in content.items()}


@contextmanager
def naming_errors(path: Path) -> Iterator[None]:
    """Turn whatever a library raises of a file of weights into one message that names the file.

    Raises:
        RequestError: the block has raised an error.
    """
    try:
        yield
    except RequestError:
        raise
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise RequestError(f"weights {path} cannot be read: {lines[0][:300]}") from error


def check_plain(path: Path, tensors: "Mapping[str, torch.Tensor]") -> None:
    """Refuse tensors that are not plain arrays of real numbers.

    Raises:
        RequestError: naming the first that is sparse, quantised, complex, or without values.
    """
    import torch

    for name, tensor in tensors.items():
        strided = tensor.layout is torch.strided and not tensor.is_nested
        if not strided or tensor.is_meta or tensor.is_quantized or tensor.is_complex():
            kind = "meta" if tensor.is_meta else f"{tensor.layout}, {tensor.dtype}"
            raise RequestError(
                f"weights {path} hold {name!r} as a tensor that is no plain array of numbers "
                f"({kind}): save it dense and with its values, such as tensor.to_dense().cpu()"
            )


def check_values(
    path: Path, tensors: "Mapping[str, torch.Tensor]", parameters: Collection[str]
) -> None:
    """Refuse weights that are not numbers.

    Args:
        path: of the file, for the message.
        tensors: by name; those beside the parameters may be infinite, as masks are.
        parameters: names of those that were trained.

    Raises:
        RequestError: naming the first tensor that holds NaN, or infinity among the parameters.
    """
    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            values = tensor.float()
            wrong = ~values.isfinite() if name in parameters else values.isnan()
            if wrong.any():
                raise RequestError(
                    f"weights {path}: {int(wrong.sum())} of {wrong.numel()} values of {name} are "
                    "not finite numbers: its training has failed, or the file is damaged"
                )


def _array_globals() -> list[Any]:
    """What a pickle needs to hold plain arrays of numbers, under today's and NumPy 1's names."""
    makers: list[tuple[str, Any]] = [
        ("multiarray._reconstruct", np._core.multiarray._reconstruct),  # type: ignore[attr-defined]
        ("multiarray.scalar", np._core.multiarray.scalar),  # type: ignore[attr-defined]
    ]
    packages = ("numpy.core", "numpy._core")
    named = [(maker, f"{package}.{name}") for package in packages for name, maker in makers]
    kinds = [type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8")]
    return [*named, np.ndarray, np.dtype, *kinds, codecs.encode]


def _is_numeric(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "fi"


def load_into(network: "torch.nn.Module", weights: Weights, read: "Reader | None" = None) -> None:
    """Load a checkpoint strictly: every name and shape must be the network's.

    Args:
        network: to load into.
        weights: with a file.
        read: gives the state dict of a file for this network; none for `load_state`.

    Raises:
        RequestError: the file is missing, altered or unreadable, does not fit, or holds values
            that are not finite; it names keys.
    """
    path = weights.checked_file()
    with naming_errors(path):
        state = read(path, network) if read else load_state(path)
    expected = network.state_dict()
    misshaped = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in state and state[name].shape != tensor.shape
    ]
    problems = {
        "missing": [name for name in expected if name not in state],
        "unexpected": [name for name in state if name not in expected],
        "misshaped": misshaped,
    }
    check_fit(path, type(network).__name__, problems)
    check_values(path, state, dict(network.named_parameters()))
    network.load_state_dict(state, strict=True)


def check_fit(path: Path, network: str, problems: Mapping[str, list[str]]) -> None:
    """Raise a RequestError that names the first keys of each kind of problem, if there is any."""
    found = [
        f"{len(names)} {kind} ({', '.join(names[:NAMED_IN_ERRORS])}"
        f"{', ...' if len(names) > NAMED_IN_ERRORS else ''})"
        for kind, names in problems.items()
        if names
    ]
    if found:
        raise RequestError(f"weights {path} do not fit {network}: {'; '.join(found)}")


def build_network(
    factory: "Callable[[], Network]",
    weights: Weights,
    device: str = "cpu",
    read: "Reader | None" = None,
) -> "Network":
    """Construct a network for inference, with weights from the file or from the seed.

    The caller's random state is left as it was; `read` is that of `load_into`.

    Raises:
        RequestError: as `load_into`.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(weights.seed or 0)
        network = factory()
    if not weights.is_random:
        load_into(network, weights, read)
    return network.eval().requires_grad_(False).to(device)
