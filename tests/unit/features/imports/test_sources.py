import pytest

from circumplex.features.imports.sources import missing_source, source_files


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_a_single_file_holds_every_sample(tmp_path):
    file = touch(tmp_path / "features.h5")
    assert source_files(file, "densenet", "any") == [file]


def test_a_folder_holds_files_named_by_sample(tmp_path):
    expected = [touch(tmp_path / f"a.b{suffix}") for suffix in (".npy", ".csv", ".parquet")]
    touch(tmp_path / "a.b.txt")
    touch(tmp_path / "a.npy")
    assert source_files(tmp_path, "densenet", "a.b") == expected
    assert source_files(tmp_path, "densenet", "c") == []
    assert missing_source(tmp_path, "densenet", "c") == (
        f"{tmp_path} has none of c.npy, c.csv, c.parquet"
    )


@pytest.mark.parametrize(
    ("feature", "name"),
    [
        *(("densenet", "affectnet"), ("fau", "FAU_situ"), ("wav2vec2", "wav2vec")),
        ("egemaps", "egemaps"),
    ],
)
def test_the_data_folder_of_the_published_code(tmp_path, feature, name):
    folder = tmp_path / "features"
    touch(folder / "train_other.h5")
    assert f"{folder} has no *_{name}.h5, which" in missing_source(tmp_path, feature, "a")
    expected = [touch(folder / f"{part}_{name}.h5") for part in ("train", "val")]
    assert source_files(tmp_path, feature, "a") == expected
