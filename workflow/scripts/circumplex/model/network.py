"""The network: fusion of features, temporal encoder, regressor (section 3.2 to 3.4, eq. 1-4)."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from circumplex.config.encoders import EncoderKind, EncoderSpec, Fusion, Initialisation
from circumplex.errors import RequestError
from circumplex.model.cpu.dropout import Dropout
from circumplex.model.encoders.base import State, TemporalEncoder
from circumplex.model.encoders.bilstm import BiLstmEncoder
from circumplex.model.encoders.gru import GruEncoder
from circumplex.model.encoders.lstm import LstmEncoder
from circumplex.model.encoders.tcn import TcnEncoder
from circumplex.model.encoders.transformer import TransformerEncoder
from circumplex.model.encoders.transformer_lstm import TransformerLstmEncoder
from circumplex.model.fusion import Concatenation, CrossModalAttention
from circumplex.targets import Target


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
