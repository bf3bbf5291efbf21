"""Any Vision Transformer of transformers, such as DINOv2, on face crops."""

from collections.abc import Mapping
from typing import Any

import torch
from PIL import Image
from transformers import AutoModel, Dinov2Config, Dinov2Model, PreTrainedModel

from circumplex.config.extractors.vit import Options, Pooling
from circumplex.errors import RequestError
from circumplex.features.extractors.image_network import BackboneExtractor
from circumplex.networks.arithmetic import Arithmetic
from circumplex.networks.transformers import load_pretrained, move_model, read_preprocessor
from circumplex.networks.weights import Weights, build_network

KINDS = ("deit", "dinov2", "dinov2_with_registers", "dinov3_vit", "vit")
# Neither the mask of training nor the pooler (a layer on the class token) is used here.
OPTIONAL_KEYS = ("embeddings.mask_token", "pooler.")
FOREIGN_KEYS = ("classifier.", "cls_classifier.", "distillation_classifier.")
RANDOM_DESCRIPTION: Mapping[str, Any] = {
    "size": 224,
    "resample": 3,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}


class Pooler(torch.nn.Module):
    """Normalised images to one vector each, of the last layer's tokens."""

    def __init__(self, model: torch.nn.Module, pooling: Pooling, patch: int) -> None:
        super().__init__()
        self._model, self._pooling, self._patch = model, pooling, patch

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, 3, side, side) to (batch, dimension)."""
        tokens: torch.Tensor = self._model(pixel_values=images).last_hidden_state
        if self._pooling is Pooling.CLS:
            return tokens[:, 0]
        patches = (images.shape[-1] // self._patch) ** 2
        return tokens[:, -patches:].mean(dim=1)  # class and register tokens come first


def random_model(options: Options, name: str) -> PreTrainedModel:
    """A small DINOv2 of the dimension, for trials."""
    if options.dimension % 4:
        raise RequestError(
            f"features.{name}.dimension: {options.dimension} is no multiple of 4, as random "
            "weights need"
        )
    config = Dinov2Config(hidden_size=options.dimension, num_hidden_layers=2, num_attention_heads=4)
    model: PreTrainedModel = build_network(
        lambda: Dinov2Model(config), Weights.parse(options.weights)
    )
    return model


def input_side(described: Mapping[str, Any]) -> int:
    """Side of the square input that a preprocessor's description asks for, in pixels."""
    cropped = described.get("do_center_crop", False) and "crop_size" in described
    size = described["crop_size" if cropped else "size"]
    return int(size if isinstance(size, int) else next(iter(size.values())))


def build(options: Mapping[str, Any], device: str = "cpu", name: str = "vit") -> BackboneExtractor:
    """The extractor of the config's slice of the feature called ``name``.

    Raises:
        RequestError: the options are invalid, or the weights are missing or do not fit.
    """
    parsed = Options.read(options, f"features.{name}")
    weights = Weights.parse(parsed.weights)
    if weights.is_random:
        model, described = random_model(parsed, name), RANDOM_DESCRIPTION
    else:
        model = load_pretrained(
            weights,
            AutoModel,
            optional=OPTIONAL_KEYS,
            foreign=FOREIGN_KEYS,
            example="facebook/dinov2-small",
        )
        described = read_preprocessor(weights.checked_file())
    config: Any = model.config
    if config.model_type not in KINDS:
        kinds = ", ".join(KINDS)
        raise RequestError(
            f"weights {weights.file} are of a {config.model_type} model, none of {kinds}"
        )
    return BackboneExtractor(
        name,
        Pooler(move_model(model, device), parsed.pooling, config.patch_size),
        side=input_side(described),
        resample=Image.Resampling(described["resample"]),
        mean=described["image_mean"],
        deviation=described["image_std"],
        dimension=parsed.dimension,
        batch_size=parsed.batch_size,
        arithmetic=Arithmetic.of(parsed),
        device=device,
    )
