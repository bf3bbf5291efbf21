"""Any speech encoder of transformers that reads waves: HuBERT, WavLM, wav2vec 2.0.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from circumplex.config.feature_options import NetworkOptions, WeightChoice, weights_field
from circumplex.config.features import Environment, Feature, FeatureText, Need
from circumplex.config.modalities import Framing, Modality
from circumplex.config.section import Lax
from circumplex.config.weights import RANDOM

FEATURE = Feature(
    "speech",
    Modality.AUDIO,
    None,
    Framing.MEAN,
    order=8,
    environment=Environment.TORCH,
    deep=True,
    weight_keys=("weights",),
    need=Need(
        mem_mb=3500, cpu_s=0.3, disk_kb=150, gpu=True, start_s=9
    ),  # of the network in config.yaml
    text=FeatureText(
        network="any speech encoder of transformers; a hidden state, or the mean of all",
        input="sound, 16 kHz mono, normalised as the folder's preprocessor_config.json says",
        row="25 ms of sound in its convolutions, every 20 ms; attention reaches the whole pass",
        address="https://huggingface.co/facebook/hubert-base-ls960, or another",
        trained_on="by network",
        licence="by network",
        citation="by network; Hsu et al., HuBERT, TASLP 2021",
        note="A transformers folder, config.json, model.safetensors (or "
        "pytorch_model.bin) and preprocessor_config.json.",
    ),
)


class Pooled(StrEnum):
    """Values of ``layer`` that are no number.

    `LAST`: the model's output, behind its last norm; `MEAN`: the mean of the outputs of all
    Transformer layers.
    """

    LAST = "last"
    MEAN = "mean"


Number = Annotated[int, Field(ge=0, le=1000)]


def _parse_layer(value: Any, check: ValidatorFunctionWrapHandler) -> "Pooled | int":
    try:
        layer: Pooled | int = check(value)
    except ValidationError:
        raise ValueError(
            f"is {value!r}: must be last, mean, or an integer from 0 to 1000"
        ) from None
    return layer


class Options(NetworkOptions):
    """Options of the feature ``speech``."""

    weights: WeightChoice = weights_field("published:hubert-base-ls960")
    dimension: int = Field(
        768, ge=1, le=1_000_000, description="values per frame, which must be the network's"
    )
    layer: Annotated[Lax[Pooled] | Number, WrapValidator(_parse_layer)] = Field(
        Pooled.LAST,
        description="which hidden state: last, mean (of all layers), or a number; 0 is the input "
        "of the first Transformer layer, k the output of the k-th",
    )
    window_s: float = Field(
        20.0,
        ge=1,
        le=600,
        description="seconds of sound of which one forward pass gives tokens",
    )
    context_s: float = Field(
        2.0,
        ge=0.02,
        le=600,
        description="seconds of sound on either side of a window that its tokens also see",
    )

    @property
    def relative_cost(self) -> float:
        """By the width of 768 squared; random weights are of a small network."""
        share = 0.02 if self.weights.startswith(RANDOM) else 1.0
        return share * (self.dimension / 768) ** 2
