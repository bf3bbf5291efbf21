from fractions import Fraction

import numpy as np
import pytest

from demo.corpus.film import draw
from demo.corpus.make import annotation_text
from demo.corpus.plan import CASTS, plan_corpus


def test_another_seed_gives_other_labels_and_faces():
    first, other = (
        next(video for video in plan_corpus(seed, "tiny") if len(video.times) == 50)
        for seed in (0, 1)
    )
    assert annotation_text(first.subjects[0], 0) != annotation_text(other.subjects[0], 0)
    still = [np.zeros(50)]
    pictures = [next(draw(video, still, np.random.default_rng(9))) for video in (first, other)]
    assert pictures[0].shape == (240, 320, 3)
    assert np.abs(pictures[0].astype(int) - pictures[1]).mean() > 2


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 40])
def test_statistics_of_the_demo_hold_for_any_seed(seed):
    videos = plan_corpus(seed, "demo")
    samples = [(video, subject) for video in videos for subject in video.subjects]
    assert len({subject.sample for _, subject in samples}) == len(samples) >= 22
    people = {
        split: {s.person for video, s in samples if video.clip.split == split}
        for split in ("train", "val", "test")
    }
    assert sum(len(group) for group in people.values()) == len(set.union(*people.values()))
    assert sum(len(group) for group in people.values()) >= 14
    assert len(people["test"]) >= 5
    assert sum(video.clip.split == "test" for video in videos) >= 8
    assert all(6 <= video.times[-1] <= 10.5 for video in videos)
    assert all(
        0.5 <= s.hidden.sum() * np.median(np.diff(v.times)) <= 1.6
        for v, s in samples
        if s.hidden.any()
    )

    for split in people:
        chosen = [s for v, s in samples if v.clip.split == split]
        paths = {
            "valence": [s.latents.valence for s in chosen],
            "arousal": [s.latents.arousal for s in chosen],
        }
        truth = {name: np.concatenate(values) for name, values in paths.items()}
        assert abs(np.corrcoef(truth["valence"], truth["arousal"])[0, 1]) < 0.1
        for name, values in paths.items():
            total = truth[name].var()
            assert np.abs(truth[name]).max() <= 0.95
            assert 0.36 < truth[name].std() < 0.55
            means = np.concatenate([np.full(len(path), path.mean()) for path in values])
            assert means.var() < 0.12 * total
            for path in values:  # a mean over 51 frames keeps most of it
                smooth = [path[max(0, j - 25) : j + 26].mean() for j in range(len(path))]
                assert np.std(smooth) > 0.55 * path.std()
                assert 0.35 < path.std() < 0.5
                assert np.abs(np.diff(path)).max() < 0.1
            for drift in ("x", "y", "scale", "light"):
                moved = np.concatenate([s.latents.drifts[drift] for s in chosen])
                assert abs(np.corrcoef(truth[name], moved)[0, 1]) < 0.1


def test_demo_holds_each_hard_case():
    clips = CASTS["demo"].clips
    assert sum(len(clip.people) == 2 for clip in clips) == 1
    assert sum(clip.variable for clip in clips) == 1
    assert [clip.split for clip in clips if not clip.sound] == ["train"]
    assert [clip.extra_rows for clip in clips if clip.extra_rows] == [2]
    assert {clip.suffix for clip in clips} >= {".mp4", ".mkv"}
    assert any(clip.fps != Fraction(25) for clip in clips)
    for split in ("train", "val", "test"):
        assert any(clip.absences for clip in clips if clip.split == split)
        assert any(clip.unlabelled for clip in clips if clip.split == split)
