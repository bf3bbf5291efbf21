import math

import pytest

from circumplex.model.encoders.base import sinusoids


def test_sinusoids():
    table = sinusoids(6, 5)
    for pos in range(6):
        for i in range(5):
            angle = pos / 10_000 ** ((i // 2 * 2) / 5)
            expected = math.cos(angle) if i % 2 else math.sin(angle)
            assert float(table[pos, i]) == pytest.approx(expected, abs=1e-6)
