"""The extractors, with random stand-ins, and the drivers that write their tables."""

import math
import re
import warnings
import wave
from pathlib import Path

import cv2
import numpy as np
import opensmile
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torchaudio.models.wav2vec2.utils import import_huggingface_model
from transformers import Wav2Vec2ForCTC, Wav2Vec2Model

from circumplex.errors import ModalityAbsent, RequestError, SampleError
from circumplex.extractors import (
    compare,
    densenet,
    egemaps,
    fau,
    iresnet,
    speech,
    vggish,
    wav2vec2,
)
from circumplex.extractors.audio import AudioRows, WaveFile, extract_audio_feature
from circumplex.extractors.batches import extract_in_batches
from circumplex.extractors.visual import read_frames, write_frames
from circumplex.store import Request, Task
from circumplex.table import TableWriter, frame_schema, read_columns, read_metadata
from circumplex.weights import Weights, build_network

RATE = 16_000
RANDOM = {"weights": {"random": 1}}
SMALL = {"weights": {"random": 1}, "size": "small"}
AUDIO = [(egemaps, {}), (compare, {}), (vggish, RANDOM), (wav2vec2, SMALL)]


# Frames


def crop(seed: int) -> np.ndarray:
    """A smooth image with a colour and a texture of its own, exactly kept by PNG."""
    noise = np.random.default_rng(seed).integers(0, 256, (7, 7, 3), dtype=np.uint8)
    return cv2.resize(noise, (112, 112), interpolation=cv2.INTER_CUBIC)


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


def write_faces(path: Path, crops: list[bytes | None]) -> Path:
    schema = frame_schema(pa.field("valid", pa.bool_()), pa.field("crop", pa.binary()))
    frames = range(len(crops))
    with TableWriter(path, schema, {}) as table:
        for k in frames:
            table.write(frame=[k], time_s=[k / 7], valid=[crops[k] is not None], crop=[crops[k]])
    return path


def write_fill(path: Path, sources: list[int]) -> Path:
    schema = frame_schema(pa.field("source_frame", pa.int32()))
    with TableWriter(path, schema, {}) as table:
        frames = np.arange(len(sources))
        table.write(frame=frames, time_s=frames / 7, source_frame=sources)
    return path


class Counting:
    """Means of the colours, and a record of the crops it was given."""

    name, dimension = "counting", 3

    def __init__(self) -> None:
        self.batches: list[np.ndarray] = []

    def prepare(self, crop: np.ndarray) -> np.ndarray:
        return crop

    def embed(self, crops: np.ndarray) -> np.ndarray:
        self.batches.append(crops)
        return crops.mean((1, 2)).astype(np.float32)


def run_visual(folder: Path, crops, sources, extractor, batch_size=4) -> np.ndarray:
    faces = write_faces(folder / "faces.parquet", crops)
    fill = write_fill(folder / "fill.parquet", sources)
    output = folder / "out.parquet"
    extractor.batch_size = batch_size
    task = Task(Request("sample", {}), output, {"made": "here"})

    def write(task, pieces):
        write_frames(task.output, extractor.name, extractor.dimension, pieces, task.metadata)

    def read(_task):
        return read_frames(faces, fill, extractor.prepare)

    for _, problem in extract_in_batches([task], extractor, read, write):
        if problem is not None:
            raise problem
    frame, time_s, source, values = read_columns(
        output, ["frame", "time_s", "source_frame", extractor.name]
    )
    assert read_metadata(output) == {"made": "here"}
    assert frame.tolist() == list(range(len(sources)))
    assert np.array_equal(time_s, frame / 7)
    assert source.tolist() == sources
    return values


