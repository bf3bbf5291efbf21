import av
import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from facenet_pytorch import MTCNN

from circumplex.config.faces import CropFormat, FaceOptions
from circumplex.errors import ModalityAbsent, RequestError
from circumplex.faces import align
from circumplex.faces.align import align_faces
from circumplex.faces.detector import FaceDetector, Faces
from circumplex.faces.fill import NoValid, Rule, fill_frames
from circumplex.faces.following import NO_FACES, key_frames
from circumplex.faces.similarity import ARCFACE_TEMPLATE
from circumplex.faces.subjects import Subject, intersection_over_union
from circumplex.io.parquet import read_columns
from circumplex.media.resampling import resample_timeline
from circumplex.media.timeline import extract_frames
from clips import damage, noise, write_video
from pictures import iter_frames
from places import MEDIA

LARGEST = Subject.parse("largest")


class Squares(FaceDetector):
    """Stands in for the networks: a face is a bright square, its side 28 pixels."""

    def __init__(self, followed=True):
        self.batches, self.refined, self.followed = [], 0, followed

    def refine(self, images, boxes):
        assert len(images) == len(boxes)
        self.refined += len(images)
        return [self.find(image) if self.followed else NO_FACES for image in images]

    def detect(self, images):
        assert len({image.shape for image in images}) == 1
        self.batches.append(len(images))
        return [self.find(image) for image in images]

    @staticmethod
    def find(image):
        count, _, stats, _ = cv2.connectedComponentsWithStats(
            (image.mean(axis=2) > 150).astype(np.uint8)
        )
        corners = np.array([stats[i, :2] for i in range(1, count) if stats[i, 4] > 400], np.float32)
        corners = corners.reshape(-1, 2)
        landmarks = (ARCFACE_TEMPLATE / 4)[None] + corners[:, None]
        return Faces(
            np.concatenate([corners, corners + 28], axis=1),
            landmarks.reshape(-1, 10).astype(np.float32),
            np.full(len(corners), 0.99, np.float32),
        )


def squares_at(*places):
    """Pictures with a bright square at (x + frame, y) for each place."""

    def picture(height, width, frame):
        image = noise(height, width, 0)
        for x, y in places:
            image[y : y + 28, x + frame : x + frame + 28] = 220
        return image

    return picture


def table_of(video, options=None, subject=LARGEST, detector=None):
    detector = detector or Squares()
    output = video.parent / "out" / "faces.parquet"
    align_faces(video, output, options or FaceOptions(), subject, {"a": 1}, detector)
    assert [path.name for path in output.parent.iterdir()] == ["faces.parquet"]
    return pq.read_table(output).to_pylist()


