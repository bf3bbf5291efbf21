import h5py
import numpy as np
import pytest

from circumplex.config.samples import Split
from circumplex.corpora.published_code import find_published
from circumplex.errors import RequestError


def write_targets(root, split, videos):
    path = root / "targets" / f"{split}_valid_targets.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in videos.items():
            group = file.create_group(name)
            group["length"] = 2
            if values is not None:
                group["valence"], group["arousal"] = np.asarray(values, np.float32).T


def test_samples_and_annotations_are_those_of_the_targets(tmp_path):
    write_targets(tmp_path, "train", {"b_left": [[0.1, -1], [-5, -5]], "a": [[1, 0.25]]})
    write_targets(tmp_path, "test", {"c_right": None})
    corpus = find_published(tmp_path, tmp_path / "annotations")
    facts = [(s.sample, s.split, s.group, s.video) for s in corpus.samples]
    assert facts == [
        ("a", Split.TRAIN, "a", None),
        ("b_left", Split.TRAIN, "b", None),
        ("c_right", Split.TEST, "c", None),
    ]
    a, b, c = (sample.annotation for sample in corpus.samples)
    assert c is None
    assert a == tmp_path / "annotations/train/a.txt"
    assert a.read_text() == "valence,arousal\n1,0.25\n"
    lines = b.read_text().splitlines()[1:]
    values = np.array([line.split(",") for line in lines], np.float32)
    assert np.array_equal(values, np.array([[0.1, -1], [-5, -5]], np.float32))


def test_a_folder_without_targets_is_refused(tmp_path):
    with pytest.raises(RequestError, match=r"no targets/<set>_valid_targets\.h5"):
        find_published(tmp_path, tmp_path / "annotations")


@pytest.mark.parametrize("content", [b"no HDF5", None])
def test_targets_of_another_layout_are_refused_by_name(tmp_path, content):
    path = tmp_path / "targets" / "val_valid_targets.h5"
    path.parent.mkdir()
    if content is not None:
        path.write_bytes(content)
    else:
        with h5py.File(path, "w") as file:
            group = file.create_group("a")
            group["valence"], group["arousal"] = np.zeros(3), np.zeros(2)
    with pytest.raises(RequestError, match=r"val_valid_targets\.h5 cannot be read"):
        find_published(tmp_path, tmp_path / "annotations")
