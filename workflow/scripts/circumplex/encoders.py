"""The network: fusion of features, temporal encoder, regressor (section 3.2 to 3.4, eq. 1-4)."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from circumplex.cpu_dropout import Dropout, EncoderLayer
from circumplex.cpu_lstm import bfloat16_lstm
from circumplex.encoder_spec import EncoderKind, EncoderSpec, Fusion, Initialisation, Positions
from circumplex.errors import RequestError
from circumplex.fusion import Concatenation, CrossModalAttention
from circumplex.metrics import Target

State = tuple[Tensor, ...]
"""What an encoder carries from a segment to the next one: tensors (layers, rows, hidden)."""


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


class GruEncoder(TemporalEncoder):
    """Gated recurrent unit (Cho et al., 2014) in the LSTM's place; not the paper's."""

    stateful = True
    clipped_with_fusion = False

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__()
        self.gru = nn.GRU(spec.hidden, spec.hidden, spec.layers, batch_first=True)

    def forward(
        self,
        fused: Tensor,
        padding: Tensor | None,  # noqa: ARG002 - part of the interface
        state: State | None,
    ) -> tuple[Tensor, State | None]:
        """See `TemporalEncoder.forward`; the state is (h,)."""
        hidden, carried = self.gru(fused, None if state is None else state[0])
        return hidden, (carried,)


class BiLstmEncoder(TemporalEncoder):
    """LSTM over a segment in both directions (Graves and Schmidhuber, 2005); not the paper's.

    No state is carried: the backward direction has not seen the next segment. Each direction has
    half of the hidden width.
    """

    stateful = False
    clipped_with_fusion = False

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__()
        self.lstm = nn.LSTM(
            spec.hidden, spec.hidden // 2, spec.layers, batch_first=True, bidirectional=True
        )

    def forward(
        self,
        fused: Tensor,
        padding: Tensor | None,
        state: State | None,  # noqa: ARG002 - part of the interface
    ) -> tuple[Tensor, State | None]:
        """See `TemporalEncoder.forward`; there is no state."""
        if padding is None:
            return self.lstm(fused)[0], None
        # Packed, so that the backward direction starts at a row's last frame, not at its padding.
        lengths = (~padding).sum(dim=1).cpu()
        packed = pack_padded_sequence(fused, lengths, batch_first=True, enforce_sorted=False)
        hidden, _ = self.lstm(packed)
        whole, _ = pad_packed_sequence(hidden, batch_first=True, total_length=fused.shape[1])
        return whole, None


class TcnEncoder(TemporalEncoder):
    """Temporal convolutions (Bai et al., 2018) over a segment; not the paper's.

    Block i has two convolutions of dilation 2^i, each with a ReLU and dropout, and a residual
    connection. They are centred, not causal, since whole videos are at hand, and have no weight
    normalisation. A frame sees ``receptive_field`` frames, itself in the middle.

    Attributes:
        receptive_field: frames.
    """

    stateful = False
    clipped_with_fusion = False

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__()
        dilations = [2**block for block in range(spec.layers)]
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                nn.Conv1d(
                    spec.hidden, spec.hidden, spec.kernel_size, padding="same", dilation=dilation
                )
                for _ in range(2)
            )
            for dilation in dilations
        )
        self.dropout = nn.Dropout(spec.encoder_dropout)
        self.receptive_field = 1 + 2 * (spec.kernel_size - 1) * sum(dilations)

    def forward(
        self,
        fused: Tensor,
        padding: Tensor | None,
        state: State | None,  # noqa: ARG002 - part of the interface
    ) -> tuple[Tensor, State | None]:
        """See `TemporalEncoder.forward`; there is no state."""
        # Padding is zero before every convolution, as beyond the ends of an unpadded segment.
        kept = None if padding is None else ~padding[:, None]
        hidden = fused.transpose(1, 2)  # (rows, hidden, frames)
        for block in self.blocks:
            inner = hidden
            for convolution in block.children():
                inner = inner if kept is None else inner * kept
                inner = self.dropout(functional.relu(convolution(inner)))
            hidden = functional.relu(hidden + inner)
        return hidden.transpose(1, 2), None


class TransformerLstmEncoder(TemporalEncoder):
    """The authors' published Transformer, then LSTM: not in the paper.

    The Transformer sees a segment, the LSTM after it carries its state over the video. With
    ``residual`` the fused frames skip the Transformer.
    """

    stateful = True
    clipped_with_fusion = False

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__()
        self.transformer = TransformerEncoder(spec)
        self.lstm = nn.LSTM(spec.hidden, spec.hidden, batch_first=True)
        self.residual = spec.residual

    def forward(
        self, fused: Tensor, padding: Tensor | None, state: State | None
    ) -> tuple[Tensor, State | None]:
        """See `TemporalEncoder.forward`; the state is (h, c)."""
        attended, _ = self.transformer(fused, padding, None)
        hidden, carried = self.lstm(fused + attended if self.residual else attended, state)
        return hidden, carried


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
        visual: dimension and number of the visual features, which come first; only cross-modal
            attention asks.
    """

    def __init__(
        self, spec: EncoderSpec, dimension: int, flags: int = 0, visual: tuple[int, int] = (0, 0)
    ) -> None:
        super().__init__()
        if dimension < 1:
            raise RequestError("a model needs at least one feature, visual or audio")
        self._dimension = dimension
        first = (
            CrossModalAttention(visual, (dimension, flags), spec.hidden, spec.heads)
            if spec.fusion is Fusion.CROSS_ATTENTION
            else Concatenation(dimension, spec.hidden)
        )
        fusion: list[nn.Module] = [first]
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
        values, absent = features[..., : self._dimension], features[..., self._dimension :]
        fused = self.fusion[0](values.contiguous(), padding, absent)
        if self.absence is not None:
            fused = fused + functional.linear(absent, self.absence)
        hidden, carried = self.encoder(self.fusion[1:](fused), padding, state)
        return self.regressor(hidden), carried

    def clip_groups(self) -> list[list[nn.Parameter]]:
        """Parameters whose gradients are clipped together: the published code's sub-networks."""
        fusion, encoder = list(self.fusion.parameters()), list(self.encoder.parameters())
        regressor = list(self.regressor.parameters())
        groups = [fusion + encoder] if self.encoder.clipped_with_fusion else [fusion, encoder]
        flags = [] if self.absence is None else [[self.absence]]
        return [*groups, regressor, *flags]


_ENCODERS: dict[EncoderKind, Callable[[EncoderSpec], TemporalEncoder]] = {
    EncoderKind.LSTM: LstmEncoder,
    EncoderKind.TRANSFORMER: TransformerEncoder,
    EncoderKind.TRANSFORMER_LSTM: TransformerLstmEncoder,
    EncoderKind.GRU: GruEncoder,
    EncoderKind.BILSTM: BiLstmEncoder,
    EncoderKind.TCN: TcnEncoder,
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
