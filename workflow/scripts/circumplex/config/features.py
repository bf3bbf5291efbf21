"""The features by name: what the workflow must know of an extractor without importing it."""

from collections.abc import Mapping
from dataclasses import dataclass

from circumplex.config.modalities import Framing, Modality


@dataclass(frozen=True)
class Feature:
    """A feature a frame.

    Attributes:
        name: also the name of the rule, script and extractor module, and of the column.
        modality: what it is computed from.
        dimension: values a frame; none where the config declares it, since it is the network's
            that a user chose.
        framing: how rows at an audio extractor's own rate become frames; none for visual features.
        imported: taken over from the user's files, one row a frame, instead of extracted.
    """

    name: str
    modality: Modality
    dimension: int | None
    framing: Framing | None = None
    imported: bool = False

    @property
    def environment(self) -> str:
        return "light" if self.name in ("egemaps", "compare") else "torch"

    @property
    def deep(self) -> bool:
        return self.environment == "torch" and self.name != "mfcc"

    @property
    def weight_keys(self) -> tuple[str, ...]:
        if not self.deep:
            return ()
        return ("weights", "pca") if self.name == "vggish" else ("weights",)

    @property
    def stage(self) -> str:
        """Name of the stage that makes it."""
        return f"{'import' if self.imported else 'extract'}_{self.name}"


FEATURES: Mapping[str, Feature] = {
    feature.name: feature
    for feature in (
        Feature("densenet", Modality.VISUAL, 342),
        Feature("iresnet", Modality.VISUAL, 512),
        Feature("fau", Modality.VISUAL, 512),
        Feature("timm", Modality.VISUAL, None),
        Feature("vit", Modality.VISUAL, None),
        Feature("egemaps", Modality.AUDIO, 23, Framing.MEAN),
        Feature("compare", Modality.AUDIO, 130, Framing.MEAN),
        Feature("vggish", Modality.AUDIO, 128, Framing.NEAREST),
        Feature("wav2vec2", Modality.AUDIO, 768, Framing.MEAN),
        Feature("speech", Modality.AUDIO, None, Framing.MEAN),
        Feature("mfcc", Modality.AUDIO, None, Framing.MEAN),
    )
}
"""The paper's seven (section 3.2), those of fixed dimension; the letters of its tables are D, I, F,
E, C, V, W. The others run any network of a kind."""
