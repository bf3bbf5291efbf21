"""The LSTM, the paper's recurrent encoder (eq. 2)."""

import torch
from torch import Tensor, nn

from circumplex.config.encoders.lstm import Options
from circumplex.io.devices import is_cpu
from circumplex.model.cpu.lstm import bfloat16_lstm
from circumplex.model.encoders.base import State, TemporalEncoder


class Encoder(TemporalEncoder):
    """LSTM whose last hidden state enters the next segment of the video (eq. 2).

    Padding comes after a row's last frame, where nothing reads it, so no mask is needed.
    """

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.lstm = nn.LSTM(options.hidden, options.hidden, options.layers, batch_first=True)

    def forward(
        self,
        fused: Tensor,
        padding: Tensor | None,  # noqa: ARG002 - part of the interface
        state: State | None,
    ) -> tuple[Tensor, State | None]:
        """See `TemporalEncoder.forward`; the state is (h, c)."""
        if torch.is_grad_enabled() and torch.is_autocast_enabled("cpu") and is_cpu(fused.device):
            return bfloat16_lstm(self.lstm, fused, state)
        hidden, carried = self.lstm(fused, state)
        return hidden, carried
