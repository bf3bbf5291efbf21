"""openSMILE's low-level descriptors, streamed from a wave file (section 3.2.2)."""

import os
import tempfile
import warnings
import wave as wave_format
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import IO, Any

import numpy as np
import opensmile
from numpy.typing import NDArray
from opensmile.core.config import config as opensmile_files
from opensmile.core.lib import OpenSMILE, c_char_p_arr, smileapi

from circumplex.features.sound import AudioRows
from circumplex.media.wave import SAMPLE_RATE, WaveFile

STEP_S, WINDOW_S = 0.01, 0.02
SHORTEST = 960  # samples: openSMILE gives no row before its first window of 60 ms is full
ROWS_AT_ONCE = 6000  # a minute


class Level(Enum):
    """openSMILE's names of the levels that descriptors are read from."""

    DESCRIPTORS = "lld"
    DELTAS = "lld_de"


class Engine(OpenSMILE):  # type: ignore[misc]  # opensmile has no types
    """openSMILE with paths of any characters: opensmile-python takes ASCII alone."""

    def initialize(self, config_file: str, options: Mapping[str, Any], loglevel: int) -> None:
        """As opensmile-python's, with the bytes that the file system has for a path."""
        self._callbacks: list[Any] = []
        self._smileobj = smileapi.smile_new()
        texts = [os.fsencode(str(text)) for pair in options.items() for text in pair]
        self._check_smile_result(
            smileapi.smile_initialize(
                self._smileobj,
                os.fsencode(config_file),
                len(options),
                c_char_p_arr(texts),
                *(loglevel, 0, 0, 0),  # no debugging, no console output, no log file
            )
        )


class Configuration(opensmile.Smile):  # type: ignore[misc]
    """opensmile-python's feature set at a level, on `Engine`."""

    def _smile(self, options: Mapping[str, Any]) -> Engine:
        engine = Engine()
        engine.initialize(self.config_path, options, self.loglevel)
        return engine


class DescriptorExtractor:
    """Gives the descriptors of one feature set, every 10 ms.

    openSMILE reads the file itself, in pieces, and gives the same bits as opensmile-python's
    ``process_file``. Its row k holds what windows starting at k * 10 ms say. Most windows are of
    20 ms (spectrum, energy, formants), those of pitch and voice quality of 60 ms; opensmile-python
    reports either, by feature set. Here a row is [0.01 k, 0.01 k + 0.02) s for every set, so that
    its centre is that of the 20 ms window. Sound shorter than 60 ms is filled up with zeros.

    Args:
        name: of the feature.
        feature_set: openSMILE's name of it.
        levels: whose columns are joined; rows that not all of them have (deltas go on for two
            rows) are left out.
    """

    def __init__(self, name: str, feature_set: str, levels: Sequence[Level]) -> None:
        self.name = name
        with warnings.catch_warnings():
            # The paper's eGeMAPS is v01b, which opensmile-python calls deprecated.
            warnings.filterwarnings("ignore", message="Feature set .* is deprecated")
            # opensmile-python asks for the version of a subclass's package, which none needs here.
            warnings.filterwarnings("ignore", message="Could not determine a version")
            self._configurations = [Configuration(feature_set, level.value) for level in levels]
        names = [column for smile in self._configurations for column in smile.column_names]
        self.columns = tuple(map(str, names))
        self.dimension = len(self.columns)

    def rows(self, wave: Path) -> Iterator[AudioRows]:
        """One row for every 10 ms, a minute at a time.

        Raises:
            ModalityAbsent: there is not one sample of sound.
            SampleError: the file is not 16-bit mono PCM at 16 kHz.
        """
        with tempfile.TemporaryDirectory() as folder:
            source = readable_wave(wave, Path(folder))
            spools = [
                spool_rows(smile, source, Path(folder) / f"level{number}")
                for number, smile in enumerate(self._configurations)
            ]
            first = 0
            while (count := min(ROWS_AT_ONCE, *(len(spool) - first for spool in spools))) > 0:
                values = np.concatenate([spool[first : first + count] for spool in spools], axis=1)
                starts = np.arange(first, first + count, dtype=np.float64) * STEP_S
                yield AudioRows(starts, starts + WINDOW_S, values)
                first += count


def readable_wave(wave: Path, folder: Path) -> Path:
    """The file itself, or, of sound too short for openSMILE, a copy with zeros added."""
    with WaveFile(wave) as file:
        if file.samples >= SHORTEST:
            return wave
        samples = file.read(0, SHORTEST)
    padded = folder / "padded.wav"
    with wave_format.open(str(padded), "wb") as output:
        output.setnchannels(1)
        output.setsampwidth(2)
        output.setframerate(SAMPLE_RATE)
        output.writeframes((samples * 32768).astype("<i2").tobytes())
    return padded


def spool_rows(smile: opensmile.Smile, source: Path, spool: Path) -> NDArray[np.float32]:
    """Run openSMILE over a file; its rows (rows, columns) on disk, not in memory."""
    root = Path(smile.default_config_root)
    # The last two keep openSMILE from storing every row for statistics over the whole file, which
    # nothing here asks for: the same rows, in memory that does not grow with the file.
    options = {
        "I": str(source.resolve()),
        "source": str(root / opensmile_files.FILE_INPUT_CONFIG),
        "sink": str(root / opensmile_files.EXTERNAL_OUTPUT_SINGLE_CONFIG),
        "sinkLevel": smile.feature_level,
        "bufferModeRbConf": str(root / "shared/BufferModeRb.conf.inc"),
        "bufferModeConf": str(root / "shared/BufferModeRbMulti.conf.inc"),
        "frameModeFunctionalsConf": str(root / "shared/FrameModeFunctionalsMulti.conf.inc"),
    }
    with spool.open("wb") as file:
        rows, problem = run(smile.config_path, options, file)
    if problem is not None:
        raise problem
    return np.memmap(spool, np.float32, mode="r", shape=(rows, smile.num_features))


def run(
    config_file: str, options: Mapping[str, str], file: IO[bytes]
) -> tuple[int, OSError | None]:
    """Write openSMILE's rows as float32; their number, and what went wrong in writing them.

    An error cannot pass through openSMILE's C code, so the callback keeps it.
    """
    rows = 0
    problem: OSError | None = None

    def append(row: NDArray[np.float32], _meta: Any) -> None:
        nonlocal rows, problem
        try:
            file.write(np.asarray(row, np.float32).tobytes())
            rows += 1
        except OSError as error:
            problem = error

    engine = Engine()
    engine.initialize(config_file=config_file, options=dict(options), loglevel=0)
    engine.external_sink_set_callback_ex(opensmile_files.EXTERNAL_OUTPUT_COMPONENT, append)
    engine.run()
    engine.free()
    return rows, problem
