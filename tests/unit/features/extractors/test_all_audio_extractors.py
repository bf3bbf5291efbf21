"""What all audio extractors have in common, those with a network with random weights."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from circumplex.errors import ModalityAbsent, SampleError
from circumplex.features.extractors import (
    compare,
    egemaps,
    vggish,
    wav2vec2,
)
from circumplex.features.sound import extract_audio_feature
from circumplex.io.parquet import read_columns, read_metadata
from waves import join, sound, write_wave

RANDOM = {"weights": "random:1"}


SMALL = {"weights": "random:1", "size": "small"}


AUDIO = [(egemaps, {}), (compare, {}), (vggish, RANDOM), (wav2vec2, SMALL)]


@pytest.fixture(scope="module", params=AUDIO, ids=lambda pair: pair[0].__name__.split(".")[-1])
def audio_extractor(request):
    module, options = request.param
    return module.build(options)


def test_sound_of_no_sample_is_an_absent_modality(tmp_path, audio_extractor) -> None:
    path = write_wave(tmp_path / "a.wav", np.zeros(0))
    with pytest.raises(ModalityAbsent):
        extract_audio_feature(path, tmp_path / "out.parquet", audio_extractor, {})
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize(
    "change", [{"channels": 2}, {"width": 1}, {"rate": 44_100}, {"channels": 0}]
)
def test_another_format_of_sound_is_refused(tmp_path, audio_extractor, change) -> None:
    path = tmp_path / "a.wav"
    if change.get("channels") == 0:
        path.write_bytes(b"RIFF and nothing else")
    else:
        write_wave(path, np.zeros(4000), **change)
    with pytest.raises(SampleError, match=r"a\.wav"):
        list(audio_extractor.rows(path))


@pytest.mark.parametrize("samples", [1, 159, 399, 400, 959, 960, 4000])
@pytest.mark.parametrize("silent", [False, True])
def test_short_and_silent_sound_gives_finite_rows(
    tmp_path, audio_extractor, samples, silent
) -> None:
    path = write_wave(tmp_path / "a.wav", sound(0.25)[:samples] * (not silent))
    rows = join(audio_extractor.rows(path))
    assert rows.values.shape == (len(rows.start_s), audio_extractor.dimension)
    assert rows.values.dtype == np.float32
    assert len(rows.start_s) >= 1
    assert np.isfinite(rows.values).all()


def test_the_table_holds_the_rows(tmp_path, audio_extractor) -> None:
    path = write_wave(tmp_path / "a.wav", sound(2.5))
    name = audio_extractor.name
    extract_audio_feature(path, tmp_path / "out.parquet", audio_extractor, {"made": "here"})
    rows = join(audio_extractor.rows(path))
    columns = ["start_s", "end_s", name]
    for found, expected in zip(read_columns(tmp_path / "out.parquet", columns), rows, strict=True):
        assert np.array_equal(found, expected)
    metadata = read_metadata(tmp_path / "out.parquet")
    assert metadata["made"] == "here"
    assert metadata.get("columns", []) == list(audio_extractor.columns)
    assert len(audio_extractor.columns) == {"egemaps": 23, "compare": 130}.get(name, 0)
    assert pq.read_schema(tmp_path / "out.parquet").names == columns


@pytest.mark.parametrize("extra", [b"", b"LIST\x0a\x00\x00\x00INFOISFT\x00\x00"])
def test_other_chunks_of_a_wave_file_change_nothing(tmp_path, audio_extractor, extra) -> None:
    path = write_wave(tmp_path / "a.wav", sound(1.1))
    plain = join(audio_extractor.rows(path))
    content = path.read_bytes()
    path.write_bytes(
        content[:4]
        + (len(content) - 8 + len(extra)).to_bytes(4, "little")
        + content[8:36]
        + extra
        + content[36:]
    )
    assert np.array_equal(join(audio_extractor.rows(path)).values, plain.values)
