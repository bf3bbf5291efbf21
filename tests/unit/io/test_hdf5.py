"""HDF5 files whose values lie elsewhere or were never written are refused by name."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from h5py import h5d, h5p, h5s, h5t

from circumplex.io import hdf5
from circumplex.io.hdf5 import IncompleteFileError, find_object, open_hdf5, refuse_incomplete

VALUES = np.arange(3000, dtype=np.float32).reshape(1000, 3)


def check(path: Path, name: str = "s/fts"):
    with open_hdf5(path) as file:
        dataset = find_object(file, name)
        refuse_incomplete(path, dataset)
        return np.asarray(dataset)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["s/fts"] = VALUES
    (tmp_path / "secret").write_bytes(VALUES.tobytes())
    return tmp_path / "x.h5"


PLAIN = {
    "contiguous": {},
    "chunked": {"chunks": (300, 3)},
    "compressed": {"chunks": True, "compression": "gzip"},
    "resizable": {"maxshape": (None, 3)},
    "large chunk": {
        "chunks": (1000, 3),
        "compression": "gzip",
        "shuffle": True,
        "fletcher32": True,
    },
}


@pytest.mark.parametrize("options", PLAIN.values(), ids=PLAIN)
def test_values_in_the_file_itself(path, options):
    with h5py.File(path, "w") as file:
        file.create_dataset("s/fts", data=VALUES, **options)
    np.testing.assert_array_equal(check(path), VALUES)


def test_a_compact_dataset_and_a_user_block(path):
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_layout(h5d.COMPACT)
    with h5py.File(path, "w", userblock_size=512) as file:
        group = file.create_group("s")
        space = h5s.create_simple((10, 3))
        made = h5d.create(group.id, b"fts", h5t.IEEE_F32LE, space, plist)
        made.write(h5s.ALL, h5s.ALL, VALUES[:10])
        group["contiguous"] = VALUES
    np.testing.assert_array_equal(check(path), VALUES[:10])
    np.testing.assert_array_equal(check(path, "s/contiguous"), VALUES)


def test_links_within_the_file_are_followed(path):
    with h5py.File(path, "w") as file:
        file["a/b/fts"] = VALUES
        file["hard"] = file["a/b"]
        file["relative"] = h5py.SoftLink("a/b")
        file["absolute"] = h5py.SoftLink("/relative")
    for name in ("a/b/fts", "hard/fts", "relative/fts", "absolute/fts", "/a/./b/fts"):
        np.testing.assert_array_equal(check(path, name), VALUES)
    with open_hdf5(path) as file:
        assert find_object(file, "nowhere") is None
        assert find_object(file, "a/b/fts/deeper") is None


def virtual(file):
    layout = h5py.VirtualLayout(VALUES.shape, "f4")
    layout[:] = h5py.VirtualSource("other.h5", "s/fts", VALUES.shape)
    file.create_virtual_dataset("s/fts", layout)


def virtual_in_itself(file):
    file["other"] = VALUES
    layout = h5py.VirtualLayout(VALUES.shape, "f4")
    layout[:] = h5py.VirtualSource(".", "other", VALUES.shape)
    file.create_virtual_dataset("s/fts", layout)


def external_storage(file):
    file.create_dataset("s/fts", VALUES.shape, "f4", external=[("secret", 0, VALUES.nbytes)])


def external_group(file):
    file["s"] = h5py.ExternalLink("other.h5", "s")


def external_dataset(file):
    file.create_group("s")["fts"] = h5py.ExternalLink("other.h5", "s/fts")


def soft_to_external(file):
    file["out"] = h5py.ExternalLink("other.h5", "/")
    file["s"] = h5py.SoftLink("/out/s")


def dangling(file):
    file["s"] = h5py.SoftLink("/nowhere")


def loop(file):
    file["s"] = h5py.SoftLink("/t")
    file["t"] = h5py.SoftLink("/s")


def never_written(file):
    file.create_dataset("s/fts", VALUES.shape, "f4")


def chunks_never_written(file):
    file.create_dataset("s/fts", VALUES.shape, "f4", chunks=(100, 3))


def some_chunks_written(file):
    file.create_dataset("s/fts", VALUES.shape, "f4", chunks=(100, 3))[:500] = VALUES[:500]


def enlarged(file):
    file.create_dataset("s/fts", data=VALUES[:500], maxshape=(None, 3), chunks=(100, 3))
    file["s/fts"].resize(1000, axis=0)


def half_written(file):
    made = file.create_dataset("s/fts", (100_000, 3), "f4")
    made[:50_000] = 1


REFUSED = {
    virtual: "/s/fts is a virtual dataset",
    virtual_in_itself: "/s/fts is a virtual dataset",
    external_storage: "/s/fts has external storage",
    external_group: "/s is a link to another file",
    external_dataset: "/s/fts is a link to another file",
    soft_to_external: "/out is a link to another file",
    dangling: "/s is a link to /nowhere, which is not there",
    loop: "is a link that leads to itself",
    never_written: "/s/fts was created but never written",
    chunks_never_written: "/s/fts has 0 of its 10 chunks",
    some_chunks_written: "/s/fts has 5 of its 10 chunks",
    enlarged: "/s/fts has 5 of its 10 chunks",
    half_written: r"/s/fts has no values on disk from row 5\d{4} \(from 0\) on",
}


@pytest.mark.parametrize(
    ("make", "message"), REFUSED.items(), ids=lambda v: getattr(v, "__name__", "")
)
def test_what_is_not_whole_in_the_file_is_refused_with_advice(path, make, message):
    with h5py.File(path, "w") as file:
        make(file)
    with pytest.raises(IncompleteFileError, match=message) as caught:
        check(path)
    assert "file.create_dataset(name, data=array" in str(caught.value)


def test_the_other_file_of_a_link_is_not_opened(path):
    os.mkfifo(path.with_name("pipe"))  # to open it would wait for ever
    with h5py.File(path, "w") as file:
        file["s"] = h5py.ExternalLink("pipe", "/")
    with pytest.raises(IncompleteFileError, match="a link to another file"):
        check(path)


def test_chunks_too_large_to_hold_are_refused(path, monkeypatch):
    monkeypatch.setattr(hdf5, "MOST_CHUNK_BYTES", 5000)
    with h5py.File(path, "w") as file:
        file.create_dataset("s/fts", data=VALUES, maxshape=(None, None), chunks=(500, 3))
    with pytest.raises(IncompleteFileError, match="chunks of 6000 bytes, more than 5000"):
        check(path)
