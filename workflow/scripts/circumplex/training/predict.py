"""Prediction of every frame of a sample from its segments (section 3.3 and 3.5)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from circumplex.config.encoders.base import EncoderOptions
from circumplex.config.encoders.registry import read_stored_encoder
from circumplex.config.modalities import MissingModality
from circumplex.errors import RequestError
from circumplex.features.pack_reader import PackReader
from circumplex.io.devices import send
from circumplex.model.checkpoints import TrainedModel
from circumplex.model.encoders.base import State
from circumplex.model.network import Network, carry
from circumplex.targets import Target
from circumplex.training.dataset import SegmentLoader
from circumplex.training.segments import (
    OverlapAverage,
    Segment,
    Step,
    cut_segments,
    steps_in_step,
    steps_of_segments,
)

MAX_ROWS = 16
"""Segments in one pass of the network, so that memory does not grow with the video."""


def padding_mask(lengths: NDArray[np.int64], device: torch.device) -> Tensor | None:
    """Compute the mask of padding: (rows, frames) true after each row's end.

    None where all rows are equally long.
    """
    longest = int(lengths.max())
    if (lengths == longest).all():
        return None
    return send(np.arange(longest) >= lengths[:, None], device)


def predict_samples(
    networks: Sequence[Network],
    options: EncoderOptions,
    loader: SegmentLoader,
    samples: Iterable[str],
    device: torch.device,
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Predict with several networks of one architecture; each feature is read once.

    An encoder that carries a state reads up to `MAX_ROWS` videos side by side, from start to end;
    another reads overlapping segments, `MAX_ROWS` at a time, and predictions of a frame are
    averaged. The last bits depend on what shares a batch: predict a sample alone for a result that
    depends on it alone.

    Args:
        networks: the networks; they are set to evaluation mode.
        options: their architecture.
        loader: loads features.
        samples: names of the samples.
        device: device of the networks.

    Yields:
        sample (in any order) and (frames, networks, 2), not clipped.
    """
    for network in networks:
        network.eval()
    names = list(samples)
    frames = {sample: loader.frames(sample) for sample in names}
    open_samples: dict[str, OverlapAverage] = {}
    steps = _steps(options, names, frames)
    for segment, values in _run(networks, loader, steps, device):
        sample = segment.sample
        if sample not in open_samples:
            open_samples[sample] = OverlapAverage(frames[sample], len(networks), len(Target))
        open_samples[sample].add(segment.start, values)
        if segment.start + options.stride >= frames[sample]:
            yield sample, open_samples.pop(sample).mean()


def _steps(
    options: EncoderOptions, samples: list[str], frames: Mapping[str, int]
) -> Iterator[Step]:
    if not options.carries:
        segments = cut_segments(samples, frames, options.segment_length, options.stride)
        return steps_of_segments(segments, MAX_ROWS)
    rows = sorted(samples, key=lambda sample: frames[sample])
    batches = [rows[i : i + MAX_ROWS] for i in range(0, len(rows), MAX_ROWS)]
    return steps_in_step(batches, frames, options.segment_length)


@torch.inference_mode()
def _run(
    networks: Sequence[Network], loader: SegmentLoader, steps: Iterable[Step], device: torch.device
) -> Iterator[tuple[Segment, NDArray[np.float32]]]:
    states: list[State | None] = [None] * len(networks)
    for step in steps:
        batch = loader.load(step.segments)
        features = send(batch.features, device)
        padding = padding_mask(batch.lengths, device)
        outputs = []
        for i, network in enumerate(networks):
            state = carry(states[i], len(step.segments)) if step.carry else None
            output, states[i] = network(features, padding, state)
            outputs.append(output)
        values = torch.stack(outputs, dim=2).cpu().numpy()  # (rows, frames, networks, 2)
        for row, segment in enumerate(step.segments):
            yield segment, values[row, : batch.lengths[row]]


class Predictor:
    """Predicts with a trained model, whose networks are built once.

    Args:
        model: from `checkpoints.load_model`.
        reader: packs of its features.
        device: where to predict; the CPU by default.
        groups: by sample, where the model scales features by group: each group by the frames of
            all samples named here. A sample that is not named is a group of its own.

    Raises:
        RequestError: packs of another dimension than the model was trained on, or weights that do
            not fit its network.
    """

    def __init__(
        self,
        model: TrainedModel,
        reader: PackReader,
        device: torch.device | None = None,
        groups: Mapping[str, str] | None = None,
    ) -> None:
        for feature, dimension in model.dimensions.items():
            if reader.dimension(feature) != dimension:
                raise RequestError(
                    f"the model takes {feature} with {dimension} values per frame, the packs have "
                    f"{reader.dimension(feature)}: use the extractor that it was trained with"
                )
        self._reader, self._features = reader, tuple(model.dimensions)
        self._device = device or torch.device("cpu")
        self._options = read_stored_encoder(model.spec["encoder"])
        scalings = {feature: model.scalings[feature] for feature in model.dimensions}
        self._missing = MissingModality(model.spec["missing_modality"])
        flagged = self._missing is MissingModality.ZEROS_WITH_MASK
        self._loader = SegmentLoader(reader, scalings, groups=groups, flagged=flagged)
        kept = model.epochs()
        visual = model.spec["visual"]
        first = (sum(model.dimensions[feature] for feature in visual), len(visual))
        self._networks = []
        for weights in kept.values():
            network = Network(self._options, self._loader.dimension, self._loader.flags, first)
            network = network.to(self._device)
            try:
                network.load_state_dict(weights)
            except RuntimeError as error:
                raise RequestError(
                    f"the model's weights do not fit its network: {error}"
                ) from error
            self._networks.append(network)
        index = {epoch: i for i, epoch in enumerate(kept)}
        self._members = [[index[epoch] for epoch, _ in model.checkpoints[t]] for t in Target]

    def predicts(self, sample: str) -> bool:
        """Whether the sample has the features that the model asks for, all of them or any."""
        if not self._reader.packed(sample, self._features):
            return False
        leave_out = self._missing is MissingModality.LEAVE_OUT
        return not leave_out or self._reader.complete(sample, self._features)

    def predict(self, sample: str) -> NDArray[np.float32]:
        """Predict a sample: the mean over each target's checkpoints, not clipped.

        Returns:
            (frames, 2) float32 valence and arousal.

        Raises:
            ValueError: a prediction that is not finite.
        """
        ((_, values),) = predict_samples(
            self._networks, self._options, self._loader, [sample], self._device
        )
        columns = [
            values[:, members, column].mean(axis=1, dtype=np.float64)
            for column, members in enumerate(self._members)
        ]
        result = np.stack(columns, axis=1).astype(np.float32)
        if not np.isfinite(result).all():
            frame = int(np.argmin(np.isfinite(result).all(axis=1)))
            raise ValueError(f"{sample}: the prediction of frame {frame} is not finite")
        return result
