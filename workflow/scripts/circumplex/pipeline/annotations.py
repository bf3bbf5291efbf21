"""The layouts of annotations that samples have, and the files that go with one.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from pathlib import Path
from pkgutil import iter_modules

from circumplex.annotations import formats
from circumplex.annotations.recognition import recognise
from circumplex.config.samples import AUTO, Sample

DATA_MARK = "~"
"""NOVA keeps the data of ``x.annotation`` in ``x.annotation~``."""
WITH_DATA = ".annotation"


def layout_names() -> list[str]:
    """Names of the layouts that have a reader, sorted."""
    return sorted(module.name for module in iter_modules(formats.__path__))


def layout_of(sample: Sample, *, has_time: bool) -> str:
    """Layout of a sample's annotation: as the sheet says, or as it is recognised.

    Args:
        sample: a sample.
        has_time: whether the config names the column of times.
    """
    if sample.annotation_format != AUTO or not sample.annotations:
        return sample.annotation_format
    return recognise(sample.annotations[0], has_time=has_time)


def files_of(path: Path) -> list[Path]:
    """A file that the sheet names, and the one that holds its data, if it has such a one."""
    return [path, path.with_name(path.name + DATA_MARK)] if path.suffix == WITH_DATA else [path]
