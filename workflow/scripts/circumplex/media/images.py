"""A folder of numbered images as a video, at a rate that the sheet declares.

Frame 0 is the image of the smallest number, and a number more is a frame more: a number that is
missing, or whose image does not decode, is a frame without a picture, as one of a video that fails
to decode. Frame ``k`` is at the time ``k / rate``. There is no sound.
"""

import logging
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from circumplex.errors import ModalityAbsent, SampleError
from circumplex.io.files import is_folder, why_no_file, why_no_folder
from circumplex.media.streams import check_size

LOG = logging.getLogger(__name__)
NAME = re.compile(r"(?:.*\D)?(\d{1,12})\.(?:jpe?g|png|bmp|webp|tiff?)", re.ASCII | re.I)
"""Of an image: digits before its suffix, such as ``00001.jpg`` or ``frame_17.png``."""
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
MOST_BYTES = 256 << 20
LEAST_SHARE = 0.5
"""Of the numbers from the first to the last that must have an image."""
CODEC = "images"
"""Stands for the decoder in the facts of a folder of images."""


def find_images(folder: Path) -> list[Path | None]:
    """Find the images of a folder by frame; none where a number is missing.

    Raises:
        SampleError: it is no folder, holds no numbered image, one number twice, or numbers of which
            most have no image.
    """
    if (problem := why_no_folder(folder)) is not None:
        raise SampleError(f"the folder of images {problem}")
    images: dict[int, Path] = {}
    for path in folder.iterdir():
        if match := NAME.fullmatch(path.name):
            number = int(match[1])
            if number in images:
                raise SampleError(
                    f"{images[number].name} and {path.name} have the same number: remove one of "
                    "them, or name a folder with the images of one video"
                )
            images[number] = path
    if not images:
        raise SampleError("the folder holds no numbered image, such as 00001.jpg")
    first, last = min(images), max(images)
    if len(images) < LEAST_SHARE * (last - first + 1):
        raise SampleError(
            f"the folder's images are numbered from {first} to {last}, but there are "
            f"{len(images)}: number them by frame, each one more than the one before"
        )
    return [images.get(number) for number in range(first, last + 1)]


def check_rate_of_images(video: Path, rate: float | None) -> None:
    """Check that the sheet states a rate for a folder of images, and for nothing else.

    Raises:
        SampleError: it does not, or it does for a file.
    """
    if is_folder(video) and rate is None:
        raise SampleError(
            "the media file is a folder, not a file: if it holds a video as numbered images, write "
            "their frames per second into the sheet's column image_rate"
        )
    if rate is not None and not is_folder(video):
        raise SampleError(
            "the sheet states an image_rate, which a folder of images has, but the video is none: "
            "leave the column empty, since a video file has times of its own"
        )


def refuse_sound(media: Path) -> None:
    """Say that a folder of images has no sound.

    Raises:
        ModalityAbsent: the media is a folder.
    """
    if is_folder(media):
        raise ModalityAbsent(
            "a folder of images has no sound: name a sound file in the sheet's column audio"
        )


def iter_images(folder: Path) -> Iterator[NDArray[np.uint8] | None]:
    """Yield the picture of every frame, (height, width, 3) uint8 RGB, upright; none without one.

    Raises:
        SampleError: see `find_images`; or no image decodes, or one is too large.
    """
    decoded = failed = 0
    for path in find_images(folder):
        picture = None if path is None else _read(path)
        decoded += picture is not None
        failed += picture is None
        yield picture
    if not decoded:
        raise SampleError(f"none of the folder's {failed} images decodes: copy them again")


def _read(path: Path) -> NDArray[np.uint8] | None:
    if (problem := why_no_file(path)) is not None:
        raise SampleError(f"image {path.name} {problem}")
    if path.stat().st_size > MOST_BYTES:
        raise SampleError(f"image {path.name} has more than {MOST_BYTES >> 20} MB: make it smaller")
    try:
        with Image.open(path, formats=FORMATS) as image:  # reads only the header
            check_size(*image.size)
            return _upright(image)
    except Image.DecompressionBombError:
        raise SampleError(
            f"image {path.name} declares more pixels than any picture has: copy it again"
        ) from None
    except (OSError, SyntaxError, ValueError, TypeError, IndexError, struct.error) as error:
        LOG.info("image %s does not decode: %s", path.name, error)
        return None


def _upright(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels of an image, turned as its EXIF data say; 16 bits become 8."""
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    turned = ImageOps.exif_transpose(image)
    return np.ascontiguousarray(turned.convert("RGB"), dtype=np.uint8)
