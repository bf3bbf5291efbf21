"""Files as people have them, through the jobs that read them: what spoils one harms no other."""

import gzip
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import extract_audio
import extract_frames
import fill_frames
import read_labels
import summarise_quality
from circumplex.config.samples import Sample, Split
from circumplex.errors import ModalityAbsent, SampleError
from circumplex.io import memory
from circumplex.pipeline.jobs.faces import align_shard
from circumplex.pipeline.jobs.shard import ShardJob
from circumplex.pipeline.store import Status, read_index
from circumplex.report.quality import read_quality
from clips import Sound, overwrite
from damaged_media import (
    FRAMES,
    change_size_midway,
    cut_file,
    damage_everywhere,
    damage_the_middle,
    replace_sound_by_noise,
    write_clip,
    write_cover_art,
    write_crops,
    write_cut_film,
    write_huge_picture,
    write_leaping_picture,
    write_leaping_sound,
    write_many_gaps,
    write_picture,
    write_truncated,
    write_unknown_codec,
    write_wave,
    write_wave_header,
    write_zip,
)
from running_jobs import shard_job

FINE = "fine"


@dataclass(frozen=True)
class Case:
    """A file and what must become of it: ``ok``, or the stage that says so and what it says."""

    video: Callable[[Path], object] = write_clip
    stage: str = "ok"
    says: str = ""
    name: str = "a.mp4"
    annotation: bytes | None = b"valence,arousal\n" + b"0.1,0.2\n" * FRAMES
    faces: Callable[[Path], object] | None = None
    sound: Callable[[Path], object] | None = None


