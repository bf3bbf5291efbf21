import csv

import cv2
import pytest

from circumplex.backbones.stills import EXPRESSIONS
from demo.corpus.plan import CASTS, plan_corpus
from demo.corpus.stills import action_units, expression_class, plan_stills


def stills_of(corpus):
    with (corpus / "stills" / "stills.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_stills_are_aligned_faces_of_other_people_each_in_one_split(tiny):
    rows = stills_of(tiny / "data")
    people, pictures = CASTS["tiny"].stills
    assert 0.9 * people * pictures <= len(rows) <= people * pictures  # a blurred face may be lost
    splits = {}
    for row in rows:
        assert cv2.imread(str(tiny / "data/stills" / row["image"])).shape == (112, 112, 3)
        assert splits.setdefault(row["subject"], row["split"]) == row["split"]
    assert set(splits.values()) == {"train", "val", "test"}
    filmed = {subject.person for video in plan_corpus(0, "tiny") for subject in video.subjects}
    assert not filmed & splits.keys()
    looks = {tuple(s.video.subjects[0].strata.values()) for s in plan_stills(0, "tiny")}
    assert len(looks) == people
    assert not looks & {
        tuple(s.strata.values()) for v in plan_corpus(0, "tiny") for s in v.subjects
    }


@pytest.mark.slow
def test_the_demos_stills_show_every_class_and_name_no_valence(tiny):
    rows = [
        expression_class(float(v), float(a))
        for sitting in plan_stills(0, "demo")
        for v, a in zip(
            sitting.video.subjects[0].latents.valence,
            sitting.video.subjects[0].latents.arousal,
            strict=True,
        )
    ]
    counts = {name: rows.count(name) for name in EXPRESSIONS}
    assert sum(counts.values()) == len(rows)
    assert min(counts.values()) > 50
    assert not {"valence", "arousal"} & set(stills_of(tiny / "data")[0])


@pytest.mark.parametrize(
    ("valence", "arousal", "expected"),
    [
        (0.1, -0.1, "neutral"),
        (0.8, 0.0, "happiness"),
        (0.4, -0.6, "happiness"),
        (0.2, 0.8, "surprise"),
        (-0.3, 0.7, "fear"),
        (-0.7, 0.4, "anger"),
        (-0.8, 0.0, "disgust"),
        (-0.7, -0.4, "contempt"),
        (-0.2, -0.8, "sadness"),
        (0.1, -0.9, "sadness"),
    ],
)
def test_classes_are_regions_of_the_circumplex(valence, arousal, expected):
    assert expression_class(valence, arousal) == expected


def test_action_units_are_what_the_drawing_moves():
    def units(valence, arousal, speech=0.0):
        return action_units(valence, arousal, speech)

    smile, frown = units(0.8, 0.0), units(-0.8, 0.0)
    assert smile[12] == smile[6] == pytest.approx(4)
    assert smile[15] == smile[4] == 0
    assert frown[15] == pytest.approx(4)
    assert frown[12] == 0
    assert frown[4] == pytest.approx(5 * 0.62)
    raised = units(0.0, 0.6)
    assert raised[2] == pytest.approx(3)
    assert raised[5] == pytest.approx(3)
    assert units(0.0, 0.0, speech=1.0)[26] > units(0.0, 0.0)[26]
    assert units(-0.8, 0.6)[1] < raised[1]  # a frown draws the inner ends down
    assert all(
        0 <= value <= 5 for a in (-1, 0, 1) for v in (-1, 0, 1) for value in units(v, a).values()
    )
