"""The network: fusion of features, temporal encoder, regressor (section 3.2 to 3.4, eq. 1-4)."""

import torch
from torch import Tensor, nn

from circumplex.config.encoders import EncoderSpec
from circumplex.model.cpu.lstm import bfloat16_lstm
from circumplex.model.encoders.base import State, TemporalEncoder


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
