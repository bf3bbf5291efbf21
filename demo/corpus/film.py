"""One video: its pictures drawn, its sound spoken, both encoded."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from demo.corpus import faces, voices
from demo.corpus.brush import Canvas
from demo.corpus.plan import Subject, Video

SINGLE, DOUBLE = (320, 240), (400, 240)  # frame sizes, pixels
OVERSAMPLE = 2  # pictures are composed at twice their size, then averaged down
HALF_FACE = 62.0  # half the height of a face in the finished frame, pixels


def make_video(video: Video, folder: Path) -> Path:
    """Draw, voice and encode a video into the folder; returns its path."""
    rng = np.random.default_rng(video.seed)
    speech_rngs = rng.spawn(len(video.subjects))
    control = voices.control_times(float(video.times[-1]) + 0.04)
    spoken = [
        _speech(speech_rng, subject, video, control, i)
        for i, (speech_rng, subject) in enumerate(zip(speech_rngs, video.subjects, strict=True))
    ]
    mouths = [np.interp(video.times, control, speech.opening) for speech, _ in spoken]
    sound = np.sum([sound for _, sound in spoken], axis=0)
    sound = sound + voices.room(rng, len(sound), float(rng.uniform(-56, -46)))
    path = folder / f"{video.name}{video.clip.suffix}"
    encode(video, path, draw(video, mouths, rng), sound.astype(np.float32))
    return path


def _speech(
    rng: np.random.Generator,
    subject: Subject,
    video: Video,
    control: NDArray[np.float64],
    seat: int,
) -> tuple[voices.Speech, NDArray[np.float64]]:
    cues = {
        name: np.interp(control, video.times, path) for name, path in subject.latents.cues.items()
    }
    speech = voices.speak(rng, cues["voice_arousal"])
    if len(video.subjects) > 1:  # they take turns
        turn = 2.0 if control[-1] > 4 else 0.8
        mine = (np.floor(control / turn).astype(int) % 2) == seat
        speech = voices.Speech(
            speech.opening * mine, speech.formants, speech.hiss * mine, speech.phrase
        )
    person = subject.strata
    voice = voices.Voice(
        pitch=125.0 * 2 ** (0.7 * person["pitch"]),
        tract=0.95 + 0.12 * person["tract"] * 0.5 + 0.06 * person["pitch"],
        breath=0.02 + 0.03 * rng.random(),
        gain_db=float(rng.uniform(-1.5, 1.5)),
    )
    return speech, voices.sing(rng, voice, speech, cues["voice_valence"], cues["voice_arousal"])


def draw(
    video: Video, mouths: list[NDArray[np.float64]], rng: np.random.Generator
) -> Iterator[NDArray[np.uint8]]:
    """The frames, RGB; ``mouths`` hold each subject's syllable envelope on the frames."""
    width, height = SINGLE if len(video.subjects) == 1 else DOUBLE
    size = (width * OVERSAMPLE, height * OVERSAMPLE)
    wall = faces.backdrop(rng, (size[0] + 80, size[1] + 80))
    tint = 1 + 0.04 * rng.uniform(-1, 1, 3)
    light = faces.Light(float(rng.uniform(-0.35, 0.35)), -0.3, tint, float(rng.uniform(0.45, 0.58)))
    cast = []
    for i, subject in enumerate(video.subjects):
        # The person's own generator: the same face in every clip of that person.
        face_rng = np.random.default_rng([video.seed[0], *subject.person.encode()])
        look = faces.draw_look(face_rng, subject.strata)
        seat = width * (0.5 if len(video.subjects) == 1 else (0.25, 0.75)[i])
        cast.append(_Actor(rng.spawn(1)[0], subject, look, light, video.times, mouths[i], seat))
    exposure = 1 + 0.05 * video.subjects[0].latents.drifts["light"]
    grain = [rng.normal(0, 2.2, (height + 16, width + 16, 1)) for _ in range(4)]
    blur = _soft_focus(rng, video.times)
    pan = 12 * video.subjects[0].latents.drifts["x"], 9 * video.subjects[0].latents.drifts["y"]
    for k in range(len(video.times)):
        x, y = (int(np.clip(40 + drift[k], 0, 80)) for drift in pan)
        picture = wall[y : y + size[1], x : x + size[0]].copy()
        for actor in cast:
            actor.appear(picture, k)
        if blur[k] > 0.3:
            picture = cv2.GaussianBlur(picture, (0, 0), float(blur[k]))
        frame = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        top, left = rng.integers(0, 16, 2)
        noise = grain[k % 4][top : top + height, left : left + width]
        yield np.clip(frame * exposure[k] + noise, 0, 255).astype(np.uint8)