@settings(max_examples=20, deadline=None)
@given(
    valid=st.lists(st.booleans(), min_size=1, max_size=12).filter(any), batch_size=st.integers(1, 5)
)
def test_each_frame_gets_its_source_and_each_source_is_computed_once(
    tmp_path_factory, valid, batch_size
) -> None:
    found = [k for k, is_valid in enumerate(valid) if is_valid]
    images = [crop(k) for k in range(len(valid))]
    crops = [png(image) if ok else None for image, ok in zip(images, valid, strict=True)]
    sources = [min(found, key=lambda s: abs(s - k)) for k in range(len(valid))]
    extractor = Counting()
    folder = tmp_path_factory.mktemp("faces")
    values = run_visual(folder, crops, sources, extractor, batch_size)
    for k, source in enumerate(sources):
        assert np.allclose(values[k], images[source].mean((0, 1))), k
    assert {len(batch) for batch in extractor.batches} <= {batch_size}
    assert len(extractor.batches) == math.ceil(len(found) / batch_size)
    given_crops = np.concatenate(extractor.batches)
    for row, source in enumerate(found):
        assert np.array_equal(given_crops[row], images[source])


def test_sources_that_span_the_pieces_of_a_table_are_computed_once(tmp_path) -> None:
    length = 2500
    same = png(crop(0))
    crops: list[bytes | None] = [same if k in (5, 1500, 2400) else None for k in range(length)]
    sources = [5] * 1000 + [1500] * 1048 + [2400] * 452
    extractor = Counting()
    values = run_visual(tmp_path, crops, sources, extractor, batch_size=1)
    assert len(extractor.batches) == 3
    assert np.allclose(values, crop(0).mean((0, 1)))


def test_a_video_without_frames_gives_an_empty_table(tmp_path) -> None:
    assert run_visual(tmp_path, [], [], Counting()).shape == (0, 3)


@pytest.mark.parametrize(
    ("encoded", "problem"),
    [
        (b"", "frame 1 is no readable image"),
        (b"not an image", "frame 1 is no readable image"),
        (png(crop(0)[:100, :90]), "frame 1 is 90x100 pixels, expected 112x112"),
    ],
)
def test_an_unusable_crop_is_named_and_leaves_no_table(tmp_path, encoded, problem) -> None:
    with pytest.raises(SampleError, match=problem):
        run_visual(tmp_path, [png(crop(0)), encoded], [0, 1], Counting())
    assert {path.name for path in tmp_path.iterdir()} == {"faces.parquet", "fill.parquet"}


@pytest.mark.parametrize("sources", [[1, 1, 0], [0, 0, 2], [0, 0, 3], [-1, 0, 1]])
def test_a_fill_that_does_not_belong_to_the_faces_is_a_bug(tmp_path, sources) -> None:
    with pytest.raises(ValueError, match=r"source_frame decreases|no crop for frame"):
        run_visual(tmp_path, [png(crop(0)), png(crop(1)), None], sources, Counting())


VISUAL = [
    (densenet, "densenet", 342, RANDOM),
    (iresnet, "iresnet", 512, {**RANDOM, "depth": 18}),
    (fau, "fau", 512, {**RANDOM, "depth": 18}),
]


@pytest.mark.parametrize(("module", "name", "dimension", "options"), VISUAL)
def test_a_feature_has_the_same_bits_alone_and_in_any_batch(
    tmp_path, module, name, dimension, options
) -> None:
    extractor = module.build(options)
    assert (extractor.name, extractor.dimension) == (name, dimension)
    images = [crop(seed) for seed in range(6)]
    together = run_visual(tmp_path, list(map(png, images)), list(range(6)), extractor)
    assert together.shape == (6, dimension)
    alone = run_visual(tmp_path, [png(images[2])], [0], extractor)
    moved = run_visual(tmp_path, [png(images[k]) for k in (5, 4, 2)], [0, 1, 2], extractor)
    assert np.array_equal(alone[0], together[2])
    assert np.array_equal(moved, together[[5, 4, 2]])
    assert np.isfinite(together).all()
    assert together.std(0).mean() > 0.02