def decode(crop):
    return cv2.imdecode(np.frombuffer(crop, np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize("crop_format", list(CropFormat))
def test_every_detection_and_the_subjects_crop(tmp_path, crop_format):
    video = write_video(
        tmp_path / "a.mkv", "ffv1", frames=12, picture=squares_at((5, 10), (50, 30))
    )
    rows = table_of(video, FaceOptions(crop_format=crop_format), Subject.parse("right"))
    for frame, row in enumerate(rows):
        assert row["valid"]
        assert row["frame"] == frame
        assert row["time_s"] == pytest.approx(frame / 25, abs=1e-3)
        assert len(row["detections"]) == 2
        np.testing.assert_allclose(row["box"], [50 + frame, 30, 78 + frame, 58], atol=1)
        assert {"box", "landmarks", "probability"} == set(row["detections"][0])
        assert row["box"] in [face["box"] for face in row["detections"]]
        assert row["landmarks"] in [face["landmarks"] for face in row["detections"]]
        crop = decode(row["crop"])
        assert crop.shape == (112, 112, 3)
        assert crop[10:100, 10:100].min() > 200
        assert row["crop"].startswith(b"\x89PNG" if crop_format is CropFormat.PNG else b"\xff\xd8")
        assert not row["subject_switch"]


def test_frames_without_face_and_frames_that_failed(tmp_path):
    def picture(height, width, frame):
        return squares_at((5, 10))(height, width, 0 if 4 <= frame < 7 else 1)

    def sometimes(height, width, frame):
        return noise(height, width, frame) if 4 <= frame < 7 else picture(height, width, frame)

    whole = write_video(
        tmp_path / "whole.mkv", "mjpeg", frames=12, pixels="yuvj420p", picture=sometimes
    )
    video = damage(whole, tmp_path / "a.mkv", [9])
    rows = table_of(video)
    invalid = [row["frame"] for row in rows if not row["valid"]]
    assert invalid == [4, 5, 6, 9]
    assert [row["frame"] for row in rows] == list(range(12))
    for number in invalid:
        for column in ("probability", "box", "landmarks", "crop"):
            assert rows[number][column] is None
        assert rows[number]["detections"] == []
    fill = tmp_path / "fill.parquet"
    faces = tmp_path / "out" / "faces.parquet"
    fill_frames(faces, fill, Rule(NoValid.FAIL), {})
    sources = [0, 1, 2, 3, 3, 3, 7, 7, 8, 8, 10, 11]  # of two as near, the earlier one
    assert read_columns(fill, ["source_frame"])[0].tolist() == sources


def test_batches_shrink_with_the_frames_area_and_never_mix_sizes(tmp_path, monkeypatch):
    monkeypatch.setattr(align, "BATCH_PIXELS", 96 * 64 * 4)
    parts = [
        write_video(tmp_path / "a.ts", "mpeg2video", frames=10, size=(96, 64)),
        write_video(tmp_path / "b.ts", "mpeg2video", frames=10, size=(192, 128)),
    ]
    video = tmp_path / "joined.ts"
    video.write_bytes(b"".join(part.read_bytes() for part in parts))
    detector = Squares()
    rows = table_of(video, detector=detector)
    frames = sum(1 for _ in iter_frames(video))
    assert len(rows) == sum(detector.batches) == frames
    assert max(detector.batches) == 4
    assert detector.batches[-8:] == [1] * 8


def test_faces_are_followed_between_detections(tmp_path):
    video = write_video(tmp_path / "a.mkv", "ffv1", frames=23, picture=squares_at((5, 10)))
    detector = Squares()
    rows = table_of(video, FaceOptions(detect_every=4), detector=detector)
    assert [row["frame"] for row in rows if not row["interpolated"]] == [0, 4, 8, 12, 16, 20, 22]
    assert sum(detector.batches) == 7
    assert detector.refined == 16
    for frame, row in enumerate(rows):
        assert row["valid"]
        np.testing.assert_allclose(row["box"], [5 + frame, 10, 33 + frame, 38], atol=1.1)
        assert decode(row["crop"])[10:100, 10:100].min() > 150


def test_auto_detects_five_times_a_second(tmp_path):
    video = write_video(tmp_path / "a.mkv", "ffv1", frames=31, rate=25, picture=squares_at((5, 10)))
    detector = Squares()
    rows = table_of(video, FaceOptions(detect_every="auto"), detector=detector)
    assert all(row["valid"] for row in rows)
    whole = [row["time_s"] for row in rows if not row["interpolated"]]
    assert np.diff(whole).max() <= 0.2 + 1e-6
    assert len(whole) <= 8


@pytest.mark.parametrize("lost", [False, True])
def test_where_a_face_appears_or_is_lost_the_whole_frame_is_looked_through(tmp_path, lost):
    def appears(height, width, frame):
        hidden = lost or frame >= 7
        return (squares_at((5, 10)) if hidden else noise)(height, width, frame)

    video = write_video(tmp_path / "a.mkv", "ffv1", frames=13, picture=appears)
    detector = Squares(followed=not lost)
    rows = table_of(video, FaceOptions(detect_every=4), detector=detector)
    assert [row["valid"] for row in rows] == [lost or frame >= 7 for frame in range(13)]
    # Frames 5 to 7 lie between detections that differ; where refinement fails, all are detected.
    assert sum(detector.batches) == (13 if lost else 4 + 3)


def test_frames_of_detection_are_close_in_time_whatever_the_rate():
    assert key_frames([0.0, 0.1, 0.2, 0.3, 0.4, 0.5], "auto") == [0, 2, 4, 5]
    assert key_frames([0.0, 1.0, 2.0], "auto") == [0, 1, 2]
    assert key_frames([0.0, 0.05, 0.9, 0.95, 1.0], "auto") == [0, 1, 2, 4]
    assert key_frames([0.0, 0.04, 0.08, 0.12], 3) == [0, 3]
    assert key_frames([0.5], "auto") == [0]
    assert key_frames([], "auto") == []


def test_improbable_faces_are_kept_but_not_valid(tmp_path):
    class Unsure(Squares):
        def detect(self, images):
            return [
                Faces(f.boxes, f.landmarks, f.probabilities * np.float32(0.8))
                for f in super().detect(images)
            ]

    video = write_video(tmp_path / "a.mkv", "ffv1", frames=5, picture=squares_at((5, 10)))
    rows = table_of(video, detector=Unsure())
    assert not any(row["valid"] for row in rows)
    assert all(len(row["detections"]) == 1 for row in rows)


def test_sound_alone_has_no_faces(tmp_path):
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(ModalityAbsent):
        table_of(path)


def test_options_from_a_config():
    options = FaceOptions.read({"thresholds": [0.5, 0.6, 0.7], "crop_format": "png"})
    assert options == FaceOptions(thresholds=(0.5, 0.6, 0.7), crop_format=CropFormat.PNG)
    assert FaceOptions.read({}) == FaceOptions()


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_size": 40},
        {"min_face_size": 5},
        {"thresholds": [0.5, 0.6]},
        {"thresholds": [0.5, 0.6, 1.7]},
        {"crop_format": "gif"},
        {"factor": 1.0},
        {"jpeg_quality": 0},
        {"detect_every": 0},
        {"min_probability": -0.1},
    ],
)
def test_invalid_options(wrong):
    with pytest.raises(RequestError, match="faces"):
        FaceOptions.read(wrong, "faces")


