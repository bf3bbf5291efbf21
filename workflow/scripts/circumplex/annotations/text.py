"""The text of an annotation, with the limits that every reader keeps."""

from pathlib import Path

from circumplex.annotations.recognition import HEAD_BYTES
from circumplex.errors import SampleError
from circumplex.io.files import why_no_file

MOST_BYTES = 256 << 20
"""Size of an annotation: a day at 60 frames per second has 5 million rows of some 20 bytes."""


def check_file(annotation: Path, most_bytes: int = MOST_BYTES) -> None:
    """Check that an annotation is a file of a sensible size.

    Raises:
        SampleError: it is missing, no file, may not be read, or is too large.
    """
    if (problem := why_no_file(annotation)) is not None:
        raise SampleError(f"annotation {annotation} {problem}")
    if annotation.stat().st_size > most_bytes:
        raise SampleError(
            f"annotation {annotation} has more than {most_bytes >> 20} MB: it is no annotation"
        )


def read_text(annotation: Path, most_bytes: int = MOST_BYTES) -> str:
    """Read the text of an annotation, without the mark of its encoding.

    Args:
        annotation: file.
        most_bytes: largest size that is read.

    Raises:
        SampleError: it cannot be read, is too large, or is no text in UTF-8.
    """
    check_file(annotation, most_bytes)
    try:
        return annotation.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SampleError(f"annotation {annotation} is not text: {error}") from error
    except OSError as error:
        raise SampleError(
            f"annotation {annotation} cannot be read: {error}; correct its permissions"
        ) from error


def read_head(annotation: Path) -> str:
    """Read the beginning of an annotation; what is no UTF-8 is replaced.

    Raises:
        SampleError: it cannot be read.
    """
    check_file(annotation)
    try:
        with annotation.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise SampleError(
            f"annotation {annotation} cannot be read: {error}; correct its permissions"
        ) from error
    return head.decode("utf-8", errors="replace").removeprefix("\ufeff")
