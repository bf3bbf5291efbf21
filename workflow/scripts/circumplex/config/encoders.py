"""A network's architecture as configuration (section 3.2 to 3.4).

Imported while the workflow is parsed: standard library only.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, TypeVar

from circumplex.errors import RequestError


class EncoderKind(StrEnum):
    """Temporal encoders. The paper has `LSTM` and `TRANSFORMER`; see `encoders` for the rest."""

    LSTM = "lstm"
    TRANSFORMER = "transformer"
    TRANSFORMER_LSTM = "transformer_lstm"
    GRU = "gru"
    BILSTM = "bilstm"
    TCN = "tcn"

    @property
    def carries(self) -> bool:
        """Whether a state is carried from segment to segment, so that videos go in order."""
        return self in (EncoderKind.LSTM, EncoderKind.GRU, EncoderKind.TRANSFORMER_LSTM)

    @property
    def attends(self) -> bool:
        """Whether it has attention heads."""
        return self in (EncoderKind.TRANSFORMER, EncoderKind.TRANSFORMER_LSTM)


class Positions(StrEnum):
    """Positional encoding of a Transformer."""

    NONE = "none"
    SINUSOIDAL = "sinusoidal"


class Initialisation(StrEnum):
    """Initial weights: PyTorch's, or the published code's normal(0, 0.02) in linear layers."""

    PYTORCH = "pytorch"
    NORMAL = "normal"


class Fusion(StrEnum):
    """How features become one vector a frame.

    `CONCATENATE`: one linear layer on all of them (eq. 1). `CROSS_ATTENTION`: visual and audio
    features each attend to the other's frames of the segment (ours; see `fusion`).
    """

    CONCATENATE = "concatenate"
    CROSS_ATTENTION = "cross_attention"


@dataclass(frozen=True)
class EncoderSpec:
    """A network's architecture. Defaults are the paper's; see `encoder_spec` for those by kind.

    Attributes:
        kind: temporal encoder.
        segment_length: l, frames.
        stride: p, frames.
        fusion: of the features.
        hidden: width of fusion and encoder.
        layers: of the encoder.
        heads: of attention, in a Transformer and in cross-modal fusion.
        feed_forward: width of a Transformer's inner layers.
        kernel_size: frames of a temporal convolution; odd.
        residual: the fused frames are added to what a Transformer hands to its LSTM.
        regressor: widths of the fully connected layers before the two outputs.
        dropout: after each of the regressor's layers.
        encoder_dropout: within a Transformer's layers, or after each temporal convolution.
        fusion_dropout: after fusion.
        fusion_relu: a ReLU after fusion.
        positions: positional encoding.
        mask_padding: attention leaves out the frames after a segment's end.
        initialisation: of the weights.
    """

    kind: EncoderKind
    segment_length: int
    stride: int
    fusion: Fusion = Fusion.CONCATENATE
    hidden: int = 512
    layers: int = 1
    heads: int = 4
    feed_forward: int = 1024
    kernel_size: int = 3
    residual: bool = True
    regressor: tuple[int, ...] = (512, 256)
    dropout: float = 0.3
    encoder_dropout: float = 0.3
    fusion_dropout: float = 0.0
    fusion_relu: bool = False
    positions: Positions = Positions.NONE
    mask_padding: bool = True
    initialisation: Initialisation = Initialisation.PYTORCH

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= self.segment_length:
            raise RequestError(
                f"segment length {self.segment_length} with stride {self.stride}: "
                f"the stride must lie in 1...{self.segment_length}"
            )
        if self.kind.carries and self.stride != self.segment_length:
            raise RequestError(
                f"{self.kind} carries its state from a segment to the next: "
                f"set stride {self.stride} to the segment length {self.segment_length}"
            )
        attention = self.kind.attends or self.fusion is Fusion.CROSS_ATTENTION
        if attention and self.hidden % self.heads:
            raise RequestError(f"hidden {self.hidden} is not a multiple of heads {self.heads}")
        if self.kind is EncoderKind.BILSTM and self.hidden % 2:
            raise RequestError(f"hidden {self.hidden} is odd: each direction has half of it")
        if self.kind is EncoderKind.TCN and self.kernel_size % 2 == 0:
            raise RequestError(f"kernel_size {self.kernel_size} is even: it has no centre")
        if not self.regressor:
            raise RequestError("the regressor needs at least one layer")


def encoder_spec(values: Mapping[str, Any]) -> EncoderSpec:
    """Spec from a config mapping with ``kind``; what it leaves out has the paper's value.

    Raises:
        RequestError: unknown key or value, or a senseless combination.
    """
    published: dict[EncoderKind, dict[str, Any]] = {
        EncoderKind.LSTM: {"segment_length": 100, "stride": 100, "layers": 1},
        EncoderKind.TRANSFORMER: {"segment_length": 250, "stride": 250, "layers": 4},
        # Not the paper's: as its next of kin, and a TCN as wide as a Transformer's segment.
        EncoderKind.TRANSFORMER_LSTM: {"segment_length": 100, "stride": 100, "layers": 4},
        EncoderKind.GRU: {"segment_length": 100, "stride": 100, "layers": 1},
        EncoderKind.BILSTM: {"segment_length": 250, "stride": 250, "layers": 1},
        EncoderKind.TCN: {"segment_length": 250, "stride": 250, "layers": 6},
    }
    kind = read_enum(EncoderKind, values.get("kind"), "encoder kind")
    merged: dict[str, Any] = {**published[kind], **values, "kind": kind}
    known = [field.name for field in fields(EncoderSpec)]
    unknown = [key for key in merged if key not in known]
    if unknown:
        raise RequestError(f"encoder: unknown {', '.join(unknown)}; known: {', '.join(known)}")
    enums = {"fusion": Fusion, "positions": Positions, "initialisation": Initialisation}
    for key, enum in enums.items():
        if key in merged:
            merged[key] = read_enum(enum, merged[key], key)
    if "regressor" in merged:
        merged["regressor"] = tuple(merged["regressor"])
    return EncoderSpec(**merged)


_Member = TypeVar("_Member", bound=StrEnum)


def read_enum(enum: type[_Member], value: Any, name: str) -> _Member:
    """A member by its value.

    Raises:
        RequestError: no such member.
    """
    known = [member.value for member in enum]
    if value not in known:
        raise RequestError(f"{name} is {value!r}, but must be one of {', '.join(known)}")
    return enum(value)


def spec_values(spec: Any) -> dict[str, Any]:
    """A spec as plain values, fit for JSON and for its reader again."""
    plain: dict[str, Any] = {}
    for key, value in asdict(spec).items():
        if isinstance(value, StrEnum):
            plain[key] = value.value
        else:
            plain[key] = list(value) if isinstance(value, tuple) else value
    return plain
