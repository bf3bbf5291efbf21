"""Find the files that hold a sample's imported features.

There are four layouts: a folder with ``<sample>.npy``, ``.csv`` or ``.parquet``; one Parquet file
with a column ``sample``; one HDF5 file with ``<sample>/fts``; and the data folder of the published
training code, with such files as ``features/<set>_<name>.h5``.

Imported while the workflow is parsed: standard library only.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

PUBLISHED_NAMES: Mapping[str, str] = {
    "densenet": "affectnet",
    "fau": "FAU_situ",
    "wav2vec2": "wav2vec",
}
"""Names of features in the published training code, where they differ from this project's."""
PER_SAMPLE = (".npy", ".csv", ".parquet")
HDF5 = (".h5", ".hdf5")


def source_files(root: Path, feature: str, sample: str) -> list[Path]:
    """Files that may hold a sample's feature; empty where there is none.

    Args:
        root: what the config names.
        feature: our name of it.
        sample: name.
    """
    if root.is_file():
        return [root]
    if (root / "features").is_dir():
        return list(_published(root, PUBLISHED_NAMES.get(feature, feature)))
    return [path for path in (root / f"{sample}{s}" for s in PER_SAMPLE) if path.is_file()]


@cache
def _published(root: Path, name: str) -> tuple[Path, ...]:
    return tuple(sorted((root / "features").glob(f"*_{name}.h5")))


def missing_source(root: Path, feature: str, sample: str) -> str:
    """Message for a sample that the source does not hold."""
    if (root / "features").is_dir():
        name = PUBLISHED_NAMES.get(feature, feature)
        return f"{root / 'features'} has no *_{name}.h5, which would hold {feature}"
    forms = ", ".join(f"{sample}{suffix}" for suffix in PER_SAMPLE)
    return f"{root} has none of {forms}"
