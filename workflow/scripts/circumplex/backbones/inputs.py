"""Stills as inputs of a backbone: decoded, aligned, augmented.

Augmentation of an image depends on (seed, epoch, position in the epoch) alone: the same in any
number of worker processes, on any number of GPUs, and after a resumed run. Images leave as whole
values 0 to 255, a quarter of float32's bytes on the way from worker to GPU; `normalise` is for the
device.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from circumplex.backbones.sampling import Draw
from circumplex.backbones.stills import Stills
from circumplex.config.augmentation import DenseNetAugmentation, IResNetAugmentation
from circumplex.faces.similarity import ARCFACE_TEMPLATE, CROP_SIZE, crop_face, similarity
from circumplex.networks.densenet import grey_image

OF_DENSENET, OF_IRESNET = DenseNetAugmentation.read({}), IResNetAugmentation.read({})
"""Defaults of the changes to the images of each network."""
Image = NDArray[np.uint8]
Points = NDArray[np.float32]


class StillInput(Protocol):
    """How images of a kind of network are made from stills."""

    def plain(self, image: Image, landmarks: Points | None) -> Image:
        """An RGB still as the network sees it in use: (channels, height, width), 0 to 255."""

    def augment(self, image: Image, landmarks: Points | None, rng: np.random.Generator) -> Image:
        """The same, changed at random as in training."""

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """Images (batch, channels, height, width), 0 to 255, to the network's float32."""


@dataclass(frozen=True)
class DenseNetInput:
    """Grey 64x64 images, as the extractor ``densenet`` makes them (section 3.2.1).

    Augmentation is that of the authors' FER+ code: a random crop of the padded image, a horizontal
    flip, a rotation; here in one bilinear resampling. What lies beyond the image is the mean grey,
    as there, where padding follows normalisation. Their code turns images about the lower right
    corner; we turn them about the middle.

    Attributes:
        mean: mean of the grey values.
        deviation: standard deviation of the grey values.
        pad: pixels added on each side before the crop: the largest shift.
        flip: probability of a mirror image.
        rotation_deg: largest rotation either way, in degrees.
    """

    mean: float = OF_DENSENET.mean
    deviation: float = OF_DENSENET.deviation
    pad: int = OF_DENSENET.pad
    flip: float = OF_DENSENET.flip
    rotation_deg: float = OF_DENSENET.rotation_deg

    def plain(self, image: Image, landmarks: Points | None) -> Image:
        """See `StillInput`: (1, 64, 64)."""
        crop = image if landmarks is None else crop_face(image, landmarks)
        return grey_image(crop)[None]

    def augment(self, image: Image, landmarks: Points | None, rng: np.random.Generator) -> Image:
        """See `StillInput`: (1, 64, 64)."""
        grey = self.plain(image, landmarks)[0]
        size = len(grey)
        angle = rng.uniform(-self.rotation_deg, self.rotation_deg)
        shift = rng.integers(-self.pad, self.pad, size=2, endpoint=True)
        matrix = _jitter(size, angle, 1.0, shift, mirror=rng.random() < self.flip)
        changed = cv2.warpAffine(grey, matrix[:2], (size, size), borderValue=round(self.mean))
        return np.asarray(changed, np.uint8)[None]

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """See `StillInput`."""
        return (images.float() - self.mean) / self.deviation