def test_densenet_sees_normalised_grey() -> None:
    extractor = densenet.build({**RANDOM, "mean": 100.0, "deviation": 50.0})
    network = build_network(densenet.densenet.DenseNetBC, Weights(seed=1))
    image = np.repeat(np.arange(16, dtype=np.uint8)[:, None] * 12, 16, 1).repeat(7, 0).repeat(7, 1)
    colour = np.stack([image, 255 - image, image // 2], 2)
    grey = np.rint(colour @ np.array([0.299, 0.587, 0.114]))
    # Bilinear sampling at the centres of the 64 target pixels, written out in one dimension.
    at = np.clip((np.arange(64) + 0.5) * 112 / 64 - 0.5, 0, 111)
    rows = np.stack([np.interp(at, np.arange(112), grey[:, column]) for column in range(112)], 1)
    small = np.stack([np.interp(at, np.arange(112), row) for row in rows])
    assert np.abs(densenet.grey_image(colour) - small).max() <= 1
    pixels = densenet.grey_image(colour).astype(np.float32)
    with torch.inference_mode():
        expected = network.embed(torch.from_numpy((pixels - 100) / 50)[None, None])
    found = extractor.embed(extractor.prepare(colour)[None])
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_iresnet_sees_rgb_from_minus_one_to_one() -> None:
    extractor = iresnet.build({**RANDOM, "depth": 18})
    network = build_network(iresnet.iresnet.iresnet18, Weights(seed=1))
    image = crop(4)
    pixels = image.astype(np.float32).transpose(2, 0, 1) / 127.5 - 1
    with torch.inference_mode():
        expected = network(torch.from_numpy(pixels.copy())[None])
    found = extractor.embed(image[None])
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-3, atol=1e-4)


def test_fau_is_the_same_network_with_its_own_weights() -> None:
    image = crop(0)[None]
    options = {"weights": {"random": 1}, "depth": 18}
    first = iresnet.build(options).embed(image)
    assert np.array_equal(first, fau.build(options).embed(image))
    other = fau.build({"weights": {"random": 2}, "depth": 18}).embed(image)
    assert not np.allclose(first, other)


@pytest.mark.parametrize("module", [densenet, iresnet, fau, vggish])
def test_weights_of_another_network_are_refused_by_key(tmp_path, module) -> None:
    torch.save({"module.stem": torch.zeros(2)}, tmp_path / "w.pth")
    options = {"weights": {"file": str(tmp_path / "w.pth")}}
    with pytest.raises(RequestError, match=r"w\.pth do not fit .* missing .* unexpected \(stem\)"):
        module.build(options if module in (densenet, vggish) else {**options, "depth": 18})


@pytest.mark.parametrize(
    ("module", "options", "problem"),
    [
        (iresnet, {}, "iresnet.weights: is required"),
        (iresnet, {**RANDOM, "depth": 101}, "iresnet.depth: 101 is none of 18, 34, 50, 100"),
        (fau, {**RANDOM, "deep": 18}, "fau.deep: unknown option"),
        (densenet, {**RANDOM, "batch_size": 0}, "densenet.batch_size: 0 is not a positive int"),
        (densenet, {**RANDOM, "batch_size": 2.5}, "densenet.batch_size"),
        (densenet, {**RANDOM, "mean": "grey"}, "densenet.mean"),
        (densenet, {**RANDOM, "precision": "bf16"}, "densenet.precision: 'bf16' is none of float"),
        (egemaps, {"feature_set": "eGeMAPSv02"}, "egemaps.feature_set"),
        (compare, {"level": "functionals"}, "compare.level: unknown option"),
        (vggish, {**RANDOM, "hop_s": 0.965}, "vggish.hop_s: 0.965 is no multiple"),
        (vggish, {**RANDOM, "hop_s": math.nan}, "vggish.hop_s"),
        (vggish, {**RANDOM, "postprocess": "quantised"}, "vggish.pca: is required"),
        (vggish, {**RANDOM, "pca": {"random": 1}}, "vggish.pca: unknown option"),
        (wav2vec2, {**SMALL, "window_s": 0.03}, "wav2vec2.window_s"),
        (wav2vec2, {**RANDOM, "size": "large"}, "wav2vec2.size: 'large' is none of base, small"),
    ],
)
def test_senseless_options_are_refused_by_key(module, options, problem) -> None:
    with pytest.raises(RequestError, match=problem):
        module.build(options)


# Sound


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    """Voice-like: a gliding, interrupted harmonic tone and noise, as 16-bit values."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(120 + 40 * np.sin(2 * time)) / RATE
    tone = sum(np.sin(k * phase) / k for k in range(1, 12)) * (np.sin(3 * time) > -0.3)
    return ((0.1 * tone + 0.01 * rng.normal(size=len(time))) * 32767).astype("<i2")


def write_wave(path: Path, samples: np.ndarray, channels=1, width=2, rate=RATE) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def join(rows) -> AudioRows:
    return AudioRows(*(np.concatenate(parts) for parts in zip(*rows, strict=True)))


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


def smile_directly(path: Path, feature_set: str, level: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return opensmile.Smile(feature_set, level).process_file(str(path))


def test_egemaps_equals_opensmile_called_directly(tmp_path) -> None:
    path = write_wave(tmp_path / "a [b]; 'c'.wav", sound(20))  # more than its ring buffers hold
    extractor = egemaps.build({})
    rows = join(extractor.rows(path))
    frame = smile_directly(path, "eGeMAPSv01b", "lld")
    assert extractor.dimension == 23
    assert list(extractor.columns) == list(frame.columns)
    assert np.array_equal(rows.values, frame.to_numpy())
    assert rows.values.std(0).min() > 0


def test_compare_equals_opensmile_called_directly(tmp_path) -> None:
    path = write_wave(tmp_path / "a.wav", sound(20))
    extractor = compare.build({})
    rows = join(extractor.rows(path))
    values = smile_directly(path, "ComParE_2016", "lld")
    deltas = smile_directly(path, "ComParE_2016", "lld_de")
    assert extractor.dimension == 130
    assert list(extractor.columns) == [*values.columns, *deltas.columns]
    assert len(rows.values) == len(values) < len(deltas)
    assert np.array_equal(rows.values[:, :65], values.to_numpy())
    assert np.array_equal(rows.values[:, 65:], deltas.to_numpy()[: len(values)])


def test_deltas_of_compare_belong_to_the_descriptors_of_their_row(tmp_path) -> None:
    rows = join(compare.build({}).rows(write_wave(tmp_path / "a.wav", sound(3)))).values
    centre = np.arange(2, len(rows) - 2)
    descriptors, deltas = rows[:, 6:65].astype(float), rows[:, 71:]
    slopes = sum(k * (descriptors[centre + k] - descriptors[centre - k]) for k in (1, 2)) / 10
    error = np.abs(deltas[centre] - slopes).max(0) / np.abs(slopes).max(0)
    assert error.max() < 1e-3


def test_a_click_is_at_the_centre_of_its_row(tmp_path) -> None:
    samples = np.random.default_rng(0).normal(0, 3, 2 * RATE)
    samples[RATE - 8 : RATE + 8] += 16000  # at 1 s
    path = write_wave(tmp_path / "a.wav", samples)
    for extractor, name in (
        (egemaps.build({}), "Loudness_sma3"),
        (compare.build({}), "pcm_RMSenergy_sma"),
    ):
        rows = join(extractor.rows(path))
        centre = (rows.start_s + rows.end_s) / 2
        level = rows.values[:, extractor.columns.index(name)].astype(float)
        level -= np.median(level)
        level[np.abs(centre - 1) > 0.1] = 0
        assert np.sum(centre * level) / np.sum(level) == pytest.approx(1, abs=0.006)


def test_descriptors_of_long_sound_come_in_pieces(tmp_path) -> None:
    path = write_wave(tmp_path / "a.wav", np.tile(sound(13), 5))
    pieces = [len(rows.values) for rows in egemaps.build({}).rows(path)]
    assert pieces == [6000, 496]


def test_vggish_examples_start_every_hop(tmp_path) -> None:
    samples = sound(4.2)
    path = write_wave(tmp_path / "a.wav", samples)
    rows = join(vggish.build(RANDOM).rows(path))
    assert rows.start_s == pytest.approx(np.arange(4) * 0.96)
    assert rows.end_s - rows.start_s == pytest.approx(np.full(4, 0.96))
    fine = join(vggish.build({**RANDOM, "hop_s": 0.48, "batch_size": 3}).rows(path))
    assert fine.start_s == pytest.approx(np.arange(7) * 0.48)
    np.testing.assert_allclose(fine.values[::2], rows.values, rtol=1e-4, atol=1e-4)
    network = build_network(vggish.vggish.VGGish, Weights(seed=1))
    start = round(2.88 * RATE)
    example = torch.from_numpy(samples[start : start + 15600] / 32768).float()[None]
    with torch.inference_mode():
        expected = network(vggish.vggish.LogMel()(example))
    np.testing.assert_allclose(rows.values[3:], expected.numpy(), rtol=1e-4, atol=1e-4)


def test_vggish_example_has_the_same_bits_in_any_batch(tmp_path) -> None:
    samples = sound(4.2)
    extractor = vggish.build({**RANDOM, "batch_size": 2})
    rows = join(extractor.rows(write_wave(tmp_path / "a.wav", samples))).values
    later = samples[round(0.96 * RATE) :]
    moved = join(extractor.rows(write_wave(tmp_path / "b.wav", later))).values
    assert np.array_equal(moved, rows[1:])


@pytest.mark.parametrize("kind", ["release", "port", "port of arrays"])
def test_vggish_quantises_with_the_published_matrix(tmp_path, kind) -> None:
    pca = {"pca_eigen_vectors": np.eye(128)[::-1] * 0.3, "pca_means": np.full(128, 0.5)}
    name = "pca.npz" if kind == "release" else "vggish_pca_params-970ea276.pth"
    if kind == "release":
        np.savez(tmp_path / name, **pca)
    elif kind == "port":
        means = torch.from_numpy(pca["pca_means"]).float()[:, None]
        matrix = torch.from_numpy(pca["pca_eigen_vectors"].copy()).float()
        torch.save({"pca_eigen_vectors": matrix, "pca_means": means}, tmp_path / name)
    else:
        torch.save({key: value.astype("f4") for key, value in pca.items()}, tmp_path / name)
    path = write_wave(tmp_path / "a.wav", sound(2))
    plain = join(vggish.build(RANDOM).rows(path)).values
    options = {**RANDOM, "postprocess": "quantised", "pca": {"file": str(tmp_path / name)}}
    found = join(vggish.build(options).rows(path)).values
    expected = np.round((np.clip((plain[:, ::-1] - 0.5) * 0.3, -2, 2) + 2) * 63.75)
    assert np.abs(found - expected).max() <= 1
    assert np.mean(found != expected) < 0.02


@pytest.fixture(scope="module")
def small_model() -> Wav2Vec2Model:
    config = wav2vec2.random_config(wav2vec2.Size.SMALL)
    return build_network(lambda: Wav2Vec2Model(config), Weights(seed=1))


def torchaudio_tokens(model: Wav2Vec2Model, samples: np.ndarray) -> np.ndarray:
    """The same weights in torchaudio's implementation, on normalised sound."""
    values = samples.astype(np.float64) / 32768
    values = (values - values.mean()) / np.sqrt(values.var() + 1e-7)
    twin = import_huggingface_model(model).eval()
    with torch.inference_mode():
        features, _ = twin.extract_features(torch.from_numpy(values).float()[None])
    return features[-1][0].numpy()


def test_wav2vec2_equals_torchaudios_implementation(tmp_path, small_model) -> None:
    samples = sound(3)
    rows = join(wav2vec2.build(SMALL).rows(write_wave(tmp_path / "a.wav", samples)))
    expected = torchaudio_tokens(small_model, samples)
    assert rows.values.shape == expected.shape == (149, 768)
    np.testing.assert_allclose(rows.values, expected, rtol=0, atol=1e-4)
    assert rows.start_s == pytest.approx(np.arange(149) * 0.02)
    assert rows.end_s == pytest.approx(np.arange(149) * 0.02 + 0.025)


def test_wav2vec2_in_windows_stays_close_to_one_pass(tmp_path) -> None:
    path = write_wave(tmp_path / "a.wav", sound(9.37))
    whole = join(wav2vec2.build(SMALL).rows(path))
    pieces = list(wav2vec2.build({**SMALL, "window_s": 2.0, "context_s": 1.0}).rows(path))
    parts = join(pieces)
    assert [len(piece.values) for piece in pieces] == [150, 100, 100, 118]
    assert np.array_equal(parts.start_s, whole.start_s)
    correlation = [np.corrcoef(a, b)[0, 1] for a, b in zip(parts.values, whole.values, strict=True)]
    assert min(correlation) > 0.97
    shifted = [
        np.corrcoef(a, b)[0, 1] for a, b in zip(parts.values[1:], whole.values, strict=False)
    ]
    assert np.mean(shifted) < np.mean(correlation) - 0.02


def test_wav2vec2_ignores_the_level_of_the_whole_file(tmp_path) -> None:
    samples = sound(1.5)
    extractor = wav2vec2.build(SMALL)
    loud = join(extractor.rows(write_wave(tmp_path / "a.wav", samples * 2 + 3000)))
    soft = join(extractor.rows(write_wave(tmp_path / "b.wav", samples)))
    np.testing.assert_allclose(loud.values, soft.values, rtol=1e-2, atol=1e-2)


def test_wav2vec2_statistics_are_of_all_blocks(tmp_path, monkeypatch) -> None:
    samples = sound(2) + 500
    with WaveFile(write_wave(tmp_path / "a.wav", samples)) as file:
        monkeypatch.setattr(speech, "STATISTICS_BLOCK", 7001)
        mean, deviation = speech.statistics(file)
    values = samples / 32768
    assert mean == pytest.approx(values.mean())
    assert deviation == pytest.approx(values.std(), rel=1e-4)


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_wav2vec2_loads_a_fine_tuned_folder(tmp_path, small_model, kind) -> None:
    tuned = Wav2Vec2ForCTC(small_model.config)
    tuned.wav2vec2.load_state_dict(small_model.state_dict())
    folder = tmp_path / "model"
    tuned.save_pretrained(folder)
    if kind == "bin":
        (folder / "model.safetensors").unlink()
        torch.save(tuned.state_dict(), folder / "pytorch_model.bin")
    path = write_wave(tmp_path / "a.wav", sound(1))
    loaded = wav2vec2.build({"weights": {"file": str(folder)}})
    found, expected = join(loaded.rows(path)), join(wav2vec2.build(SMALL).rows(path))
    assert np.array_equal(found.values, expected.values)


def test_wav2vec2_refuses_folders_that_do_not_fit(tmp_path, small_model) -> None:
    folder = tmp_path / "model"
    options = {"weights": {"file": str(folder)}}
    with pytest.raises(RequestError, match="model are missing: put"):
        wav2vec2.build(options)
    folder.mkdir()
    with pytest.raises(RequestError, match=r"expected a folder with config\.json"):
        wav2vec2.build(options)
    small_model.config.save_pretrained(folder)
    state = {f"wav2vec2.{key}": value for key, value in small_model.state_dict().items()}
    del state["wav2vec2.encoder.layers.1.attention.k_proj.bias"]
    torch.save({**state, "head": torch.zeros(1)}, folder / "pytorch_model.bin")
    with pytest.raises(RequestError, match=r"1 missing \(.*k_proj\.bias\); 1 unexpected \(head\)"):
        wav2vec2.build(options)
    (folder / "config.json").write_text("{")
    with pytest.raises(RequestError, match="cannot be loaded"):
        wav2vec2.build(options)


def published_names(model: Wav2Vec2Model) -> dict[str, torch.Tensor]:
    """State dict as facebook/wav2vec2-base-960h has it: fine-tuned, and of 2021."""
    old = {"parametrizations.weight.original0": "weight_g"}
    old["parametrizations.weight.original1"] = "weight_v"
    state = {}
    for name, tensor in model.state_dict().items():
        for new, was in old.items():
            name = name.replace(new, was)
        state[f"wav2vec2.{name}"] = tensor.clone()
    del state["wav2vec2.masked_spec_embed"]  # the published file has none
    head = torch.nn.Linear(768, 32)
    return {**state, "lm_head.weight": head.weight.detach(), "lm_head.bias": head.bias.detach()}


def write_published(folder: Path, model: Wav2Vec2Model, kind: str, state) -> dict[str, object]:
    folder.mkdir()
    model.config.save_pretrained(folder)
    if kind == "bin":
        torch.save(state, folder / "pytorch_model.bin")
    else:
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return {"weights": {"file": str(folder)}}


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_wav2vec2_loads_the_published_names(tmp_path, small_model, kind) -> None:
    state = published_names(small_model)
    assert state["wav2vec2.encoder.pos_conv_embed.conv.weight_g"].shape == (1, 1, 128)
    options = write_published(tmp_path / "model", small_model, kind, state)
    path = write_wave(tmp_path / "a.wav", sound(1))
    found = join(wav2vec2.build(options).rows(path))
    assert np.array_equal(found.values, join(wav2vec2.build(SMALL).rows(path)).values)


BIAS = "wav2vec2.encoder.layers.0.feed_forward.output_dense.bias"


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
@pytest.mark.parametrize("defect", ["missing", "extra", "misshaped"])
def test_wav2vec2_names_the_key_that_does_not_fit(tmp_path, small_model, kind, defect) -> None:
    state = published_names(small_model)
    if defect == "extra":
        state["wav2vec2.encoder.more"] = torch.zeros(1)
    elif defect == "missing":
        del state[BIAS]
    else:
        state[BIAS] = torch.zeros(7)
    options = write_published(tmp_path / "model", small_model, kind, state)
    named = "encoder.more" if defect == "extra" else BIAS.removeprefix("wav2vec2.")
    with pytest.raises(RequestError, match=re.escape(named)):
        wav2vec2.build(options)


class Payload:
    def __reduce__(self):
        return (Path.touch, (Path("touched"),))


def test_wav2vec2_never_runs_what_a_pickle_holds(tmp_path, small_model, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    state = {**published_names(small_model), "lm_head.bias": Payload()}
    options = write_published(tmp_path / "model", small_model, "bin", state)
    with pytest.raises(RequestError, match=r"model cannot be (loaded|read)"):
        wav2vec2.build(options)
    assert not Path("touched").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_wav2vec2_refuses_a_file_that_is_cut_short(tmp_path, small_model, name) -> None:
    kind = name.rpartition(".")[2]
    state = published_names(small_model)
    options = write_published(tmp_path / "model", small_model, kind, state)
    content = (tmp_path / "model" / name).read_bytes()
    (tmp_path / "model" / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(RequestError, match=r"model cannot be (loaded|read)"):
        wav2vec2.build(options)


def test_wav2vec2_base_is_the_published_configuration() -> None:
    config = wav2vec2.random_config(wav2vec2.Size.BASE)
    assert config.hidden_size == wav2vec2.FEATURES == 768
    assert (config.num_hidden_layers, config.num_attention_heads) == (12, 12)
    assert (config.intermediate_size, config.feat_extract_norm) == (3072, "group")
    assert config.conv_dim == (512,) * 7 or list(config.conv_dim) == [512] * 7
    assert speech.stride_and_field(config.conv_kernel, config.conv_stride) == (320, 400)
