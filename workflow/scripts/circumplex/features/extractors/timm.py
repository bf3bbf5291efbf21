"""Any image backbone of timm, pooled as it comes, on face crops."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import timm
import torch
from PIL import Image

from circumplex.errors import RequestError
from circumplex.features.extractors.image_network import BackboneExtractor
from circumplex.networks.arithmetic import Arithmetic, OptionReader
from circumplex.networks.weights import Weights, build_network, load_state


@dataclass(frozen=True)
class Options:
    """Of the feature ``timm``.

    Attributes:
        weights: of the network, with or without its classifier, which is left out.
        architecture: timm's name of it, with the tag of the weights, which says how images are
            normalised: ``convnext_tiny.fb_in22k``.
        dimension: values a frame, which must be the network's.
        batch_size: faces a batch; fixed, see `BatchExtractor`.
        arithmetic: how the network is run.
    """

    weights: Weights
    architecture: str
    dimension: int
    batch_size: int
    arithmetic: Arithmetic

    @classmethod
    def parse(cls, options: Mapping[str, Any], name: str = "timm") -> Self:
        """Read the config's slice of the feature called ``name``.

        Raises:
            RequestError: an unknown key, network or tag, or a value out of range.
        """
        reader = OptionReader(name, options)
        parsed = cls(
            weights=Weights.parse(reader.raw("weights")),
            architecture=str(reader.raw("architecture")),
            dimension=reader.positive("dimension", 768),
            batch_size=reader.positive("batch_size", 32),
            arithmetic=Arithmetic.read(reader, channels_last=True),
        )
        reader.finish()
        if not timm.is_model(parsed.architecture) or (
            "." in parsed.architecture and not timm.is_model_pretrained(parsed.architecture)
        ):
            raise RequestError(
                f"features.{name}.architecture: timm has no {parsed.architecture!r}; "
                "timm.list_models(pretrained=True) names all"
            )
        return parsed


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
        RequestError: the options make no sense, or the weights are missing or do not fit.
    """
    parsed = Options.parse(options, name)

    def make() -> torch.nn.Module:
        network: torch.nn.Module = timm.create_model(parsed.architecture, num_classes=0)
        return network

    network = build_network(make, parsed.weights, device, read_state)
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
        arithmetic=parsed.arithmetic,
        device=device,
    )
