"""All kinds of files that are damaged."""

from fuzz.kind import Kind
from fuzz.request_files import Checkpoints, Configs, Exports, Models, Sheets
from fuzz.sample_files import Annotations, Crops, Hdf5, Imports, Media

KINDS: tuple[type[Kind], ...] = (
    *(Media, Imports, Hdf5, Crops, Annotations, Configs, Sheets, Exports, Checkpoints, Models),
)
