"""A bidirectional LSTM over a segment; not in the paper."""

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from circumplex.config.encoders.bilstm import Options
from circumplex.model.encoders.base import State, TemporalEncoder


class Encoder(TemporalEncoder):
    """LSTM over a segment in both directions (Graves and Schmidhuber, 2005); not in the paper.

    No state is carried: the backward direction has not seen the next segment. Each direction has
    half of the hidden width.
    """

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.lstm = nn.LSTM(
            options.hidden,
            options.hidden // 2,
            options.layers,
            batch_first=True,
            bidirectional=True,
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
