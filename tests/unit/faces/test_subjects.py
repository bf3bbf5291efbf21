import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circumplex.errors import RequestError
from circumplex.faces.subjects import Choice, Subject, Tracker, intersection_over_union

ANNA, BEN, CARL = np.eye(3, dtype=np.float32)
WIDTH = 640


def box(x, y=100.0, side=80.0):
    return [x, y, x + side, y + side]


def follow(frames, subject="largest", fps=25.0):
    """The person chosen in each frame, of frames of (person's appearance, box)."""
    places = follow_places(frames, subject, fps)
    chosen = zip(frames, places, strict=True)
    return [None if k is None else int(np.argmax(people[k][0])) for people, k in chosen]


def follow_places(frames, subject="largest", fps=25.0, shots=None):
    """Run a tracker over frames of (person's appearance, box); return the place of the chosen one
    in each frame's list. Shots are numbers of each frame's, if anybody knows."""
    tracker = Tracker(Subject.parse(subject))
    tracks = []
    for number, people in enumerate(frames):
        boxes = np.array([b for _, b in people], float).reshape(-1, 4)
        appearances = np.array([who for who, _ in people], np.float32).reshape(-1, 3)
        shot = None if shots is None else shots[number]
        tracks.append(tracker.update(number / fps, WIDTH, boxes, appearances, shot))
    chosen = tracker.choose()
    seen = []
    for found in tracks:
        mine = [k for k, track in enumerate(found) if track in chosen]
        assert len(mine) <= 1
        seen.append(mine[0] if mine else None)
    return seen


def test_no_face_ever():
    assert follow([[]] * 5) == [None] * 5
    assert follow([[]] * 5, "left") == [None] * 5
    assert follow([], "right") == []


def test_one_face_is_followed_through_a_gap():
    frames = [[(ANNA, box(100 + k))] if not 20 <= k < 35 else [] for k in range(60)]
    assert follow(frames) == [None if 20 <= k < 35 else 0 for k in range(60)]


def test_largest_does_not_flicker_when_sizes_do():
    rng = np.random.default_rng(0)
    frames = [
        [(ANNA, box(100, side=80 + rng.normal(0, 8))), (BEN, box(400, side=78 + rng.normal(0, 8)))]
        for _ in range(200)
    ]
    seen = follow(frames)
    assert len(set(seen)) == 1


def test_order_of_detections_does_not_matter():
    frames = [
        [(ANNA, box(100, side=90)), (BEN, box(400))][:: 1 if k % 3 else -1] for k in range(60)
    ]
    assert follow(frames) == [0] * 60


def test_subject_leaves_while_another_stays():
    frames = [
        ([(ANNA, box(100, side=120))] if k < 100 or k >= 160 else []) + [(BEN, box(400))]
        for k in range(200)
    ]
    assert follow(frames) == [None if 100 <= k < 160 else 0 for k in range(200)]


def test_cut_to_another_person_at_the_same_place_and_back():
    frames = [[(BEN if 50 <= k < 80 else ANNA, box(250))] for k in range(130)]
    assert follow(frames) == [None if 50 <= k < 80 else 0 for k in range(130)]


def test_cut_to_the_same_person_elsewhere():
    frames = [[(ANNA, box(50) if k < 50 else box(500, side=160))] for k in range(100)]
    assert follow(frames) == [0] * 100


def test_a_cut_that_swaps_places_of_people_rather_alike():
    """Alike enough to be one person after a pause, not from one frame to the next."""
    twin = np.array([0.85, np.sqrt(1 - 0.85**2), 0], np.float32)
    both = [[(ANNA, box(100, side=90)), (twin, box(400))]] * 40
    swapped = [[(twin, box(100)), (ANNA, box(400, side=90))]] * 30
    for subject in ("largest", "left"):
        assert follow_places(both + swapped, subject) == [0] * 40 + [1] * 30


def test_a_slow_change_of_looks_within_a_shot_is_no_new_person():
    turn = [np.array([np.cos(a), np.sin(a), 0], np.float32) for a in np.linspace(0, 1.5, 60)]
    assert follow_places([[(who, box(100))] for who in turn]) == [0] * 60


def test_crossing_people_keep_their_identity():
    frames = [[(ANNA, box(100 + 4 * k, side=100)), (BEN, box(500 - 4 * k))] for k in range(100)]
    assert follow(frames) == [0] * 100


def test_left_and_right():
    frames = [[(ANNA, box(100)), (BEN, box(400))]] * 30
    assert follow(frames, "left") == [0] * 30
    assert follow(frames, "right") == [1] * 30


@pytest.mark.parametrize(("subject", "who"), [("left", 0), ("right", 1)])
def test_a_side_stays_empty_while_only_the_other_is_there(subject, who):
    both = [(ANNA, box(100)), (BEN, box(400))]
    frames = [both] * 30 + [both[:1]] * 20 + [both] * 10 + [both[1:]] * 60 + [both] * 10
    expected = [
        who if any(np.argmax(look_) == who for look_, _ in people) else None for people in frames
    ]
    assert follow(frames, subject) == expected
    assert None in expected


