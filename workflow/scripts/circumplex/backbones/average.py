"""The exponential moving average of a model's weights.

PyTorch's `AveragedModel` copies the statistics of norms, or averages integers as well; here all
floating-point values are averaged and all others copied.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class WeightAverage:
    """An exponential moving average of weights and of the statistics of norms.

    Args:
        decay: decay of the average; none to compute no average.
        start: the weights before the first step, by name.

    Attributes:
        weights: the average, by name.
    """

    def __init__(self, decay: float | None, start: Mapping[str, Tensor]) -> None:
        self._decay = decay
        self.weights = dict(start)

    @property
    def is_on(self) -> bool:
        """Whether an average is computed."""
        return self._decay is not None

    def update(self, model: nn.Module, steps: int) -> None:
        """Move the average by one step.

        Args:
            model: model after the step.
            steps: number of steps so far, this one too.
        """
        if self._decay is None:
            return
        # After few steps the first weights, which are random, must not weigh much.
        decay = min(self._decay, (1 + steps) / (10 + steps))
        with torch.no_grad():
            for name, value in model.state_dict().items():
                if value.is_floating_point():
                    self.weights[name].lerp_(value, 1 - decay)
                else:
                    self.weights[name].copy_(value)
