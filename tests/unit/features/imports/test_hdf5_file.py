"""HDF5 files of features: whatever is wrong with one fails its sample, by name."""

from contextlib import suppress

import h5py
import numpy as np
import pytest
from h5py import h5d, h5s, h5t

from circumplex.errors import SampleError

VALUES = np.arange(30, dtype=np.float32).reshape(10, 3)


def write(folder, make):
    with h5py.File(folder / "x.h5", "w") as file:
        file["good/fts"] = VALUES
        make(file)
    return folder / "x.h5"


def of_kind(kind):
    def make(file):
        group = file.create_group("s")
        h5d.create(group.id, b"fts", kind, h5s.create_simple((10, 3)))

    return make


REFUSED = {
    "virtual": (
        lambda f: f.create_virtual_dataset("s/fts", h5py.VirtualLayout((10, 3), "f4")),
        "/s/fts is a virtual dataset",
    ),
    "external": (lambda f: f.update({"s": h5py.ExternalLink("gone.h5", "/")}), "/s is a link to"),
    "dangling": (lambda f: f.update({"s": h5py.SoftLink("/nowhere")}), "/s is a link to /nowhere"),
    "loop": (lambda f: f.update({"s": h5py.SoftLink("/s")}), "/s is a link that leads to itself"),
    "not written": (
        lambda f: f.create_dataset("s/fts", (10, 3), "f4"),
        "was created but never written",
    ),
    "time": (of_kind(h5t.UNIX_D32LE), "cannot be read"),
    "opaque": (of_kind(h5t.create(h5t.OPAQUE, 4)), "holds no fts of this sample"),
    "text": (lambda f: f.update({"s/fts": [["a"] * 3] * 10}), "holds no fts of this sample"),
    "group": (lambda f: f.create_group("s/fts"), "holds no fts of this sample"),
    "type": (lambda f: f.update({"s": np.dtype("f4")}), "holds no fts of this sample"),
    "one axis": (lambda f: f.update({"s/fts": VALUES[:, 0]}), "holds no fts of this sample"),
    "many rows": (
        lambda f: f.create_dataset("s/fts", (2**40, 3), "f4", chunks=(10, 3)),
        "has 0 of its|rows, and 10000000 are the most",
    ),
}


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_fails_its_sample_alone(folder, take, make, message):
    path = write(folder, make)
    with pytest.raises(SampleError, match=message) as caught:
        take(path, 10)
    assert str(path) in str(caught.value)
    np.testing.assert_array_equal(take(path, 10, sample="good"), VALUES)


def test_damage_anywhere_is_an_error_of_the_sample(folder, take):
    path = write(folder, lambda f: f.create_dataset("s/fts", data=VALUES, compression="gzip"))
    whole = path.read_bytes()
    places = range(0, len(whole), 61)
    read = 0
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        with suppress(SampleError):
            assert take(path, 10).shape == VALUES.shape
            read += 1
    assert read < len(places)


def test_lengths_that_lie_elsewhere_are_not_followed(folder, take):
    (folder / "features").mkdir()
    (folder / "targets").mkdir()
    with h5py.File(folder / "features/val_gaze.h5", "w") as file:
        file["s/fts"] = VALUES
    with h5py.File(folder / "targets/val_valid_targets.h5", "w") as file:
        file["s/length"] = h5py.ExternalLink("other.h5", "/")
    with pytest.raises(
        SampleError, match=r"val_valid_targets.h5 cannot be read: /s/length is a li"
    ):
        take(folder, 10)