@dataclass(frozen=True)
class IResNetInput:
    """Aligned RGB faces of 112x112, as the extractors ``iresnet`` and ``fau`` take them.

    The defaults are our choice: the paper names no augmentation.

    Attributes:
        flip: probability of a mirror image.
        rotation_deg: largest rotation either way, in degrees.
        scale: largest change of size: 0.05 is 0.95 to 1.05.
        shift_px: largest shift along either axis.
        brightness: largest change: 0.2 is a factor of 0.8 to 1.2.
        contrast: the same, about the image's mean grey.
        saturation: the same, about each pixel's grey.
        grey: probability of an image without colour, as those of FER+ are.
        blur: probability of a Gaussian blur.
        blur_sigma_px: its largest standard deviation.
        erasing: probability that a rectangle turns to noise.
        erasing_area: its largest share of the image.
    """

    flip: float = OF_IRESNET.flip
    rotation_deg: float = OF_IRESNET.rotation_deg
    scale: float = OF_IRESNET.scale
    shift_px: float = OF_IRESNET.shift_px
    brightness: float = OF_IRESNET.brightness
    contrast: float = OF_IRESNET.contrast
    saturation: float = OF_IRESNET.saturation
    grey: float = OF_IRESNET.grey
    blur: float = OF_IRESNET.blur
    blur_sigma_px: float = OF_IRESNET.blur_sigma_px
    erasing: float = OF_IRESNET.erasing
    erasing_area: float = OF_IRESNET.erasing_area

    def plain(self, image: Image, landmarks: Points | None) -> Image:
        """See `StillInput`: (3, 112, 112)."""
        crop = _resize(image) if landmarks is None else crop_face(image, landmarks)
        return np.ascontiguousarray(crop.transpose(2, 0, 1))

    def augment(self, image: Image, landmarks: Points | None, rng: np.random.Generator) -> Image:
        """See `StillInput`: (3, 112, 112)."""
        angle, scale, shift = self._place(rng)
        matrix = _jitter(CROP_SIZE, angle, scale, shift, mirror=rng.random() < self.flip)
        if landmarks is None:
            image = _resize(image)
        else:
            # One resampling from the picture itself, so that nothing is cut off that it shows.
            matrix = matrix @ np.vstack([similarity(landmarks, ARCFACE_TEMPLATE), [0, 0, 1]])
        face = cv2.warpAffine(image, matrix[:2], (CROP_SIZE, CROP_SIZE), flags=cv2.INTER_LINEAR)
        face = self._erase(self._blur(self._recolour(face, rng), rng), rng)
        return np.ascontiguousarray(face.transpose(2, 0, 1))

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """See `StillInput`: to [-1, 1]."""
        return (images.float() / 255 - 0.5) / 0.5

    def _place(self, rng: np.random.Generator) -> tuple[float, float, NDArray[np.float64]]:
        angle = rng.uniform(-self.rotation_deg, self.rotation_deg)
        scale = 1 + rng.uniform(-self.scale, self.scale)
        return angle, scale, rng.uniform(-self.shift_px, self.shift_px, size=2)

    def _recolour(self, face: Any, rng: np.random.Generator) -> Any:
        brightness, contrast, saturation = 1 + rng.uniform(-1, 1, size=3) * (
            self.brightness,
            self.contrast,
            self.saturation,
        )
        if rng.random() < self.grey:
            saturation = 0.0
        if self.saturation or saturation == 0:
            grey = cv2.cvtColor(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
            face = cv2.addWeighted(face, saturation, grey, 1 - saturation, 0)
        middle = float(cv2.mean(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY))[0])
        # v -> brightness * (middle + contrast * (v - middle)), rounded and cut to 0 ... 255
        offset = brightness * middle * (1 - contrast)
        return cv2.addWeighted(face, brightness * contrast, face, 0, offset)

    def _blur(self, face: Any, rng: np.random.Generator) -> Any:
        chosen, sigma = rng.random() < self.blur, rng.uniform(0.1, max(self.blur_sigma_px, 0.1))
        return cv2.GaussianBlur(face, (0, 0), sigma) if chosen else face

    def _erase(self, face: Any, rng: np.random.Generator) -> Any:
        chosen = rng.random() < self.erasing
        area, ratio = rng.uniform(0.02, max(self.erasing_area, 0.02)), rng.uniform(0.5, 2.0)
        corner = rng.random(2)
        if chosen:
            sides = CROP_SIZE * np.sqrt(area * np.array([ratio, 1 / ratio]))
            height, width = np.clip(sides.astype(int), 1, CROP_SIZE)
            top, left = (corner * (CROP_SIZE - np.array([height, width]) + 1)).astype(int)
            face[top : top + height, left : left + width] = rng.integers(
                0, 256, (height, width, 3), np.uint8
            )
        return face


