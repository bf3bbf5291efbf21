"""Load models and their preprocessing from folders in the format of Hugging Face transformers."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from circumplex.errors import RequestError
from circumplex.networks.weights import Weights, check_fit, check_values, naming_errors

PREPROCESSOR = "preprocessor_config.json"


def load_pretrained(
    weights: Weights,
    model_class: Any,
    *,
    optional: tuple[str, ...],
    foreign: tuple[str, ...],
    example: str,
) -> PreTrainedModel:
    """Load a model for inference in float32 from a folder with ``config.json`` and the weights.

    All keys must match, except for ``optional`` and ``foreign`` ones; no code in the folder is run.

    Args:
        weights: weights whose file is the folder.
        model_class: model class of transformers, or one of its Auto classes.
        optional: prefixes of keys that may be missing, since they are not used.
        foreign: prefixes of further keys that are ignored, such as heads.
        example: name of a published model, for error messages.

    Raises:
        RequestError: the folder is missing or incomplete, or holds another model.
    """
    folder = weights.checked_file()
    safe = (folder / "model.safetensors").is_file()
    if not (folder / "config.json").is_file() or not (
        safe or (folder / "pytorch_model.bin").is_file()
    ):
        raise RequestError(
            f"weights {folder}: expected a folder with config.json and model.safetensors or "
            f"pytorch_model.bin, as {example} has"
        )
    with naming_errors(folder):
        model, found = model_class.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=safe,
            weights_only=True,
            ignore_mismatched_sizes=True,  # refused below, by name
            output_loading_info=True,
        )
    misshaped = [
        f"{key} {tuple(shape)} instead of {tuple(expected)}"
        for key, shape, expected in found["mismatched_keys"]
    ]
    problems = {
        "missing": sorted(key for key in found["missing_keys"] if not key.startswith(optional)),
        "unexpected": sorted(k for k in found["unexpected_keys"] if not k.startswith(foreign)),
        "misshaped": sorted(misshaped),
    }
    check_fit(folder, type(model).__name__, problems)
    check_values(folder, model.state_dict(), dict(model.named_parameters()))
    loaded: PreTrainedModel = model.float().eval().requires_grad_(False)
    return loaded


def read_preprocessor(folder: Path) -> dict[str, Any]:
    """Read the options of the preprocessing from a model's folder.

    Raises:
        RequestError: the folder has no readable options.
    """
    path = folder / PREPROCESSOR
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise RequestError(
            f"weights {folder}: {PREPROCESSOR}, which says how the input is normalised, cannot be "
            f"read ({error}); download it from the source of the model"
        ) from error


def check_dimension(feature: str, declared: int, found: int) -> None:
    """Compare the dimension of the config with the network's.

    Raises:
        RequestError: they differ.
    """
    if declared != found:
        raise RequestError(
            f"features.{feature}.dimension is {declared}, but the network gives {found} values: "
            f"write dimension: {found}"
        )


def move_model(model: PreTrainedModel, device: str) -> torch.nn.Module:
    """Move a model to a device, and return it with the type of a plain module."""
    module: torch.nn.Module = model
    return module.to(device)