FAILS = {"stage": "extract_frames", "says": "cannot be opened"}
CASES = {
    "missing": Case(lambda _: None, "extract_frames", "is missing"),
    "folder": Case(lambda path: path.mkdir(), "extract_frames", "is a folder, not a file"),
    "broken link": Case(
        lambda path: path.symlink_to("nowhere"), "extract_frames", "is a link to nothing"
    ),
    "looping link": Case(
        lambda path: path.symlink_to(path.name), "extract_frames", "leads back to itself"
    ),
    "pipe": Case(lambda path: os.mkfifo(path), "extract_frames", "is a pipe, not a file"),
    "device": Case(
        lambda path: path.symlink_to("/dev/zero"), "extract_frames", "is a device, not a file"
    ),
    "zero bytes": Case(lambda path: path.write_bytes(b""), "extract_frames", "0 bytes"),
    "zeros": Case(lambda path: path.write_bytes(bytes(5000)), **FAILS),
    "text": Case(lambda path: path.write_text("not a film\n" * 99), **FAILS),
    "web page": Case(lambda path: path.write_text("<!doctype html><h1>404</h1>"), **FAILS),
    "playlist": Case(lambda path: path.write_text("#EXTM3U\nhttp://127.0.0.1:9/a.ts\n"), **FAILS),
    "subtitles": Case(
        lambda path: path.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n"),
        "extract_frames",
        "neither video nor sound",
    ),
    "noise": Case(lambda path: path.write_bytes(np.random.default_rng(0).bytes(9000)), **FAILS),
    "document": Case(lambda path: path.write_bytes(b"%PDF-1.7\n%\xe2\xe3\n" * 200), **FAILS),
    "archive": Case(write_zip, **FAILS),
    "gzipped": Case(
        lambda path: path.write_bytes(gzip.compress(write_clip(path).read_bytes(), mtime=0)),
        **FAILS,
    ),
    "truncated": Case(write_truncated, **FAILS),
    "first bytes": Case(lambda path: (write_clip(path), cut_file(path, 0.01)), **FAILS),
    "header that asks for all memory": Case(
        lambda path: overwrite(write_clip(path), b"stts", 4, b"\xff\xff\xff\xff"), **FAILS
    ),
    "damaged everywhere": Case(
        damage_everywhere, "extract_frames", "no frame of the video decodes"
    ),
    "damaged sound": Case(replace_sound_by_noise, "extract_audio", "no part of the sound decodes"),
    "unknown picture": Case(
        lambda path: write_unknown_codec(path, b"V_MPEG4/ISO/ASP"),
        "extract_frames",
        "there is no decoder for the format of the video",
    ),
    "unknown sound": Case(
        lambda path: write_unknown_codec(path, b"A_MPEG/L2"),
        "extract_audio",
        "there is no decoder for the format of the audio",
    ),
    "sound that leaps": Case(write_leaping_sound, "extract_frames", "the sound jump by 86399 s"),
    "gaps of hours together": Case(
        write_many_gaps, "extract_frames", "the sound jump by 6000 s", name="a.mka"
    ),
    "picture that leaps by a year": Case(
        write_leaping_picture, "extract_frames", "the picture jump by 3153"
    ),
    "nine channels": Case(
        sound=lambda path: write_wave_header(path, 9, 16_000, 8000, 144_000),
        stage="extract_audio",
        says="cannot be mixed to one channel",
    ),
    "sixty-four channels": Case(
        sound=lambda path: write_wave_header(path, 64, 16_000, 800, 102_400),
        stage="extract_audio",
        says="",
    ),
    "two thousand million samples a second": Case(
        sound=lambda path: write_wave_header(path, 1, 2**31 - 1, 8000, 16_000),
        stage="extract_audio",
        says="",
    ),
    "one sample a second": Case(
        sound=lambda path: write_wave_header(path, 1, 1, 10_000, 20_000),
        stage="extract_audio",
        says="has 1 samples per second, and 4000 to 768000 are read",
    ),
    "a picture of 400 million pixels": Case(
        write_huge_picture, "extract_frames", "more than 35,389,440 pixels", name="a.png"
    ),
    "wave without sound": Case(
        lambda path: write_wave(path, 0), "extract_frames", "no part of the sound decodes"
    ),
    "empty annotation": Case(annotation=b"", stage="read_labels", says="is empty"),
    "annotation in binary": Case(
        annotation=bytes(range(256)), stage="read_labels", says="not text"
    ),
    "annotation of another film": Case(
        annotation=b"valence,arousal\n" + b"0,0\n" * 999,
        stage="read_labels",
        says="999 rows for 12",
    ),
    "annotation beyond the range": Case(
        annotation=b"valence,arousal\n0,1.5\n", stage="read_labels", says="line 2"
    ),
    "annotation is missing": Case(annotation=None, stage="read_labels", says="is missing"),
    "sound of its own is text": Case(
        sound=lambda path: path.write_text("la la"), stage="extract_audio", says="cannot be opened"
    ),
    "no crops": Case(faces=lambda path: path.mkdir(), stage="align_faces", says="no image"),
    "crops are missing": Case(faces=lambda _: None, stage="align_faces", says="is missing"),
    "crop is text": Case(
        faces=lambda path: write_crops(path, lambda crop: crop.write_text("oops")),
        stage="align_faces",
        says="00002.jpg is not a JPEG",
    ),
    "crop of another size": Case(
        faces=lambda path: write_crops(path, lambda crop: write_picture(crop, ".jpg")),
        stage="align_faces",
        says="00002.jpg is 96x64 pixels",
    ),
    "crop is a PNG": Case(
        faces=lambda path: write_crops(path, lambda crop: write_picture(crop, ".png")),
        stage="align_faces",
        says="00002.jpg is not a JPEG",
    ),
    "cut in mid-film": Case(write_cut_film),
    "damaged in the middle": Case(damage_the_middle),
    "another size midway": Case(change_size_midway, name="a.ts"),
    "one frame": Case(lambda path: write_clip(path, frames=1, sound=None)),
    "tiny": Case(lambda path: write_clip(path, size=(16, 16))),
    "sound alone": Case(lambda path: write_wave(path, 8000), name="a.wav"),
    "song with a cover": Case(write_cover_art, name="a.mp3"),
    "picture alone": Case(lambda path: write_clip(path, sound=None)),
    'it\'s a "name" -x {y}': Case(name='-it\'s a "näme" 😀 <b>.mp4'),
}
assert sum(case.stage != "ok" for case in CASES.values()) >= 25


