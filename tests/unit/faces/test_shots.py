"""Cuts against movement, light and blank pictures."""

import cv2
import numpy as np
import pytest

from circumplex.faces.shots import ShotCounter
from clips import noise


def scene(seed):
    """A picture of large patches, as of a room."""
    patches = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(patches, (320, 240), interpolation=cv2.INTER_CUBIC)


def shots_of(pictures):
    counter = ShotCounter()
    return [counter.count(picture) for picture in pictures]


def with_face(picture, x):
    out = picture.copy()
    out[80:140, x : x + 45] = (170, 140, 120)
    return out


def test_a_cut_starts_a_shot():
    one, other = scene(0), scene(1)
    assert shots_of([one, one, other, other, one]) == [0, 0, 1, 1, 2]


def test_a_face_that_moves_fast_is_no_cut():
    assert shots_of([with_face(scene(2), x) for x in (20, 60, 100, 140, 180, 220)]) == [0] * 6


@pytest.mark.parametrize("light", [0.5, 1.3])
def test_another_light_is_no_cut(light):
    dark = np.clip(scene(3) * 0.6, 0, 255).astype(np.uint8)
    lit = np.clip(dark * light, 0, 255).astype(np.uint8)
    assert shots_of([dark, lit, dark]) == [0, 0, 0]


def test_a_blank_picture_is_a_cut_and_two_are_too():
    blank = np.zeros((240, 320, 3), np.uint8)
    assert shots_of([scene(4), blank, scene(4)]) == [0, 1, 2]


def test_the_size_of_the_pictures_may_change():
    assert shots_of([scene(5), cv2.resize(scene(5), (640, 480))]) == [0, 0]
    assert shots_of([noise(64, 96, 0), noise(64, 96, 0)]) == [0, 0]