def test_sides_hold_when_the_camera_pans():
    """Alone in the picture, the left person moves into its right half."""
    frames = [[(ANNA, box(100)), (BEN, box(400))]] * 50
    frames += [[(ANNA, box(min(100 + 10 * k, 450)))] for k in range(80)]
    assert follow(frames, "left") == [0] * 130
    assert follow(frames, "right") == [1] * 50 + [None] * 80


def test_a_person_alone_is_on_the_side_of_the_half():
    frames = [[(ANNA, box(100))]] * 20
    assert follow(frames, "left") == [0] * 20
    assert follow(frames, "right") == [None] * 20


def test_a_fleeting_false_face_does_not_decide_the_sides():
    frames = [
        [(ANNA, box(100))] + ([(CARL, box(20, side=30))] if k == 7 else []) for k in range(60)
    ]
    assert follow(frames, "left") == [0] * 60


def test_given_box():
    frames = [[(ANNA, box(100, side=150)), (BEN, box(300)), (CARL, box(500, side=200))]] * 20
    assert follow(frames, "310,90,390,190") == [1] * 20
    assert follow(frames, "0,400,50,450") == [None] * 20


def test_two_frames_of_one_person_only():
    assert follow([[(ANNA, box(100))]]) == [0]


@pytest.mark.parametrize("text", ["", "middle", "1,2,3", "1,2,3,x", "10,0,5,5", "nan,0,5,5"])
def test_unreadable_subject(text):
    with pytest.raises(RequestError, match="subject"):
        Subject.parse(text)


@given(
    st.text(max_size=12) | st.lists(st.floats(), max_size=5).map(lambda v: ",".join(map(str, v)))
)
def test_any_subject_is_read_or_refused(text):
    try:
        subject = Subject.parse(text)
    except RequestError:
        return
    if subject.box is not None:
        x0, y0, x1, y1 = subject.box
        assert x0 < x1
        assert y0 < y1


def test_readable_subject():
    assert Subject.parse("left") == Subject(Choice.LEFT)
    assert Subject.parse("1,2,30,40.5") == Subject(Choice.BOX, (1.0, 2.0, 30.0, 40.5))


def test_overlap_of_boxes():
    one = np.array([0.0, 0.0, 2.0, 2.0])
    assert intersection_over_union(one, one) == 1.0
    assert intersection_over_union(one, one + 1) == pytest.approx(1 / 7)
    assert intersection_over_union(one, one + 2) == 0.0


def turned(likeness, towards=BEN):
    """An appearance with this likeness to Anna's."""
    return (likeness * ANNA + np.sqrt(1 - likeness**2) * towards).astype(np.float32)


def test_a_face_that_is_alone_and_moves_fast_is_no_other_person():
    rng = np.random.default_rng(0)
    fast = range(60, 74)
    frames = [[(ANNA, box(250))] for _ in range(183)]
    for k in fast:  # each too far from the last, or too unlike it, for one track
        frames[k] = [(turned(0.6, BEN if k % 2 else CARL), box(float(rng.uniform(0, 500))))]
    assert follow_places(frames) == [0] * 183
    frames[66] = [*frames[66], (CARL, box(550))]
    assert follow_places(frames)[66] is None, "another face is in the picture"


def test_shots_of_other_people_stay_theirs():
    """Cuts between people who are never seen together, in the same place, and not unlike."""
    frames = [[(turned(0.7) if 50 <= k < 65 else ANNA, box(250))] for k in range(130)]
    assert follow_places(frames) == [None if 50 <= k < 65 else 0 for k in range(130)]
    unlike = [[(turned(0.4) if 50 <= k < 55 else ANNA, box(250))] for k in range(130)]
    assert follow_places(unlike) == [None if 50 <= k < 55 else 0 for k in range(130)]


def test_a_film_of_a_picture_a_second_has_no_fragments():
    frames = [[(turned(0.7) if k == 5 else ANNA, box(250))] for k in range(10)]
    assert follow_places(frames, fps=1.0) == [None if k == 5 else 0 for k in range(10)]


def test_a_sure_face_is_never_dropped_where_there_is_no_second_one():
    """A person who turns away for a second, is lost, and comes back elsewhere, quite unlike."""
    frames = [[(ANNA, box(250))] for _ in range(150)]
    frames[50:75] = [[(turned(0.3), box(260 + k))] for k in range(25)]
    frames[75:90] = [[]] * 15
    frames[90:120] = [[(turned(0.45, CARL), box(500))] for _ in range(30)]
    seen = [0 if people else None for people in frames]
    assert follow_places(frames, shots=[0] * 150) == seen
    # After a cut nobody knows that it is the same person.
    cut = follow_places(frames, shots=[0] * 50 + [1] * 25 + [2] * 75)
    assert cut[50:75] == [None] * 25
    # Nor where a second person is in the shot.
    frames[10] = [*frames[10], (BEN, box(500, side=40))]
    crowded = follow_places(frames, shots=[0] * 150)
    assert crowded[50:75] == [None] * 25


def test_in_a_shot_without_cut_another_look_after_a_long_absence_must_be_rather_alike():
    frames = [[(ANNA, box(250))] for _ in range(60)] + [[]] * 50
    for likeness, place in ((0.6, 0), (0.3, None)):
        back = [[(turned(likeness), box(250))] for _ in range(30)]
        found = follow_places(frames + back, shots=[0] * 140)
        assert found == [0] * 60 + [None] * 50 + [place] * 30
