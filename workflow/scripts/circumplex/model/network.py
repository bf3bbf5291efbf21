"""The network: fusion of features, temporal encoder, regressor (section 3.2 to 3.4, eq. 1-4)."""

from importlib import import_module
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from circumplex.config.encoders.base import EncoderOptions, Fusion, Initialisation
from circumplex.errors import RequestError
from circumplex.model import encoders
from circumplex.model.cpu.dropout import Dropout
from circumplex.model.encoders.base import State, TemporalEncoder
from circumplex.model.fusion import Concatenation, CrossModalAttention
from circumplex.targets import Target


class Network(nn.Module):
    """Fusion, temporal encoder, regressor.

    Args:
        options: architecture, with the encoder that they name.
        dimension: values per frame of all features side by side.
        flags: number of further inputs after them, 1 where a feature is absent, else 0.
        visual: dimension and number of the visual features, which come first; only cross-modal
            attention reads it.

    Raises:
        RequestError: there is no feature, or cross-modal attention lacks a modality.
    """

    def __init__(
        self,
        options: EncoderOptions,
        dimension: int,
        flags: int = 0,
        visual: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__()
        if dimension < 1:
            raise RequestError("a model needs at least one feature, visual or audio")
        self._dimension = dimension
        first = (
            CrossModalAttention(visual, (dimension, flags), options.hidden, options.heads)
            if options.fusion is Fusion.CROSS_ATTENTION
            else Concatenation(dimension, options.hidden)
        )
        fusion: list[nn.Module] = [first]
        if options.fusion_relu:
            fusion.append(nn.ReLU())
        if options.fusion_dropout:
            fusion.append(Dropout(options.fusion_dropout))
        self.fusion = nn.Sequential(*fusion)
        self.encoder = build_encoder(options)
        layers: list[nn.Module] = []
        widths = (options.hidden, *options.regressor)
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU(), Dropout(options.dropout)]
        self.regressor = nn.Sequential(*layers, nn.Linear(widths[-1], len(Target)))
        if options.initialisation is Initialisation.NORMAL:
            self.apply(_initialise_normal)
        # Columns of the fusion layer for the flags. They are zeros and are created last: where
        # nothing is absent the network is bit for bit the one without flags, and a model that met
        # no absent feature in training takes an absent one for zeros.
        self.absence = nn.Parameter(torch.zeros(options.hidden, flags)) if flags else None

    def forward(
        self, features: Tensor, padding: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State | None]:
        """Predict valence and arousal of segments.

        Args:
            features: (rows, frames, dimension + flags).
            padding: (rows, frames) true after a segment's end; none where nothing is padded.
            state: the state after the segment before, with the same rows; none at a video's start.

        Returns:
            (rows, frames, 2) valence and arousal, not clipped; and the state to carry on, if any.
        """
        # Contiguous: the product's last bits depend on the layout in memory.
        values, absent = features[..., : self._dimension], features[..., self._dimension :]
        fused = self.fusion[0](values.contiguous(), padding, absent)
        if self.absence is not None:
            fused = fused + functional.linear(absent, self.absence)
        hidden, carried = self.encoder(self.fusion[1:](fused), padding, state)
        return self.regressor(hidden), carried

    @torch.no_grad()
    def silence(self, column: int) -> None:
        """Have a target predicted as 0, which nothing trains: 0 valence, 1 arousal."""
        last = self.regressor[-1]
        assert isinstance(last, nn.Linear)
        last.weight[column] = 0
        last.bias[column] = 0

    def clip_groups(self) -> list[list[nn.Parameter]]:
        """List the parameters whose gradients are clipped together.

        Each group is one of the published code's sub-networks.
        """
        fusion, encoder = list(self.fusion.parameters()), list(self.encoder.parameters())
        regressor = list(self.regressor.parameters())
        groups = [fusion + encoder] if self.encoder.clipped_with_fusion else [fusion, encoder]
        flags = [] if self.absence is None else [[self.absence]]
        return [*groups, regressor, *flags]


def build_encoder(options: EncoderOptions) -> TemporalEncoder:
    """Build the encoder whose options these are, from the module of its name.

    Imported by name, so that a model depends on the code of its own encoder alone.
    """
    module = import_module(f"{encoders.__name__}.{options.name}")
    encoder: TemporalEncoder = module.Encoder(options)
    return encoder


def carry(state: State | None, rows: int) -> State | None:
    """Take the state of the first ``rows`` rows to the next segment, detached from the graph."""
    if state is None:
        return None
    return tuple(tensor[:, :rows].detach().contiguous() for tensor in state)


def _initialise_normal(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