class Run:
    """The jobs of one shard, one after another, as the rules run them."""

    def __init__(self, folder: Path, cases: dict[str, Case]) -> None:
        self.results = folder / "results"
        self.sheet = {}
        for number, (name, case) in enumerate(cases.items()):
            place = folder / f"{number:02d}"
            place.mkdir(parents=True)
            case.video(place / case.name)
            annotation, faces, sound = place / "a.txt", place / "crops", place / "own.wav"
            if case.annotation is not None:
                annotation.write_bytes(case.annotation)
            for make, path in ((case.faces, faces), (case.sound, sound)):
                if make is not None:
                    make(path)
            self.sheet[name] = Sample(
                sample=name,
                video=place / case.name,
                subject="largest",
                faces=faces if case.faces else None,
                audio=sound if case.sound else None,
                annotation=annotation,
                split=Split.TRAIN,
                group=name,
            )

    def job(self, script, *before: str, options=None, **stage) -> None:
        samples = {sample: {"sample": sample} for sample in self.sheet}
        running = shard_job(
            self.results, script.__name__, *before, options=options, samples=samples
        )
        script.main(replace(ShardJob.of(running, **stage), sheet=self.sheet))

    def all(self) -> None:
        self.job(extract_frames, options={"audio_only_fps": 30.0})
        self.job(extract_audio, "extract_frames", suffix=".wav")
        align_faces = SimpleNamespace(__name__="align_faces", main=align_shard)
        self.job(align_faces, "extract_frames")
        self.job(
            fill_frames, "align_faces", options={"no_valid_face": "zeros", "min_valid_share": 0.05}
        )
        before = ("extract_frames", "align_faces", "extract_audio")
        self.job(summarise_quality, *before, takes_absent=True)
        self.job(read_labels, "extract_frames", options={"max_difference": 30})

    def entries(self, stage: str):
        return read_index(self.results / "index" / stage / "000-of-001.json")

    def rows(self, stage: str, sample: str):
        return pq.read_table(self.results / stage / f"{sample}.parquet").to_pylist()


STAGES = ("extract_frames", "extract_audio", "align_faces", "summarise_quality", "read_labels")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    threads = torch.get_num_threads()
    made = Run(tmp_path_factory.mktemp("bad"), {FINE: Case(), **CASES, "also fine": Case()})
    handler = logging.Handler()
    made.log = []
    handler.emit = lambda record: made.log.append(record.getMessage())
    logger = logging.getLogger("circumplex")
    logger.addHandler(handler)
    try:
        made.all()
    finally:
        logger.removeHandler(handler)
        torch.set_num_threads(threads)
    return made


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.stage != "ok"])
def test_what_is_wrong_is_said_of_the_sample_by_name(run, name):
    case = CASES[name]
    entry = run.entries(case.stage)[name]
    assert entry.status is Status.FAILED
    assert entry.stage == case.stage
    assert case.says in entry.reason
    assert any(line.startswith(f"{name}: failed in {case.stage}: ") for line in run.log)
    assert not (run.results / case.stage / f"{name}.parquet").is_symlink()


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.stage == "ok"])
def test_what_is_odd_goes_through(run, name):
    for stage in STAGES:
        assert run.entries(stage)[name].status is not Status.FAILED, stage


def test_the_others_are_as_if_they_were_alone(run, tmp_path):
    alone = Run(tmp_path, {FINE: Case()})
    alone.all()
    for stage in STAGES:
        expected = alone.entries(stage)[FINE]
        assert expected.status is Status.OK
        assert run.entries(stage)[FINE].sha256 == expected.sha256
        assert run.entries(stage)["also fine"].status is Status.OK