@pytest.fixture(scope="module")
def detector():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield FaceDetector(FaceOptions())
    torch.set_num_threads(threads)


def test_nothing_in_noise_or_in_tiny_pictures(detector):
    assert len(detector.detect([noise(120, 160, 0)])[0]) == 0
    for height, width in [(1, 1), (20, 300), (35, 35), (40, 40)]:
        assert len(detector.detect([np.zeros((height, width, 3), np.uint8)])[0]) == 0


@pytest.fixture(scope="module")
def portrait():
    path = MEDIA / "astronaut.png"
    if not path.is_file():
        pytest.skip("the real clips do not lie beside this checkout, in ../shared/media")
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def test_agrees_with_facenet_pytorchs_own_loop(detector, portrait):
    boxes, probabilities, points = MTCNN(
        keep_all=True, min_face_size=FaceOptions().min_face_size
    ).detect(portrait, landmarks=True)
    found = detector.detect([portrait])[0]
    sure = np.flatnonzero(np.array(probabilities, float) >= 0.95)
    assert len(sure) == 1
    assert intersection_over_union(found.boxes[0], boxes[sure[0]].astype(float)) > 0.9
    np.testing.assert_allclose(
        found.landmarks[0].reshape(5, 2), points[sure[0]].astype(float), atol=3
    )
    assert found.probabilities[0] == pytest.approx(probabilities[sure[0]], abs=0.02)


def test_batched_is_single_whatever_the_others_hold(detector, portrait):
    two = np.concatenate([portrait[:400, 100:400], portrait[:400, 100:400][:, ::-1]], axis=1)
    one = np.concatenate([portrait[:400, 100:400], np.zeros((400, 300, 3), np.uint8)], axis=1)
    images = [one, two, np.zeros_like(one)]
    batched = detector.detect(images)
    assert [len(faces) for faces in batched] == [1, 2, 0]
    for image, faces in zip(images, batched, strict=True):
        alone = detector.detect([image])[0]
        np.testing.assert_allclose(alone.boxes, faces.boxes, atol=0.01)
        np.testing.assert_allclose(alone.landmarks, faces.landmarks, atol=0.01)


