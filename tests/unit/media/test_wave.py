import numpy as np

from circumplex.media.wave import WaveFile
from waves import write_wave


def test_wave_file_is_read_in_pieces_with_zeros_after_the_end(tmp_path) -> None:
    samples = np.array([-32768, 0, 1, 32767])
    with WaveFile(write_wave(tmp_path / "a.wav", samples)) as file:
        assert file.samples == 4
        assert file.read(0, 4).tolist() == [-1, 0, 1 / 32768, 32767 / 32768]
        assert file.read(2, 4).tolist() == [1 / 32768, 32767 / 32768, 0, 0]
        assert file.read(9, 2).tolist() == [0, 0]
