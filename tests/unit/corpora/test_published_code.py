"""Targets of the published training code: nothing outside the file becomes an annotation."""

import h5py
import numpy as np
import pytest

from circumplex.corpora.published_code import find_published
from circumplex.errors import RequestError

VALUES = np.linspace(-1, 1, 5)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "targets").mkdir()
    with h5py.File(tmp_path / "targets/secret.h5", "w") as file:
        file["v/valence"] = file["v/arousal"] = VALUES
    with h5py.File(tmp_path / "targets/val_valid_targets.h5", "w") as file:
        file["good/valence"] = file["good/arousal"] = VALUES
    return tmp_path


def test_annotations_of_a_plain_file(root, tmp_path):
    corpus = find_published(root, tmp_path / "annotations")
    assert [sample.sample for sample in corpus.samples] == ["good"]
    text = (tmp_path / "annotations/val/good.txt").read_text()
    assert text == "valence,arousal\n-1,-1\n-0.5,-0.5\n0,0\n0.5,0.5\n1,1\n"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: f.update({"x": h5py.ExternalLink("secret.h5", "v")}), "/x is a link to another"),
        (lambda f: f.update({"x": h5py.SoftLink("/gone")}), "/x is a link to /gone, which is not"),
        (
            lambda f: [
                f.create_dataset(f"x/{name}", (5,), "f8", external=[("secret.h5", 0, 40)])
                for name in ("valence", "arousal")
            ],
            "/x/valence has external storage",
        ),
        (
            lambda f: [f.create_dataset(f"x/{n}", (5,), "f8") for n in ("valence", "arousal")],
            "/x/valence was created but never written",
        ),
    ],
)
def test_what_lies_elsewhere_is_refused_by_name(root, tmp_path, make, message):
    with h5py.File(root / "targets/val_valid_targets.h5", "a") as file:
        make(file)
    with pytest.raises(RequestError, match=f"val_valid_targets.h5 cannot be read: {message}"):
        find_published(root, tmp_path / "annotations")
    assert not (tmp_path / "annotations/val/x.txt").exists()
