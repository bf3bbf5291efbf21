"""Run an ONNX network on batches of images, on the CPU."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from circumplex.errors import RequestError

CHANNELS = 3


class ImageSession:
    """An ONNX network from one batch of images to one or several outputs.

    Args:
        path: ONNX file.
        outputs: names of its outputs; the first alone if empty.
        side: of its square input, in pixels.
        threads: CPU threads.

    Raises:
        RequestError: the file cannot be read, is no network of one batch of colour images of this
            size, or has no such output.
    """

    def __init__(self, path: Path, outputs: Sequence[str], side: int, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors have no base of their own
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise RequestError(f"weights {path} are no ONNX network: {reason}") from error
        known = [output.name for output in self._session.get_outputs()]
        for name in outputs:
            if name not in known:
                raise RequestError(
                    f"weights {path} have no output {name!r}; there are {', '.join(known)}"
                )
        self._outputs = list(outputs) or known[:1]
        self._path, self._side = path, side
        self._input, self._channels_last, self._fixed_batch = self._read_input()

    def _read_input(self) -> tuple[str, bool, int | None]:
        """Name of the input, whether channels come last, and its batch if that is fixed."""
        inputs = self._session.get_inputs()
        shape = inputs[0].shape if len(inputs) == 1 else []
        if len(shape) != 4:
            raise RequestError(f"weights {self._path}: the input is no single batch of images")
        channels_last = shape[3] == CHANNELS and shape[1] != CHANNELS
        sides = shape[1:3] if channels_last else shape[2:4]
        channels = shape[3] if channels_last else shape[1]
        fixed = [size for size in sides if isinstance(size, int) and size > 0]
        if isinstance(channels, int) and channels > 0 and channels != CHANNELS:
            raise RequestError(
                f"weights {self._path}: the input has {channels} channels, not {CHANNELS}"
            )
        if any(size != self._side for size in fixed):
            raise RequestError(
                f"weights {self._path}: the input is {sides[1]}x{sides[0]} pixels, side is "
                f"{self._side}: they must agree"
            )
        batch = shape[0]
        known = isinstance(batch, int) and batch > 0
        return inputs[0].name, channels_last, batch if known else None

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Normalised images (batch, side, side, 3) to values (batch, all outputs side by side).

        Raises:
            RequestError: the network takes batches of another size, above 1.
        """
        inputs = images if self._channels_last else images.transpose(0, 3, 1, 2)
        count = len(images)
        if self._fixed_batch in (None, count):
            return self._run(inputs)
        if self._fixed_batch != 1:
            raise RequestError(
                f"weights {self._path} take batches of {self._fixed_batch}: set batch_size to it"
            )
        return np.concatenate([self._run(inputs[i : i + 1]) for i in range(count)])

    def _run(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        values = self._session.run(self._outputs, {self._input: np.ascontiguousarray(inputs)})
        flat = [np.asarray(value, np.float32).reshape(len(inputs), -1) for value in values]
        return np.concatenate(flat, axis=1)
