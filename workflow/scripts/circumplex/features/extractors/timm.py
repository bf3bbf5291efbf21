"""Any image backbone of timm, pooled as it comes, on face crops."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from PIL import Image

from circumplex.config.extractors.timm import Options
from circumplex.errors import RequestError
from circumplex.features.extractors.image_network import BackboneExtractor
from circumplex.networks.arithmetic import Arithmetic
from circumplex.networks.weights import Weights, build_network, load_state


def read_state(path: Path, network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """State dict of a checkpoint without the classifier, which timm knows by name.

    Raises:
        RequestError: it cannot be read.
    """
    described: Any = network.pretrained_cfg
    names = described.get("classifier") or ()
    heads = tuple(f"{name}." for name in ([names] if isinstance(names, str) else names))
    return {name: value for name, value in load_state(path).items() if not name.startswith(heads)}


def build(options: Mapping[str, Any], device: str = "cpu", name: str = "timm") -> BackboneExtractor:
    """The extractor of the config's slice of the feature called ``name``.

    Raises:
        RequestError: the options are invalid, timm has no such network, or the weights are
            missing or do not fit.
    """
    parsed = Options.read(options, f"features.{name}")
    if not timm.is_model(parsed.architecture) or (
        "." in parsed.architecture and not timm.is_model_pretrained(parsed.architecture)
    ):
        raise RequestError(
            f"features.{name}.architecture: timm has no {parsed.architecture!r}; "
            "timm.list_models(pretrained=True) names all"
        )

    def make() -> torch.nn.Module:
        network: torch.nn.Module = timm.create_model(parsed.architecture, num_classes=0)
        return network

    network = build_network(make, Weights.parse(parsed.weights), device, read_state)
    described = timm.data.resolve_model_data_config(network)
    return BackboneExtractor(
        name,
        network,
        side=described["input_size"][-1],
        resample=Image.Resampling[described["interpolation"].upper()],
        mean=described["mean"],
        deviation=described["std"],
        dimension=parsed.dimension,
        batch_size=parsed.batch_size,
        arithmetic=Arithmetic.of(parsed),
        device=device,
    )
