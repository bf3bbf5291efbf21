"""A temporal convolutional network over a segment; not in the paper."""

from torch import Tensor, nn
from torch.nn import functional

from circumplex.config.encoders.tcn import Options
from circumplex.model.encoders.base import State, TemporalEncoder


class Encoder(TemporalEncoder):
    """Temporal convolutions (Bai et al., 2018) over a segment; not in the paper.

    Block i has two convolutions of dilation 2^i, each with a ReLU and dropout, and a residual
    connection. They are centred, not causal, since whole videos are available, and have no weight
    normalisation. A frame sees ``receptive_field`` frames, itself in the middle.

    Attributes:
        receptive_field: number of frames that a frame sees.
    """

    def __init__(self, options: Options) -> None:
        super().__init__()
        dilations = [2**block for block in range(options.layers)]
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                nn.Conv1d(
                    options.hidden,
                    options.hidden,
                    options.kernel_size,
                    padding="same",
                    dilation=dilation,
                )
                for _ in range(2)
            )
            for dilation in dilations
        )
        self.dropout = nn.Dropout(options.encoder_dropout)
        self.receptive_field = 1 + 2 * (options.kernel_size - 1) * sum(dilations)

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
