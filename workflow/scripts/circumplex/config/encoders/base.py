"""What the options of all temporal encoders have in common (section 3.2 to 3.4 of the paper).

Imported while the workflow is parsed: standard library and pydantic only.
"""

from enum import StrEnum
from itertools import pairwise
from typing import Annotated, ClassVar

from pydantic import Field

from circumplex.config.section import Lax, Section
from circumplex.errors import RequestError

Share = Annotated[float, Field(ge=0, le=0.999999)]
Width = Annotated[int, Field(ge=1, le=65_536)]
Widths = Lax[Annotated[tuple[Width, ...], Field(min_length=1)]]
Frames = Annotated[int, Field(ge=1, le=100_000)]
Rate = Annotated[float, Field(ge=1e-12, le=100)]


class Fusion(StrEnum):
    """How the features of a frame become one vector.

    `CONCATENATE`: one linear layer on all of them (eq. 1). `CROSS_ATTENTION`: visual and audio
    features each attend to the other's frames of the segment (our choice; see
    `circumplex.model.fusion`).
    """

    CONCATENATE = "concatenate"
    CROSS_ATTENTION = "cross_attention"


class Initialisation(StrEnum):
    """Initial weights: PyTorch's, or the published code's normal(0, 0.02) in linear layers."""

    PYTORCH = "pytorch"
    NORMAL = "normal"


class EncoderOptions(Section):
    """Architecture of a model with one temporal encoder, and the encoder's learning rate.

    The class of each encoder is called ``Options`` and is defined in the module of the encoder's
    name. The defaults here are the paper's for its LSTM; an encoder states its own where they
    differ, and the options that it alone has.

    Attributes:
        carries: whether a state is carried from segment to segment, so that the segments of a
            video are read in order.
        causal: whether it reads the frames before a frame and the frame itself alone.
    """

    carries: ClassVar[bool]
    causal: ClassVar[bool] = False

    segment_length: Frames = Field(100, description="frames per segment")
    stride: Frames = Field(100, description="frames between the starts of segments")
    fusion: Lax[Fusion] = Field(
        Fusion.CONCATENATE, description="how the features of a frame become one vector"
    )
    hidden: Width = Field(512, description="width of fusion and encoder")
    layers: int = Field(1, ge=1, le=1000, description="layers of the encoder")
    heads: int = Field(
        4, ge=1, le=1000, description="attention heads, of a Transformer and of cross_attention"
    )
    regressor: Widths = Field(
        (512, 256), description="widths of the fully connected layers before the two outputs"
    )
    dropout: Share = Field(0.3, description="after each layer of the regressor")
    fusion_dropout: Share = Field(0.0, description="after fusion")
    fusion_relu: bool = Field(False, description="a ReLU after fusion")
    initialisation: Lax[Initialisation] = Field(
        Initialisation.PYTORCH, description="of the weights"
    )
    learning_rate: Rate = Field(3e-4, description="of Adam, unless training sets one")

    @property
    def name(self) -> str:
        """Name of the encoder: that of its module."""
        return type(self).__module__.rpartition(".")[2]

    def weights(self, width: int) -> int:
        """Numbers in a model's weights, about: biases and norms are left out.

        Args:
            width: values per frame of all its features.
        """
        widths = (self.hidden, *self.regressor, 2)
        outer = width * self.hidden + sum(a * b for a, b in pairwise(widths))
        return outer + self.layers * self.layer_weights

    @property
    def layer_weights(self) -> int:
        """Of a layer of the encoder: an LSTM's four gates, unless the encoder states its own."""
        return 8 * self.hidden**2

    def check(self) -> None:
        """Check that the options of a whole model go together.

        A section of the config holds only some of them, and is not checked by this.

        Raises:
            RequestError: naming the options that do not.
        """
        if self.stride > self.segment_length:
            raise RequestError(
                f"segment length {self.segment_length} with stride {self.stride}: "
                f"the stride must lie in 1...{self.segment_length}"
            )
        if self.carries and self.stride != self.segment_length:
            raise RequestError(
                f"{self.name} carries its state from a segment to the next: "
                f"set stride {self.stride} to the segment length {self.segment_length}"
            )
        if self.fusion is Fusion.CROSS_ATTENTION:
            self.check_heads()

    def check_heads(self) -> None:
        """Check that the width can be divided among the attention heads.

        Raises:
            RequestError: it cannot.
        """
        if self.hidden % self.heads:
            raise RequestError(f"hidden {self.hidden} is not a multiple of heads {self.heads}")
