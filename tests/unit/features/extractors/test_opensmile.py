import hashlib
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import opensmile
import pytest

from circumplex.features.extractors import (
    compare,
    egemaps,
)
from circumplex.features.extractors.opensmile import SHORTEST, DescriptorExtractor, Level
from circumplex.media.wave import append_facts, read_facts
from places import ROOT
from waves import RATE, join, sound, write_wave


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


PROGRAM = f"""
import sys, tempfile, hashlib
from pathlib import Path
sys.path[:0] = [{str(ROOT / "workflow/scripts")!r}]
import numpy as np, opensmile
from circumplex.features.extractors import compare, egemaps
folder = Path(sys.argv[1])
tempfile.tempdir = str(folder)
for module in (egemaps, compare):
    values = [rows.values for rows in module.build({{}}).rows(folder / "ton ä.wav")]
    print(hashlib.sha256(np.concatenate(values).tobytes()).hexdigest())
print(opensmile.__file__)
"""


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_folders_may_have_any_name(tmp_path, locale):
    """Results, temporary files and the environment itself, whatever the locale."""
    folder = tmp_path / "jürgen 😀"
    installed = folder / "umgebung ü"
    installed.mkdir(parents=True)
    shutil.copytree(Path(opensmile.__file__).parent, installed / "opensmile")
    write_wave(folder / "ton ä.wav", sound(1.0))
    environment = {**os.environ, "PYTHONPATH": str(installed), "LC_ALL": locale}
    command = [sys.executable, "-W", "error::UserWarning", "-c", PROGRAM, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    *digests, used = done.stdout.splitlines()
    assert "umgebung" in used
    plain = write_wave(tmp_path / "plain.wav", sound(1.0))
    for module, digest in zip((egemaps, compare), digests, strict=True):
        values = np.concatenate([rows.values for rows in module.build({}).rows(plain)])
        assert hashlib.sha256(values.tobytes()).hexdigest() == digest


def test_facts_behind_the_sound_change_no_descriptor(tmp_path):
    wave = write_wave(tmp_path / "a.wav", sound(1.0))
    before = join(egemaps.build({}).rows(wave))
    append_facts(wave, {"sound": {"number": 1, "of": 2}})
    after = join(egemaps.build({}).rows(wave))
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    assert read_facts(wave) == {"sound": {"number": 1, "of": 2}}


@pytest.mark.parametrize("samples", [1, 500, 959, 960, 4000])
def test_rows_are_those_of_opensmile_python(tmp_path, samples) -> None:
    """Short sound is filled up with zeros to one window of pitch, 60 ms."""
    tone = sound(0.25)[:samples]
    extractor = DescriptorExtractor("x", "eGeMAPSv01b", [Level.DESCRIPTORS])
    rows = join(extractor.rows(write_wave(tmp_path / "a.wav", tone)))
    padded = np.concatenate([tone, np.zeros(max(0, SHORTEST - samples))]).astype(np.int16)
    path = write_wave(tmp_path / "padded.wav", padded)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = opensmile.Smile("eGeMAPSv01b", "lld").process_file(str(path))
    assert np.array_equal(rows.values, reference.to_numpy(np.float32))
    assert rows.start_s == pytest.approx(0.01 * np.arange(len(reference)))
    assert rows.end_s - rows.start_s == pytest.approx(0.02)
