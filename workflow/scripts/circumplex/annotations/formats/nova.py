"""NOVA (Baur et al. 2020): a header ``.annotation`` and, beside it, its data, ``.annotation~``.

By the program's documentation (repository hcmlab/nova, section "File Format"): the header's
``scheme`` of type CONTINUOUS states name, sampling rate, minimum and maximum; in the data, line k
is ``score;confidence`` at the time k / rate from 0. Binary data are pairs of float32 (repository
of hcmlab's nova-utils). The confidence is not used, and a score that is no number is unannotated.
"""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from circumplex.annotations.recognition import plain_name
from circumplex.annotations.text import check_file, read_text
from circumplex.annotations.traces import Trace, check_times
from circumplex.config.annotations import AnnotationTable
from circumplex.errors import SampleError
from circumplex.io.numbers import parse_numbers
from circumplex.targets import Target

HEADER_BYTES = 1 << 20
MOST_BYTES = 64 << 20
_SCHEME = re.compile(r"<scheme\b([^>]*)>")
_FILE = re.compile(r"<info\b([^>]*)>")
_META = re.compile(r"<meta\b([^>]*)>")
_ATTRIBUTE = re.compile(r"""([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")


def read_traces(annotation: Path, target: Target | None, options: AnnotationTable) -> list[Trace]:
    """Read the trace of a header and its data; the scheme's name says which target it is, where the
    sheet does not.

    Raises:
        SampleError: a file is missing, unreadable, or not of this layout, or the scheme is not
            continuous or names no target.
    """
    del options
    header = read_text(annotation, HEADER_BYTES)
    scheme = _attributes(_SCHEME, header)
    if scheme.get("type", "").upper() != "CONTINUOUS":
        raise SampleError(
            f"annotation {annotation} has a scheme of type {scheme.get('type', 'none')!r}, "
            "expected CONTINUOUS with a sampling rate"
        )
    rate, low, high = _numbers(annotation, scheme)
    data = annotation.with_name(f"{annotation.name}~")
    binary = _attributes(_FILE, header).get("ftype", "").upper() == "BINARY"
    values = _read_binary(data) if binary else _read_lines(data)
    time_s = np.arange(len(values)) / rate
    check_times(data, time_s, range(1, len(values) + 1))
    return [
        Trace(
            target=target or _target_of(annotation, scheme.get("name", "")),
            annotator=_attributes(_META, header).get("annotator", ""),
            time_s=time_s,
            values=values,
            range=(low, high),
        )
    ]


def _attributes(pattern: re.Pattern[str], header: str) -> dict[str, str]:
    found = pattern.search(header)
    pairs = _ATTRIBUTE.findall(found[1]) if found else []
    return {name: double or single for name, double, single in pairs}


def _numbers(annotation: Path, scheme: dict[str, str]) -> tuple[float, float, float]:
    try:
        rate, low, high = parse_numbers([scheme.get(key, "") for key in ("sr", "min", "max")])
    except ValueError as error:
        raise SampleError(
            f"annotation {annotation}: its scheme needs numbers for sr, min and max: {error}"
        ) from None
    if not (0 < rate <= 10_000 and np.isfinite([low, high]).all() and low < high):
        raise SampleError(
            f"annotation {annotation}: its scheme has sr {rate:g}, min {low:g} and max {high:g}: "
            "the rate lies above 0 and up to 10000, and the minimum below the maximum"
        )
    return rate, low, high


def _target_of(annotation: Path, name: str) -> Target:
    for target in Target:
        if plain_name(name).startswith(target):
            return target
    raise SampleError(
        f"annotation {annotation} has the scheme {name!r}, neither valence nor arousal: name it in "
        "the sheet's column annotation_valence or annotation_arousal"
    )


def _read_lines(data: Path) -> NDArray[np.float64]:
    scores = []
    for number, line in enumerate(read_text(data, MOST_BYTES).splitlines(), start=1):
        if line.strip():
            try:
                scores += parse_numbers(line.split(";")[:1])
            except ValueError as error:
                raise SampleError(f"annotation {data}, line {number}: {error}") from None
    values = np.array(scores)
    return np.where(np.isfinite(values), values, np.nan)


def _read_binary(data: Path) -> NDArray[np.float64]:
    check_file(data, MOST_BYTES)
    try:
        content = data.read_bytes()
    except OSError as error:
        raise SampleError(f"annotation {data} cannot be read: {error}") from error
    if len(content) % 8:
        raise SampleError(
            f"annotation {data} has {len(content)} bytes, no multiple of 8, expected pairs of "
            "float32: it is cut off"
        )
    values = np.frombuffer(content, dtype="<f4").reshape(-1, 2)[:, 0].astype(np.float64)
    return np.where(np.isfinite(values), values, np.nan)