def test_face_cut_by_the_edge(detector, portrait):
    for top in (60, 90, 120):
        faces = detector.detect([np.ascontiguousarray(portrait[top:300, 200:300])])[0]
        assert np.isfinite(faces.boxes).all()


@pytest.mark.slow
def test_real_clip_of_two(tmp_path, detector):
    clip = MEDIA / "two_faces_25fps.mp4"
    if not clip.is_file():
        pytest.skip("the real clips do not lie beside this checkout, in ../shared/media")
    centres = {}
    for side in ("left", "right"):
        output = tmp_path / f"{side}.parquet"
        align_faces(clip, output, FaceOptions(), Subject.parse(side), {}, detector)
        rows = pq.read_table(output).to_pylist()
        assert len(rows) == 75
        assert all(row["valid"] for row in rows)
        assert not any(row["subject_switch"] for row in rows)
        centres[side] = np.array([(row["box"][0] + row["box"][2]) / 2 for row in rows])
    assert centres["left"].max() < 360 < centres["right"].min()


def read_talkers():
    clips = [MEDIA / name for name in ("talker_lbax4n.mpg", "talker_sbia1a.mpg")]
    if not all(clip.is_file() for clip in clips):
        pytest.skip("the real clips do not lie beside this checkout, in ../shared/media")
    return [[frame.image for frame in iter_frames(clip)] for clip in clips]


def test_real_people_in_black_and_white_keep_their_identity_when_a_cut_swaps_them(
    tmp_path, detector
):
    one, other = read_talkers()

    def picture(_height, _width, frame):
        pair = [one[frame], other[frame]][:: 1 if frame < 14 else -1]
        grey = cv2.cvtColor(np.concatenate(pair, axis=1), cv2.COLOR_RGB2GRAY)
        return cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)

    video = write_video(tmp_path / "a.mkv", "ffv1", frames=24, size=(720, 288), picture=picture)
    rows = table_of(video, subject=Subject.parse("left"), detector=detector)
    assert all(row["valid"] for row in rows)
    is_left = [(row["box"][0] + row["box"][2]) / 2 < 360 for row in rows]
    assert is_left == [True] * 14 + [False] * 10
    assert [row["frame"] for row in rows if row["subject_switch"]] == [14]


def test_a_real_person_stays_the_same_when_the_light_changes(tmp_path, detector):
    one, _ = read_talkers()

    def picture(_height, _width, frame):
        return (one[frame] * (1.0 if 8 <= frame < 16 else 0.5)).astype(np.uint8)

    video = write_video(tmp_path / "a.mkv", "ffv1", frames=24, size=(360, 288), picture=picture)
    rows = table_of(video, detector=detector)
    assert all(row["valid"] for row in rows)
    assert not any(row["subject_switch"] for row in rows)


@pytest.mark.parametrize("rate", [25.0, 60.0, 100.0])
def test_on_a_regular_timeline_the_faces_are_those_of_the_frames_that_it_takes(tmp_path, rate):
    video = write_video(tmp_path / "v.mkv", "ffv1", frames=40, rate=60, picture=squares_at((5, 10)))
    native, regular = tmp_path / "native.parquet", tmp_path / "regular.parquet"
    extract_frames(video, native, {})
    resample_timeline(native, regular, {}, rate=rate)
    tables = []
    for timeline in (native, regular):
        output = tmp_path / f"faces_{timeline.stem}.parquet"
        options = (FaceOptions(), LARGEST, {}, Squares())
        align_faces(video, output, *options, timeline=timeline)
        tables.append(pq.read_table(output))
    time_s, source = read_columns(regular, ["time_s", "source"])
    whole, taken = tables
    assert taken["frame"].to_pylist() == list(range(len(source)))
    np.testing.assert_allclose(taken["time_s"].to_numpy(), time_s)
    assert taken["box"].to_pylist() == whole.take(source)["box"].to_pylist()
    assert taken["crop"].to_pylist() == whole.take(source)["crop"].to_pylist()
