"""wav2vec 2.0 feature (section 3.2.2): 768 values per token of 20 ms.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from enum import StrEnum

from pydantic import Field

from circumplex.config.feature_options import NetworkOptions, WeightChoice, weights_field
from circumplex.config.features import Environment, Feature, FeatureText, Need
from circumplex.config.modalities import Framing, Modality
from circumplex.config.section import Lax
from circumplex.config.weights import RANDOM

FEATURE = Feature(
    "wav2vec2",
    Modality.AUDIO,
    768,
    Framing.MEAN,
    order=7,
    environment=Environment.TORCH,
    deep=True,
    weight_keys=("weights",),
    need=Need(mem_mb=3000, cpu_s=0.3, disk_kb=150, gpu=True, start_s=9),
    text=FeatureText(
        network="wav2vec 2.0 {size}; its last hidden state",
        input="sound, 16 kHz mono, zero mean and unit variance over the whole file",
        row="25 ms of sound in its convolutions, every 20 ms; attention reaches the whole pass",
        address="https://huggingface.co/facebook/wav2vec2-base-960h",
        trained_on="LibriSpeech, 960 hours",
        licence="Apache-2.0",
        citation="Baevski et al., wav2vec 2.0, NeurIPS 2020",
        note="A transformers folder, config.json and model.safetensors (or pytorch_model.bin).",
        published="wav2vec2-base-960h",
    ),
)


class Size(StrEnum):
    """Size of a network with random weights; `SMALL` has 2 layers and a thin front end."""

    BASE = "base"
    SMALL = "small"


class Options(NetworkOptions):
    """Options of the feature ``wav2vec2``."""

    weights: WeightChoice = weights_field("published:wav2vec2-base-960h")
    size: Lax[Size] = Field(
        Size.BASE,
        description="of a network with random weights (small: for trials); a folder of weights "
        "brings its own",
    )
    window_s: float = Field(
        20.0,
        ge=1,
        le=600,
        description="seconds of sound of which one forward pass gives tokens (our choice); memory "
        "grows with it",
    )
    context_s: float = Field(
        2.0,
        ge=0.02,
        le=600,
        description="seconds of sound on either side of a window that its tokens also see (our "
        "choice)",
    )

    @property
    def relative_cost(self) -> float:
        """A fiftieth for the small network of random weights, as measured on the demo corpus."""
        small = self.size is Size.SMALL and self.weights.startswith(RANDOM)
        return 0.02 if small else 1.0