def _resize(image: Image) -> Any:
    """An aligned crop of any size as 112x112; averaged over areas where it shrinks."""
    if image.shape[:2] == (CROP_SIZE, CROP_SIZE):
        return image
    method = cv2.INTER_AREA if min(image.shape[:2]) > CROP_SIZE else cv2.INTER_LINEAR
    return cv2.resize(image, (CROP_SIZE, CROP_SIZE), interpolation=method)


def _jitter(
    size: int, angle: float, scale: float, shift: Iterable[float], mirror: bool
) -> NDArray[np.float64]:
    """(3, 3) matrix: mirror, then turn and scale about the middle, then shift."""
    middle = (size - 1) / 2
    turn = np.vstack([cv2.getRotationMatrix2D((middle, middle), angle, scale), [0, 0, 1]])
    turn[:2, 2] += np.fromiter(shift, np.float64)
    flip = np.array([[-1.0, 0, size - 1], [0, 1, 0], [0, 0, 1]]) if mirror else np.eye(3)
    return np.asarray(turn @ flip, np.float64)


class StillBatch(NamedTuple):
    """A batch; labels are looked up in the sets by ``sets`` and ``rows``.

    Attributes:
        images: (batch, channels, height, width) uint8; see `StillInput.normalise`.
        sets: (batch,) which set each image is of.
        rows: (batch,) its index in that set.
        valid: (batch,) false where an image only fills up the batch.
    """

    images: torch.Tensor
    sets: torch.Tensor
    rows: torch.Tensor
    valid: torch.Tensor


class StillImages(Dataset[tuple[Image, Draw]]):
    """Images of several sets, by `Draw`.

    Args:
        sets: what to draw from.
        transform: input of the network.
        augment: change images at random, or give them as the network sees them in use.
        seed: seed of the changes.
    """

    def __init__(
        self, sets: Sequence[Stills], transform: StillInput, *, augment: bool, seed: int = 0
    ) -> None:
        self._sets, self._transform = tuple(sets), transform
        self._augment, self._seed = augment, seed

    def __getitem__(self, draw: Draw) -> tuple[Image, Draw]:
        """The image of a draw.

        Raises:
            SampleError: it is gone or broken since the set was listed.
        """
        stills = self._sets[draw.set]
        image, landmarks = stills.image(draw.row), stills.landmarks(draw.row)
        if not self._augment:
            return self._transform.plain(image, landmarks), draw
        rng = np.random.default_rng((self._seed, draw.epoch, draw.position))
        return self._transform.augment(image, landmarks, rng), draw


def _collate(items: Sequence[tuple[Image, Draw]]) -> StillBatch:
    images, draws = zip(*items, strict=True)
    return StillBatch(
        torch.from_numpy(np.stack(images)),
        torch.tensor([draw.set for draw in draws]),
        torch.tensor([draw.row for draw in draws]),
        torch.tensor([draw.valid for draw in draws]),
    )


def _start_worker(_: int) -> None:
    # A worker is one core; a forked pool of threads would hang besides.
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def make_loader(
    images: StillImages,
    batches: Iterable[list[Draw]],
    workers: int = 0,
    pin_memory: bool = False,
) -> "DataLoader[Any]":
    """A loader of `StillBatch`; the number of workers changes nothing in them.

    Args:
        images: images to load.
        batches: from `circumplex.backbones.sampling`; its epoch is set between two passes.
        workers: processes; 0 loads in this one.
        pin_memory: for the way to a GPU.
    """
    return DataLoader(
        images,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=_collate,
        pin_memory=pin_memory,
        worker_init_fn=_start_worker,
        persistent_workers=workers > 0,
    )