def _soft_focus(rng: np.random.Generator, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Blur (pixels of the large picture): a short hunt of the autofocus now and then."""
    blur = np.zeros(len(times))
    for _ in range(int(rng.integers(0, 3))):
        middle = rng.uniform(0, times[-1])
        blur += rng.uniform(1.0, 2.6) * np.exp(-(((times - middle) / 0.25) ** 2))
    return blur


def shown(cue: NDArray[np.float64]) -> NDArray[np.float64]:
    """A cue as the face shows it: bounded, so that no part leaves its place."""
    return np.asarray(1.25 * np.tanh(cue / 1.25))


def expression_of(
    valence: float,
    arousal: float,
    speech: float,
    blink: float = 1.0,
    gaze: tuple[float, float] = (0.0, 0.0),
    turn: tuple[float, float] = (0.0, 0.0),
) -> faces.Expression:
    """The face of a person who feels and speaks so; ``blink`` is 0 with shut eyes."""
    return faces.Expression(
        smile=valence,
        brow_raise=1.0 * arousal,
        frown=-0.9 * valence - 0.1,
        eye_open=blink * (1.0 + 0.5 * arousal),
        mouth_open=max(0.0, 0.26 + 0.36 * arousal + (0.18 + 0.06 * arousal) * speech),
        spread=0.3 * valence,
        gaze=gaze,
        turn=turn,
    )


class _Actor:
    """One subject's appearance, frame by frame."""

    def __init__(
        self,
        rng: np.random.Generator,
        subject: Subject,
        look: faces.Look,
        light: faces.Light,
        times: NDArray[np.float64],
        mouth: NDArray[np.float64],
        seat: float,
    ) -> None:
        self.sitter = faces.sit(rng, look, light)
        self.hand = faces.hand(look.skin, light)
        self.subject = subject
        frames = len(times)
        cues = subject.latents.cues
        self.valence, self.arousal = shown(cues["face_valence"]), shown(cues["face_arousal"])
        self.mouth = mouth
        drifts = subject.latents.drifts
        size = float(rng.uniform(0.95, 1.05)) * HALF_FACE * OVERSAMPLE / faces.UNIT
        self.scale = size * (1 + 0.04 * drifts["scale"])
        gone = (subject.hidden & ~subject.covered).astype(float)
        # Out of the picture means through its nearer side; a few frames to leave and to return.
        side = 1.0 if seat > SINGLE[0] / 2 else -1.0
        window = np.ones(7) / 7
        self.leave = np.convolve(np.pad(gone, 3, mode="edge"), window, "valid") * side * 340
        raised = subject.covered.astype(float)
        self.raise_hand = np.convolve(np.pad(raised, 2, mode="edge"), np.ones(5) / 5, "valid")
        # Agitated heads shake faster and further, about the same mean.
        pace = np.cumsum(np.gradient(times) * (0.8 + 0.9 * np.clip(self.arousal + 1, 0, 2.2)))
        reach = 0.55 + 0.35 * np.clip(self.arousal, -1, 1)
        sway = [reach * np.sin(2 * np.pi * (pace * f + rng.random())) for f in (1, 0.73, 0.61)]
        self.roll = 3.0 * sway[0]
        self.turn = np.stack([sway[1], 0.6 * sway[2]], axis=1)
        self.x = OVERSAMPLE * (seat + rng.uniform(-6, 6) + 5.0 * drifts["x"] + 1.2 * sway[1])
        self.y = OVERSAMPLE * (112.0 + rng.uniform(-5, 5) + 4.0 * drifts["y"] + 1.0 * sway[2])
        self.blink = np.ones(frames)
        at = float(rng.uniform(0.5, 2.5))
        while at < times[-1]:
            self.blink = np.minimum(self.blink, 1 - np.exp(-(((times - at) / 0.07) ** 4)))
            at += float(rng.uniform(1.8, 4.5))
        looks = rng.normal(0, 0.6, (max(2, int(times[-1]) + 2), 2))
        self.gaze = looks[np.minimum((times + 0.2 * np.sin(times)).astype(int), len(looks) - 1)]

    def appear(self, picture: Canvas, k: int) -> None:
        """Paint the subject as in frame ``k`` over the (large) picture."""
        expression = expression_of(
            float(self.valence[k]),
            float(self.arousal[k]),
            float(self.mouth[k]),
            blink=float(self.blink[k]),
            gaze=(float(self.gaze[k, 0]), float(self.gaze[k, 1])),
            turn=(float(self.turn[k, 0]), float(self.turn[k, 1])),
        )
        head = faces.pose(self.sitter, expression)
        x, y, scale = self.x[k] + self.leave[k] * OVERSAMPLE, self.y[k], self.scale[k]
        body_place = np.array([[scale, 0, x - 320 * scale], [0, scale, y]])
        _over(picture, self.sitter.body, self.sitter.body_alpha, body_place)
        turned = cv2.getRotationMatrix2D((0.0, 0.0), -float(self.roll[k]), float(scale))[:, :2]
        # The head turns about the neck, a little below the chin.
        pivot = np.array([0.0, 1.0 * faces.UNIT])
        offset = np.array([x, y]) + scale * pivot - turned @ (np.array(faces.CENTRE) + pivot)
        _over(picture, head, self.sitter.head_alpha, np.column_stack([turned, offset]))
        if self.raise_hand[k] > 0:
            lower = (1 - self.raise_hand[k]) * 2.2 * faces.UNIT * scale
            corner = np.array([x, y + lower]) - scale * np.array(faces.CENTRE)
            _over(picture, *self.hand, np.array([[scale, 0, corner[0]], [0, scale, corner[1]]]))


def _over(picture: Canvas, layer: Canvas, alpha: Canvas, place: NDArray[np.float64]) -> None:
    """Blend a layer, moved by the 2x3 matrix, into the part of the picture that it reaches."""
    height, width = alpha.shape
    corners = np.array([(0, 0), (width, 0), (0, height), (width, height)]) @ place[:, :2].T
    corners += place[:, 2]
    limit = np.array([picture.shape[1], picture.shape[0]])
    x0, y0 = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, limit)
    x1, y1 = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, 0, limit)
    if x1 <= x0 or y1 <= y0:
        return
    moved = place.copy()
    moved[:, 2] -= (x0, y0)
    size = (int(x1 - x0), int(y1 - y0))
    colour = cv2.warpAffine(layer, moved, size, borderMode=cv2.BORDER_REPLICATE)
    weight = cv2.warpAffine(alpha, moved, size)[..., None]
    window = picture[y0:y1, x0:x1]
    window += weight * (colour - window)


