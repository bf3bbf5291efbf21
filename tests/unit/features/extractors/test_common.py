"""The audio extractors, with random stand-ins, and what all extractors refuse."""

import math

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from circumplex.errors import ModalityAbsent, RequestError, SampleError
from circumplex.features.extractors import (
    compare,
    densenet,
    egemaps,
    fau,
    iresnet,
    vggish,
    wav2vec2,
)
from circumplex.features.sound import extract_audio_feature
from circumplex.io.parquet import read_columns, read_metadata
from circumplex.media.wave import WaveFile
from waves import join, sound, write_wave

RANDOM = {"weights": "random:1"}


SMALL = {"weights": "random:1", "size": "small"}


AUDIO = [(egemaps, {}), (compare, {}), (vggish, RANDOM), (wav2vec2, SMALL)]


@pytest.mark.parametrize("module", [densenet, iresnet, fau, vggish])
def test_weights_of_another_network_are_refused_by_key(tmp_path, module) -> None:
    torch.save({"module.stem": torch.zeros(2)}, tmp_path / "w.pth")
    options = {"weights": str(tmp_path / "w.pth")}
    with pytest.raises(RequestError, match=r"w\.pth do not fit .* missing .* unexpected \(stem\)"):
        module.build(options if module in (densenet, vggish) else {**options, "depth": 18})


@pytest.mark.parametrize(
    ("module", "options", "problem"),
    [
        (iresnet, {}, "weights resources/weights/iresnet100_expression.pth are missing"),
        (
            iresnet,
            {**RANDOM, "depth": 101},
            r"iresnet.depth is 101, but must be one of \[18, 34, 50, 100\]",
        ),
        (
            iresnet,
            {**RANDOM, "channels": 0},
            "iresnet.channels is 0: must be an integer from 1 to 4096",
        ),
        (
            densenet,
            {**RANDOM, "blocks": [16, 16]},
            r"densenet.blocks is \[16, 16\]: must be a list",
        ),
        (
            densenet,
            {**RANDOM, "blocks": [16, True, 16]},
            "densenet.blocks.1 is True: must be an integer",
        ),
        (densenet, {**RANDOM, "blocks": [1, 1, 1]}, r"blocks: \[1, 1, 1\] end in 27 values"),
        (fau, {**RANDOM, "deep": 18}, "unknown key 'deep' at features.fau; did you mean 'depth'"),
        (
            densenet,
            {**RANDOM, "batch_size": 0},
            "densenet.batch_size is 0: must be an integer from 1 to 4096",
        ),
        (densenet, {**RANDOM, "batch_size": 2.5}, "densenet.batch_size"),
        (densenet, {**RANDOM, "mean": "grey"}, "densenet.mean"),
        (
            densenet,
            {**RANDOM, "precision": "bf16"},
            "densenet.precision is 'bf16', but must be one of",
        ),
        (egemaps, {"feature_set": "eGeMAPSv02"}, "egemaps.feature_set"),
        (compare, {"level": "functionals"}, "unknown key 'level' at features.compare"),
        (
            vggish,
            {**RANDOM, "hop_s": 0.965},
            "vggish.hop_s is 0.965: must be a number from 0.01 to 0.96",
        ),
        (vggish, {**RANDOM, "hop_s": 0.955}, "vggish.hop_s is 0.955: must be a multiple"),
        (vggish, {**RANDOM, "hop_s": math.nan}, "vggish.hop_s"),
        (vggish, {**RANDOM, "postprocess": "quantised"}, "vggish: pca .* go together: add pca"),
        (vggish, {**RANDOM, "pca": "random:1"}, "vggish: pca .* go together: remove pca"),
        (wav2vec2, {**SMALL, "window_s": 0.03}, "wav2vec2.window_s"),
        (wav2vec2, {**RANDOM, "size": "large"}, "wav2vec2.size is 'large', but must be one of"),
    ],
)
def test_invalid_options_are_refused_by_key(module, options, problem) -> None:
    with pytest.raises(RequestError, match=problem):
        module.build(options)


@pytest.fixture(scope="module", params=AUDIO, ids=lambda pair: pair[0].__name__.split(".")[-1])
def audio_extractor(request):
    module, options = request.param
    return module.build(options)


def test_wave_file_is_read_in_pieces_with_zeros_after_the_end(tmp_path) -> None:
    samples = np.array([-32768, 0, 1, 32767])
    with WaveFile(write_wave(tmp_path / "a.wav", samples)) as file:
        assert file.samples == 4
        assert file.read(0, 4).tolist() == [-1, 0, 1 / 32768, 32767 / 32768]
        assert file.read(2, 4).tolist() == [1 / 32768, 32767 / 32768, 0, 0]
        assert file.read(9, 2).tolist() == [0, 0]


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
