"""Arrays of NumPy, and files that say they are."""

import io

import numpy as np
import pytest

from circumplex.errors import SampleError

VALUES = np.arange(30, dtype=np.float32).reshape(10, 3)


def with_header(shape, data=b"", kind="<f4"):
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    text = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + data


def zipped():
    buffer = io.BytesIO()
    np.savez(buffer, gaze=VALUES)
    return buffer.getvalue()


def saved(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "array", [VALUES, VALUES.astype(">f8"), np.asfortranarray(VALUES), VALUES.astype("i2")]
)
def test_arrays_of_numbers(folder, take, array):
    np.save(folder / "s.npy", array)
    np.testing.assert_array_equal(take(folder, 10), VALUES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (zipped(), "it is a zip file, such as numpy.savez writes: write the one array with numpy"),
        (with_header((2**62, 8)), "rows, and 10000000 are the most"),
        (with_header((2**31, 2**31)), "rows, and 10000000 are the most"),
        (with_header((10, 2**62)), "after its header it has 0 bytes"),
        (with_header((10, 3), b"\0" * 119), "has 119 bytes, an array .* has 120"),
        (with_header((-10, -3), b"\0" * 120), "expected numbers"),
        (with_header("(" * 3000), "cannot be read"),
        (saved(VALUES) + saved(VALUES), "after its header it has 368 bytes"),
        (saved(VALUES)[:-1], "has 119 bytes"),
        (saved(VALUES.astype("c8")), "holds complex64"),
        (saved(VALUES.astype("U3")), "holds <U3"),
        (saved(VALUES[0]), "of shape"),
        (saved(VALUES.astype("M8[s]")), "holds datetime64"),
        (b"\x93NUMPY\x09\x00", "cannot be read"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff", "cannot be read"),
    ],
)
def test_other_content_is_refused(folder, take, content, message):
    (folder / "s.npy").write_bytes(content)
    with pytest.raises(SampleError, match=rf"s\.npy .*{message}"):
        take(folder, 10)


def test_an_array_without_values(folder, take):
    np.save(folder / "s.npy", np.zeros((10, 0)))
    with pytest.raises(SampleError, match="has 0 values per frame, expected 3"):
        take(folder, 10)
