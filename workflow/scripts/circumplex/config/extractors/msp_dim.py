"""Arousal, dominance and valence of speech, by wav2vec 2.0 and the regression head it came with.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from pydantic import Field

from circumplex.config.feature_options import NetworkOptions, WeightChoice, weights_field
from circumplex.config.features import Environment, Feature, FeatureText, Need
from circumplex.config.modalities import Framing, Modality

DIMENSIONS = ("arousal", "dominance", "valence")

FEATURE = Feature(
    "msp_dim",
    Modality.AUDIO,
    len(DIMENSIONS),
    Framing.NEAREST,
    order=10,
    environment=Environment.TORCH,
    deep=True,
    weight_keys=("weights",),
    columns=DIMENSIONS,
    need=Need(mem_mb=5000, cpu_s=3, disk_kb=0.1, gpu=True, start_s=9),
    text=FeatureText(
        network="wav2vec 2.0 large robust of 12 layers, pooled over {window_s} s of sound; its "
        "regression of arousal, dominance and valence",
        input="sound, 16 kHz mono, zero mean and unit variance over each window",
        row="a window of window_s, every hop_s",
        address="https://huggingface.co/audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim",
        trained_on="MSP-Podcast",
        licence="CC BY-NC-SA 4.0",
        citation="Wagner et al., Dawn of the Transformer Era in Speech Emotion Recognition, "
        "TPAMI 2023",
        note="A transformers folder, config.json, model.safetensors and preprocessor_config.json, "
        "with the regression head.",
        published="wav2vec2-msp-dim",
    ),
)


class Options(NetworkOptions):
    """Options of the feature ``msp_dim``."""

    weights: WeightChoice = weights_field("published:wav2vec2-msp-dim")
    window_s: float = Field(
        4.0,
        ge=0.5,
        le=60,
        description="seconds of sound that a value is pooled over (our choice; the network was "
        "trained on utterances)",
    )
    hop_s: float = Field(
        1.0, ge=0.02, le=60, description="seconds between the starts of windows (our choice)"
    )

    @property
    def relative_cost(self) -> float:
        """By the seconds of sound that all windows together hold, four times the film's."""
        return self.window_s / self.hop_s / 4

    @property
    def relative_rows(self) -> float:
        """A row a window."""
        return 1 / self.hop_s