def test_a_gap_is_recorded_and_filled(run):
    decoded = [row["decoded"] for row in run.rows("extract_frames", "damaged in the middle")]
    assert [k for k, fine in enumerate(decoded) if not fine] == [5, 6]
    faces = run.rows("align_faces", "damaged in the middle")
    assert len(faces) == FRAMES
    assert [faces[k]["detections"] for k in (5, 6)] == [[], []]
    quality = read_quality(run.results / "summarise_quality/damaged in the middle.parquet")
    assert quality.decoded_share == pytest.approx(10 / 12)


def test_what_is_absent_is_marked(run):
    for name in ("sound alone", "song with a cover"):
        assert run.entries("align_faces")[name].status is Status.ABSENT
        assert run.entries("extract_audio")[name].status is Status.OK
        quality = read_quality(run.results / f"summarise_quality/{name}.parquet")
        assert quality.valid_share is None
        assert quality.level_dbfs == pytest.approx(20 * np.log10(5000 / 32768), abs=0.6)
    for name in ("picture alone", "one frame"):
        assert run.entries("extract_audio")[name].status is Status.ABSENT
        assert run.entries("summarise_quality")[name].status is Status.OK
    assert run.entries("fill_frames")["tiny"].status is Status.ABSENT, "no face in it"
    assert run.entries("extract_frames")["one frame"].status is Status.OK
    assert len(run.rows("extract_frames", "one frame")) == 1


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    kinds = [
        *(("a.mp4", "libx264", Sound()), ("a.mkv", "mpeg4", Sound("flac"))),
        *(("a.avi", "mpeg4", Sound("pcm_s16le")), ("a.ts", "mpeg2video", Sound("mp2"))),
    ]
    paths = [
        write_clip(folder / name, codec, frames=6, sound=sound) for name, codec, sound in kinds
    ]
    return {path.name: path.read_bytes() for path in paths}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(["a.mp4", "a.mkv", "a.avi", "a.ts"]),
    edits=st.lists(
        st.tuples(st.floats(0, 1), st.booleans(), st.binary(min_size=1, max_size=4)),
        min_size=1,
        max_size=20,
    ),
)
def test_any_bytes_are_read_or_refused(tmp_path_factory, whole_files, name, edits):
    content = bytearray(whole_files[name])
    for place, in_header, value in edits:
        start = int(place * (min(800, len(content)) if in_header else len(content)))
        content[start : start + len(value)] = value
    folder = tmp_path_factory.mktemp("edited")
    path, timeline = folder / name, folder / "timeline.parquet"
    path.write_bytes(content)
    try:
        extract_frames.extract_frames(path, timeline, {})
    except SampleError:
        assert not timeline.exists()
        return
    time_s = pq.read_table(timeline)["time_s"].to_numpy()
    assert time_s[0] == 0
    assert (np.diff(time_s) > 0).all()
    try:
        extract_audio.extract_audio(path, folder / "a.wav", clock=timeline)
    except (SampleError, ModalityAbsent):
        assert not (folder / "a.wav").exists()


def test_a_lack_of_memory_fails_the_job(monkeypatch, tmp_path):
    overwrite(write_clip(tmp_path / "a.mp4"), b"stts", 4, b"\xff\xff\xff\xff")
    monkeypatch.setattr(memory, "ENOUGH_BYTES", 1 << 62)  # more than there is
    with pytest.raises(MemoryError):
        extract_frames.extract_frames(tmp_path / "a.mp4", tmp_path / "t.parquet", {})


def test_a_bad_sample_that_is_mended_is_made(tmp_path):
    broken = Run(tmp_path, {FINE: Case(), "b": CASES["truncated"]})
    broken.all()
    write_clip(broken.sheet["b"].video)
    broken.sheet["b"] = replace(broken.sheet["b"], group="g")
    broken.job(extract_frames, options={"audio_only_fps": 30.0})
    assert broken.entries("extract_frames")["b"].status is Status.OK