def encode(
    video: Video, path: Path, frames: Iterator[NDArray[np.uint8]], sound: NDArray[np.float32]
) -> None:
    """Write H.264 and AAC; one thread, so that the same frames give the same bytes."""
    # bitexact: no random identifiers in the container.
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        pictures = container.add_stream("libx264", rate=video.clip.fps)
        width, height = SINGLE if len(video.subjects) == 1 else DOUBLE
        pictures.width, pictures.height, pictures.pix_fmt = width, height, "yuv420p"
        # With macroblock trees, x264's bytes vary from run to run on machines with AVX-512.
        pictures.options = {
            "preset": "veryfast",
            "crf": "20",
            "threads": "1",
            "x264-params": "mbtree=0",
        }
        milliseconds = Fraction(1, 1000)
        if video.ticks is not None:
            pictures.codec_context.time_base = milliseconds
        voice = None
        if video.clip.sound:
            voice = container.add_stream("aac", rate=voices.RATE, layout="mono")
            voice.bit_rate = 64000
            _encode_sound(container, voice, sound, video.clip.delay_s)
        for k, pixels in enumerate(frames):
            planes = cv2.cvtColor(pixels, cv2.COLOR_RGB2YUV_I420)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            if video.ticks is None:
                frame.pts, frame.time_base = k, 1 / video.clip.fps
            else:
                frame.pts, frame.time_base = int(video.ticks[k]), milliseconds
            container.mux(pictures.encode(frame))
        container.mux(pictures.encode(None))


def _encode_sound(
    container: av.container.OutputContainer,
    stream: av.AudioStream,
    sound: NDArray[np.float32],
    delay_s: float,
) -> None:
    late = round(delay_s * voices.RATE)
    sound = np.clip(sound[late:], -0.99, 0.99)
    for start in range(0, len(sound), 1024):
        block = np.ascontiguousarray(sound[None, start : start + 1024])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
        frame.sample_rate = voices.RATE
        frame.pts, frame.time_base = start + late, Fraction(1, voices.RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
