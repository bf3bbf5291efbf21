import h5py
import numpy as np
import pytest

from circumplex.config.samples import Split
from circumplex.corpora.published_code import find_published
from circumplex.errors import RequestError

VALUES = np.linspace(-1, 1, 5)


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
    write_targets(tmp_path, "train", {"b_left": [[0.123456, -1], [-5, -5]], "a": [[1, 0.25]]})
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
    assert np.array_equal(values, np.array([[0.123456, -1], [-5, -5]], np.float32))


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
