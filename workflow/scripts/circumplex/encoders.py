"""The network: fusion of features, temporal encoder, regressor (section 3.2 to 3.4, eq. 1-4)."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from itertools import pairwise
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from circumplex.cpu_dropout import Dropout, EncoderLayer
from circumplex.cpu_lstm import bfloat16_lstm
from circumplex.errors import RequestError
from circumplex.metrics import Target

State = tuple[Tensor, ...]
"""What an encoder carries from a segment to the next one: tensors (layers, rows, hidden)."""


class EncoderKind(StrEnum):
    """Temporal encoders."""

    LSTM = "lstm"
    TRANSFORMER = "transformer"


class Positions(StrEnum):
    """Positional encoding of the Transformer."""

    NONE = "none"
    SINUSOIDAL = "sinusoidal"


class Initialisation(StrEnum):
    """Initial weights: PyTorch's, or the published code's normal(0, 0.02) in linear layers."""

    PYTORCH = "pytorch"
    NORMAL = "normal"


class Fusion(StrEnum):
    """How features become one vector a frame: `CONCATENATE` and one linear layer (eq. 1)."""

    CONCATENATE = "concatenate"


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
        heads: of the Transformer's attention.
        feed_forward: width of the Transformer's inner layers.
        regressor: widths of the fully connected layers before the two outputs.
        dropout: after each of the regressor's layers.
        encoder_dropout: within the Transformer's layers.
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
        if self.kind is EncoderKind.LSTM and self.stride != self.segment_length:
            raise RequestError(
                "an LSTM carries its state from a segment to the next: "
                f"set stride {self.stride} to the segment length {self.segment_length}"
            )
        if self.kind is EncoderKind.TRANSFORMER and self.hidden % self.heads:
            raise RequestError(f"hidden {self.hidden} is not a multiple of heads {self.heads}")
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


class TemporalEncoder(nn.Module, ABC):
    """From fused frames to hidden frames, over one segment a row.

    Attributes:
        stateful: state is carried from segment to segment, so videos are walked in order.
        clipped_with_fusion: gradients are clipped together with the fusion's, as one of the
            published code's sub-networks.
    """

    stateful: ClassVar[bool]
    clipped_with_fusion: ClassVar[bool]

    @abstractmethod
    def forward(
        self, fused: Tensor, padding: Tensor | None, state: State | None
    ) -> tuple[Tensor, State | None]:
        """Encode.

        Args:
            fused: (rows, frames, hidden).
            padding: (rows, frames) true after a segment's end; none where nothing is padded.
            state: from the segment before, none at a video's start.

        Returns:
            (rows, frames, hidden), and the state to carry on.
        """


class LstmEncoder(TemporalEncoder):
    """LSTM whose last hidden state enters the next segment of the video (eq. 2).

    Padding comes after a row's last frame, where nothing reads it: no mask is needed.
    """

    stateful = True
    clipped_with_fusion = False

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__()
        self.lstm = nn.LSTM(spec.hidden, spec.hidden, spec.layers, batch_first=True)

    def forward(
        self,
        fused: Tensor,
        padding: Tensor | None,  # noqa: ARG002 - part of the interface
        state: State | None,
    ) -> tuple[Tensor, State | None]:
        """See `TemporalEncoder.forward`; the state is (h, c)."""
        if torch.is_grad_enabled() and torch.is_autocast_enabled("cpu") and not fused.is_cuda:
            return bfloat16_lstm(self.lstm, fused, state)
        hidden, carried = self.lstm(fused, state)
        return hidden, carried


class TransformerEncoder(TemporalEncoder):
    """Transformer encoder over the frames of a segment, post-norm (eq. 3)."""

    stateful = False
    clipped_with_fusion = True

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__()
        # One by one: nn.TransformerEncoder copies a layer, and all would start out equal.
        self.layers = nn.ModuleList(
            EncoderLayer(
                spec.hidden,
                spec.heads,
                spec.feed_forward,
                dropout=spec.encoder_dropout,
                batch_first=True,
            )
            for _ in range(spec.layers)
        )
        self.mask_padding = spec.mask_padding
        table = (
            sinusoids(spec.segment_length, spec.hidden)
            if spec.positions is Positions.SINUSOIDAL
            else None
        )
        self.register_buffer("positions", table, persistent=False)
        self.positions: Tensor | None

    def forward(
        self,
        fused: Tensor,
        padding: Tensor | None,
        state: State | None,  # noqa: ARG002 - part of the interface
    ) -> tuple[Tensor, State | None]:
        """See `TemporalEncoder.forward`; there is no state."""
        if self.positions is not None:
            fused = fused + self.positions[: fused.shape[1]]
        mask = padding if self.mask_padding else None
        for layer in self.layers:
            fused = layer(fused, src_key_padding_mask=mask)
        return fused, None


def sinusoids(length: int, dimension: int) -> Tensor:
    """Positional encoding of Vaswani et al. (2017): (length, dimension), sines at even places."""
    position = torch.arange(length, dtype=torch.float64)[:, None]
    even = torch.arange(0, dimension, 2, dtype=torch.float64)
    angle = position * torch.exp(even * (-math.log(10_000.0) / dimension))
    table = torch.zeros(length, dimension, dtype=torch.float64)
    table[:, 0::2] = torch.sin(angle)
    table[:, 1::2] = torch.cos(angle[:, : dimension // 2])
    return table.float()


class Network(nn.Module):
    """Fusion, temporal encoder, regressor.

    Args:
        spec: architecture.
        dimension: of the concatenated features.
        flags: further inputs after them, 1 where a feature is absent, else 0.
    """

    def __init__(self, spec: EncoderSpec, dimension: int, flags: int = 0) -> None:
        super().__init__()
        if dimension < 1:
            raise RequestError("a model needs at least one feature, visual or audio")
        self._dimension = dimension
        fusion: list[nn.Module] = [nn.Linear(dimension, spec.hidden)]
        if spec.fusion_relu:
            fusion.append(nn.ReLU())
        if spec.fusion_dropout:
            fusion.append(Dropout(spec.fusion_dropout))
        self.fusion = nn.Sequential(*fusion)
        self.encoder = _ENCODERS[spec.kind](spec)
        layers: list[nn.Module] = []
        widths = (spec.hidden, *spec.regressor)
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU(), Dropout(spec.dropout)]
        self.regressor = nn.Sequential(*layers, nn.Linear(widths[-1], len(Target)))
        if spec.initialisation is Initialisation.NORMAL:
            self.apply(_initialise_normal)
        # Columns of the fusion layer for the flags. Zeros, made last: where nothing is absent the
        # network is bit for bit the one without flags, and a model that met no absent feature in
        # training takes one for zeros.
        self.absence = nn.Parameter(torch.zeros(spec.hidden, flags)) if flags else None

    def forward(
        self, features: Tensor, padding: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State | None]:
        """Predict.

        Args:
            features: (rows, frames, dimension + flags).
            padding: (rows, frames) true after a segment's end, or none.
            state: from the segment before, for the rows in order.

        Returns:
            (rows, frames, 2) valence and arousal, not clipped; and the state to carry on.
        """
        # Contiguous: the product's last bits depend on the layout in memory.
        fused = self.fusion[0](features[..., : self._dimension].contiguous())
        if self.absence is not None:
            fused = fused + functional.linear(features[..., self._dimension :], self.absence)
        hidden, carried = self.encoder(self.fusion[1:](fused), padding, state)
        return self.regressor(hidden), carried

    def clip_groups(self) -> list[list[nn.Parameter]]:
        """Parameters whose gradients are clipped together: the published code's sub-networks."""
        fusion, encoder = list(self.fusion.parameters()), list(self.encoder.parameters())
        regressor = list(self.regressor.parameters())
        groups = [fusion + encoder] if self.encoder.clipped_with_fusion else [fusion, encoder]
        flags = [] if self.absence is None else [[self.absence]]
        return [*groups, regressor, *flags]


_ENCODERS: dict[EncoderKind, type[LstmEncoder] | type[TransformerEncoder]] = {
    EncoderKind.LSTM: LstmEncoder,
    EncoderKind.TRANSFORMER: TransformerEncoder,
}


def carry(state: State | None, rows: int) -> State | None:
    """The state for the first ``rows`` rows of the next segment, cut off from the graph."""
    if state is None:
        return None
    return tuple(tensor[:, :rows].detach().contiguous() for tensor in state)


def _initialise_normal(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
