"""What the options of the features have in common.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from circumplex.config.modalities import Modality
from circumplex.config.precision import Precision
from circumplex.config.section import Lax, Section, Text
from circumplex.config.weights import check_choice

WeightChoice = Annotated[Text, AfterValidator(check_choice)]
"""A file or folder, ``published:<name>``, ``trained:<recipe>``, or ``random:<seed>``."""
BATCH_SIZE = "fixed, so that a frame has the same bits in any batch"


def weights_field(default: Any = ...) -> Any:
    """The option that names a network's weights, with the network's own default."""
    return Field(
        default,
        description="of the network: a file or folder; published:<name> of the package's "
        "config/weights.yaml, which `snakemake weights` fetches; trained:<recipe> of "
        "backbones.recipes; or random:<seed>, random weights that every output names",
    )


class FeatureOptions(Section):
    """Options of any feature that this package can extract."""

    source: Text | None = Field(
        None,
        alias="import",
        description="take the feature over from files instead of extracting it: a folder of "
        "<sample>.npy, .csv or .parquet, a Parquet or HDF5 file of all samples, or the data folder "
        "of the published training code",
    )
    dimension: int | None = Field(
        None, ge=1, le=1_000_000, description="values per frame of an imported feature"
    )

    @property
    def relative_cost(self) -> float:
        """CPU seconds of the network, relative to those that the feature's ``need`` states."""
        return 1.0

    @property
    def relative_rows(self) -> float:
        """Rows per second, relative to those that the feature's ``need`` was measured with."""
        return 1.0


class ImportedFeature(Section):
    """A feature of the user's own, which is always imported."""

    source: Text = Field(
        alias="import",
        description="a folder of <sample>.npy, .csv or .parquet, a Parquet or HDF5 file of all "
        "samples, or the data folder of the published training code",
    )
    modality: Lax[Modality] = Field(description="what it was computed from")
    dimension: int = Field(ge=1, le=1_000_000, description="values per frame")


class NetworkOptions(FeatureOptions):
    """Options of a feature that a network computes."""

    weights: WeightChoice = weights_field()
    precision: Lax[Precision] = Field(
        Precision.FLOAT32, description="arithmetic of the network's products"
    )


class BatchedOptions(NetworkOptions):
    """Options of a network that computes batches of one shape."""

    batch_size: int = Field(32, ge=1, le=4096, description=f"crops per batch; {BATCH_SIZE}")
    compile: bool = Field(False, description="compile the network; needs a C++ compiler")


class ImageOptions(BatchedOptions):
    """Options of a network of images whose layout in memory can be chosen."""

    channels_last: bool = Field(
        True, description="memory layout of images: pixel by pixel, faster on most machines"
    )
