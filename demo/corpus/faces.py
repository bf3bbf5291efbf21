"""Shaded drawings of talking faces: what stays is drawn once a clip, what moves every frame.

Face coordinates: origin between eyes and nose, y downwards, one unit is half the face's height.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from demo.corpus.brush import Canvas, Points, cloud, ellipse, paint

UNIT = 112  # canvas pixels in a unit of face coordinates
CENTRE = (160.0, 190.0)  # of the face, on the canvas
CANVAS = (400, 320)  # height, width
HAIR_STYLES = ("short", "long", "bun", "buzz", "fringe")


@dataclass(frozen=True)
class Look:
    """What stays the same in a person: colours are RGB in [0, 255], lengths in face units."""

    skin: NDArray[np.float64]
    hair: NDArray[np.float64]
    iris: NDArray[np.float64]
    cloth: NDArray[np.float64]
    lip: NDArray[np.float64]
    hair_style: str
    width: float  # half-width of the face
    jaw: float  # 0 round ... 1 square
    eye_gap: float
    eye_size: float
    brow_height: float
    brow_width: float
    mouth_width: float
    mouth_curve: float  # resting curvature
    lip_size: float
    nose_width: float
    glasses: bool
    stubble: float


@dataclass(frozen=True)
class Expression:
    """What moves; each about [-1, 1] unless said otherwise."""

    smile: float
    brow_raise: float
    frown: float
    eye_open: float  # 1 resting, 0 shut, 1.5 wide
    mouth_open: float  # 0 shut ... 1 wide
    spread: float
    gaze: tuple[float, float]
    turn: tuple[float, float]  # of the head, sideways and up: shifts the features a little


@dataclass(frozen=True)
class Light:
    """Direction (x to the right, y downwards) and colour of the light, and its hardness."""

    x: float
    y: float
    colour: NDArray[np.float64]
    ambient: float


@dataclass(frozen=True)
class Sitter:
    """The drawn parts that do not move: bare head with its coverage, and the body."""

    look: Look
    head: Canvas
    head_alpha: Canvas
    body: Canvas
    body_alpha: Canvas


def draw_look(rng: np.random.Generator, strata: dict[str, float]) -> Look:
    """Draw a person; ``strata`` holds evenly spread values in (0, 1) for what varies most."""
    tone = strata["skin"]
    light, dark = np.array([238.0, 200.0, 172.0]), np.array([148.0, 102.0, 76.0])
    skin = light + (dark - light) * tone + rng.normal(0, 4, 3)
    hair_tones = np.array(
        [[30, 24, 22], [58, 40, 30], [96, 66, 44], [150, 112, 66], [120, 58, 34], [128, 124, 122]]
    )
    # Dark skin goes with dark hair here, as it mostly does.
    hair = hair_tones[int(strata["hair"] * (6 if tone < 0.5 else 3))] * rng.uniform(0.85, 1.15)
    irises = np.array([[70, 48, 32], [92, 110, 120], [84, 98, 62], [52, 36, 28]])
    return Look(
        skin=skin,
        hair=hair.astype(float),
        iris=irises[rng.integers(4)].astype(float),
        cloth=muted(rng, 40, 200),
        lip=skin * (0.86, 0.58, 0.60) + rng.normal(0, 4, 3),
        hair_style=HAIR_STYLES[int(strata["style"] * 5)],
        width=0.70 + 0.10 * strata["width"],
        jaw=strata["jaw"],
        eye_gap=0.315 + 0.03 * rng.uniform(-1, 1),
        eye_size=0.145 + 0.006 * rng.uniform(-1, 1),
        brow_height=0.185 + 0.01 * rng.uniform(-1, 1),
        brow_width=0.046 + 0.008 * rng.uniform(-1, 1),
        mouth_width=0.27 + 0.015 * rng.uniform(-1, 1),
        mouth_curve=0.10 * (2 * strata["mouth"] - 1),
        lip_size=0.065 + 0.010 * rng.uniform(-1, 1),
        nose_width=0.125 + 0.02 * rng.uniform(-1, 1),
        glasses=strata["glasses"] > 0.85,
        stubble=0.30 * max(0.0, strata["stubble"] - 0.6) / 0.4,
    )


def muted(rng: np.random.Generator, low: float, high: float) -> NDArray[np.float64]:
    """A colour between the two brightnesses, half as saturated as chance would have it."""
    colour = rng.uniform(low, high, 3)
    return np.asarray(0.45 * colour + 0.55 * colour.mean())


def to_canvas(points: Points | list[tuple[float, float]]) -> Points:
    """Face coordinates to canvas pixels."""
    return np.asarray(points, float) * UNIT + CENTRE


def sit(rng: np.random.Generator, look: Look, light: Light) -> Sitter:
    """Draw what does not move in the course of a clip."""
    rows, columns = np.mgrid[: CANVAS[0], : CANVAS[1]].astype(np.float32)
    x, y = (columns - CENTRE[0]) / UNIT, (rows - CENTRE[1]) / UNIT
    edge = _half_width(look, y)
    face = _step((edge - np.abs(x)) * UNIT - 1)

    nx = np.clip(x / np.maximum(edge, 1e-3), -1, 1) * 0.95
    ny = np.clip(y / 1.05, -1, 1) * 0.9
    nz = np.sqrt(np.maximum(0.0, 1.0 - 0.75 * nx**2 - 0.5 * ny**2))
    facing = light.x * nx + light.y * ny + 0.75 * nz
    shade = light.ambient + (1.12 - light.ambient) * np.clip(facing, 0, 1.3)

    def spot(cx: float, cy: float, sx: float, sy: float) -> Canvas:
        return np.asarray(np.exp(-0.5 * (((x - cx) / sx) ** 2 + ((y - cy) / sy) ** 2)))

    gap = look.eye_gap
    for side in (-1, 1):
        shade -= 0.15 * spot(side * gap, -0.16, 0.16, 0.09)  # eye socket
        shade -= 0.10 * spot(side * 0.10, -0.12, 0.05, 0.10)  # root of the nose
        shade += 0.06 * spot(side * 0.42, 0.20, 0.14, 0.11)  # cheekbone
        shade -= 0.14 * spot(side * look.nose_width, 0.27, 0.035, 0.05)  # wing of the nose
        shade -= 0.05 * spot(side * (look.nose_width + 0.02), 0.12, 0.05, 0.16)
    shade += 0.12 * spot(0.0, 0.05, 0.045, 0.20)  # bridge of the nose
    shade += 0.12 * spot(-0.15 * light.x, 0.23, 0.055, 0.045)  # tip of the nose
    shade -= 0.22 * spot(0.0, 0.345, 0.10, 0.028)  # below the nose
    shade -= 0.05 * spot(0.0, 0.43, 0.025, 0.05)
    shade -= 0.09 * spot(0.0, 0.80, 0.14, 0.045)  # below the lip
    shade += 0.05 * spot(0.0, 0.91, 0.12, 0.05)  # chin
    shade += 0.05 * spot(0.0, -0.55, 0.35, 0.16)  # forehead
    shade -= 0.20 * np.exp(-np.maximum(edge - np.abs(x), 0) / 0.05) * (y > -0.4)
    shade += 0.012 * cloud(rng, CANVAS, (1.0, 1.0)) + 0.012 * cloud(rng, CANVAS, (8.0, 8.0))

    skin = shade[..., None] * look.skin * light.colour
    skin *= 1 + np.clip(1 - shade, 0, 1)[..., None] * (0.10, -0.06, -0.08)  # shadows are warm
    blush = sum(spot(side * 0.45, 0.28, 0.14, 0.10) for side in (-1, 1))
    skin += np.asarray(blush)[..., None] * (10, -5, -4)
    beard = look.stubble * np.clip((y - 0.30) / 0.25, 0, 1) * (1 - 0.5 * spot(0, 0.45, 0.3, 0.06))
    skin += beard[..., None] * (look.hair * 0.8 - skin)

    colour, alpha = np.zeros((*CANVAS, 3), np.float32), np.zeros(CANVAS, np.float32)
    strands = 1 + 0.13 * cloud(rng, CANVAS, (1.2, 14.0)) + 0.10 * (light.x * nx + light.y * ny)
    hair = strands[..., None] * look.hair * light.colour

    def over(layer: Canvas, coverage: Canvas) -> None:
        nonlocal alpha
        colour[:] += coverage[..., None] * (layer - colour)
        alpha = coverage + alpha * (1 - coverage)

    over(hair * 0.75, _back_hair(look, x, y))
    for side in (-1, 1):  # ears
        ear = _step((1 - np.hypot((x - side * (look.width + 0.02)) / 0.09, (y + 0.02) / 0.19)) * 12)
        dent = 1 - 0.3 * spot(side * (look.width + 0.03), -0.02, 0.035, 0.09)
        over(np.asarray(look.skin * light.colour * (0.80 * dent)[..., None]), ear)
    over(skin, face)
    shadow = _step((_hairline(look, x) + 0.10 - y) * 9) * face * 0.28
    colour *= 1 - shadow[..., None] * (alpha > 0)[..., None]
    over(hair, _front_hair(look, x, y, edge))
    body, body_alpha = _body(rng, look, light)
    return Sitter(look, colour.astype(np.float32), alpha.astype(np.float32), body, body_alpha)


def _step(pixels: NDArray[np.floating]) -> Canvas:
    """0 below -0.75 pixels, 1 above 0.75, smooth between."""
    t = np.clip(pixels / 1.5 + 0.5, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _half_width(look: Look, y: Canvas) -> Canvas:
    """Half the width of the face at each height, 0 above the crown and below the chin."""
    top = np.sqrt(np.clip(1 - (y / 1.12) ** 2, 0, 1))
    power = 1.9 + 0.8 * look.jaw
    low = np.clip(1 - np.clip(y, 0, None) ** power, 0, 1) ** 0.56
    return np.asarray(look.width * np.where(y < 0, top, low), np.float32)


def _hairline(look: Look, x: Canvas) -> Canvas:
    """Height below which the forehead is bare."""
    start = {"fringe": -0.50, "buzz": -0.74}.get(look.hair_style, -0.64)
    drop = {"fringe": 0.25, "long": 1.1}.get(look.hair_style, 0.7)
    return np.asarray(start + drop * np.abs(x) ** 2.6, np.float32)


def _front_hair(look: Look, x: Canvas, y: Canvas, edge: Canvas) -> Canvas:
    puff = 0.03 if look.hair_style == "buzz" else 0.09
    cap = np.sqrt(np.clip(1 - ((y + 0.05) / (1.12 + puff)) ** 2, 0, 1)) * (look.width + puff)
    inside = _step((cap - np.abs(x)) * UNIT - 1)
    coverage = inside * _step((_hairline(look, x) - y) * UNIT * 0.6)
    sides = {"long": 0.9, "bun": -0.05, "short": 0.0, "fringe": 0.15, "buzz": -0.2}
    reach = sides[look.hair_style]
    if reach > 0.5:  # strands down both sides of the face
        strand = _step((np.abs(x) - look.width * (0.97 - 0.10 * np.clip(y, 0, 1))) * UNIT * 0.7)
        outer = _step((look.width + 0.16 - np.abs(x)) * UNIT)
        fade = _step((reach - y) * UNIT * 0.15) * _step((y + 0.45) * UNIT * 0.3)
        return np.asarray(np.maximum(coverage, strand * outer * fade))
    burn = _step((np.abs(x) - edge + 0.05) * UNIT) * inside * _step((reach - y) * UNIT * 0.2)
    return np.asarray(np.maximum(coverage, burn))


def _back_hair(look: Look, x: Canvas, y: Canvas) -> Canvas:
    if look.hair_style == "bun":
        bun = 1 - np.hypot(x / 0.30, (y + 1.22) / 0.24)
        cap = 1 - np.hypot(x / (look.width + 0.06), (y + 0.35) / 0.85)
        return np.maximum(_step(bun * 40), _step(cap * 90))
    if look.hair_style == "long":
        mane = 1 - np.hypot(x / (look.width + 0.16), (y + 0.15) / 1.15)
        return _step(mane * 90)
    return np.zeros(CANVAS, np.float32)


def _body(rng: np.random.Generator, look: Look, light: Light) -> tuple[Canvas, Canvas]:
    """Neck and shoulders on a canvas twice as large as the head's, the face at its centre top."""
    height, width = 460, 640
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    x, y = (columns - width / 2) / UNIT, rows / UNIT  # the face's origin is at the top middle
    neck_width = look.width * 0.54 + 0.05 * np.clip(y - 1.1, 0, 1) ** 2
    neck = _step((neck_width - np.abs(x)) * UNIT) * _step((y - 0.3) * UNIT)
    shade = light.ambient + 0.55 * (1 - light.ambient) * (1 + light.x * x / 0.6)
    shade = shade * (1 - 0.45 * np.exp(-((np.clip(y - 0.85, 0, None) / 0.28) ** 2)))
    colour = (shade[..., None] * look.skin * light.colour).astype(np.float32)
    top = (
        1.28
        + 0.22 * np.clip(np.abs(x) - 0.45, 0, None) ** 1.25
        + 0.6 * np.clip(np.abs(x) - 1.35, 0, None) ** 2
    )
    collar = 0.16 * np.exp(-((x / (0.7 * look.width)) ** 4))
    cloth = _step((y - top - collar) * UNIT) * _step((1.95 - np.abs(x)) * UNIT)
    folds = 1 + 0.06 * cloud(rng, (height, width), (10.0, 40.0)) + 0.12 * light.x * x
    folds = folds * (0.85 + 0.25 * light.ambient) * (1 - 0.05 * np.clip(y - 1.3, 0, 3))
    layer = folds[..., None] * look.cloth * light.colour
    colour += cloth[..., None] * (layer - colour)
    return colour.astype(np.float32), np.maximum(neck, cloth)


def pose(sitter: Sitter, expression: Expression) -> Canvas:
    """The head with this expression, RGB float32 on the canvas."""
    canvas = sitter.head.copy()
    look = sitter.look
    shift = np.array([0.035 * expression.turn[0], 0.03 * expression.turn[1]])
    _mouth(canvas, look, expression, shift)
    for side in (-1.0, 1.0):
        _eye(canvas, look, expression, shift, side)
        _brow(canvas, look, expression, shift, side)
    _nostrils(canvas, look, shift * 1.3)
    if look.glasses:
        _glasses(canvas, look, shift)
    return canvas


def _eye(canvas: Canvas, look: Look, now: Expression, shift: Points, side: float) -> None:
    x, y, half = side * look.eye_gap + shift[0], -0.115 + shift[1], look.eye_size
    u = np.linspace(-1, 1, 15)
    arch = 1 - np.abs(u) ** 2.2
    lift = max(0.03, now.eye_open) * half * 0.52
    tilt = -0.012 * u * side
    # The lower lid rises with a smile.
    low = half * 0.36 * (1 - 0.35 * max(0.0, now.smile)) * min(1.0, 0.25 + 0.75 * now.eye_open)
    upper = np.stack([x + half * u, y + tilt - lift * arch], axis=1)
    lower = np.stack([x + half * u, y + tilt + low * arch], axis=1)
    opening = to_canvas(np.concatenate([upper, lower[::-1]]))
    dark = look.skin * 0.30
    paint(canvas, to_canvas(upper - np.array([0, 0.045])), look.skin * 0.55, 0.5, 1.2, 2)  # crease
    paint(canvas, to_canvas(lower + np.array([0, 0.03])), look.skin * 0.62, 0.35, 1.8, 2)
    paint(canvas, opening, (232, 226, 220), 1.0)
    ix, iy = x + 0.03 * now.gaze[0], y - 0.008 + 0.02 * now.gaze[1]
    radius = half * 0.46
    iris = to_canvas(ellipse(ix, iy, radius, radius))
    paint(canvas, iris, look.iris, 1.0, 0.4, within=opening)
    pupil = to_canvas(ellipse(ix, iy, radius * 0.5, radius * 0.5))
    paint(canvas, pupil, (14, 10, 10), 1.0, 0.4, within=opening)
    paint(
        canvas, to_canvas(upper + np.array([0, 0.012])), (60, 44, 40), 0.45, 1.5, 3, within=opening
    )
    glint = to_canvas(ellipse(ix - 0.015, iy - 0.018, 0.011, 0.011, points=10))
    paint(canvas, glint, (255, 255, 255), 0.9, 0.3, within=opening)
    paint(canvas, to_canvas(upper), dark, 0.95, 0.4, 3)
    paint(canvas, to_canvas(lower), look.skin * 0.5, 0.6, 0.5, 1)


def _brow(canvas: Canvas, look: Look, now: Expression, shift: Points, side: float) -> None:
    u = np.linspace(0, 1, 12)  # from the nose outwards
    inner = 0.07 * now.frown
    height = -0.115 - look.brow_height - 0.075 * now.brow_raise
    x = side * (look.eye_gap - 0.17 - 0.02 * now.frown + 0.36 * u) + shift[0]
    middle = height - 0.055 * np.sin(np.pi * np.clip(u * 0.9 + 0.08, 0, 1)) + inner * (1 - u) ** 1.5
    middle += 0.03 * u**2 + shift[1]
    half = 0.5 * look.brow_width * np.sqrt(np.clip(1.02 - u, 0, 1)) * (0.75 + 0.25 * np.sin(3 * u))
    outline = np.concatenate(
        [np.stack([x, middle - half], axis=1), np.stack([x, middle + half], axis=1)[::-1]]
    )
    paint(canvas, to_canvas(outline + np.array([0, 0.015])), look.skin * 0.6, 0.5, 2.5)
    paint(canvas, to_canvas(outline), look.hair * 0.55, 0.92, 0.9)
    if now.frown > 0:  # crease between the brows
        fx = side * 0.055 + shift[0]
        crease = to_canvas([(fx, -0.26 + shift[1]), (fx * 0.9, -0.16 + shift[1])])
        paint(canvas, crease, look.skin * 0.5, min(0.5, 0.45 * now.frown), 1.4, 2)


def _mouth(canvas: Canvas, look: Look, now: Expression, shift: Points) -> None:
    x0, y0 = shift[0], 0.585 + shift[1]
    curve = look.mouth_curve + now.smile
    half = look.mouth_width * (1 + 0.10 * now.spread + 0.10 * now.smile - 0.12 * now.mouth_open)
    u = np.linspace(-1, 1, 25)
    arch = 1 - u**2
    middle = y0 + 0.125 * curve * (0.45 - u**2)
    opened = 0.23 * now.mouth_open
    upper_in = middle - 0.30 * opened * arch
    lower_in = middle + 0.70 * opened * arch
    bow = 1 - 0.22 * np.exp(-((u / 0.13) ** 2))
    upper_out = upper_in - look.lip_size * 0.85 * (1 - np.abs(u) ** 1.7) * bow
    lower_out = lower_in + look.lip_size * 1.15 * np.sqrt(np.clip(arch, 0, 1)) ** 1.3

    def line(y: NDArray[np.float64], inset: float = 1.0) -> Points:
        return to_canvas(np.stack([x0 + half * inset * u, y], axis=1))

    for side in (-1.0, 1.0):
        fold_x = side * np.array([look.nose_width + 0.05, 0.27, 0.34 + 0.02 * now.smile])
        fold_y = np.array([0.27, 0.38, 0.52 - 0.05 * now.smile])
        fold = to_canvas(np.stack([fold_x + x0, fold_y + shift[1]], axis=1))
        paint(canvas, fold, look.skin * 0.55, 0.10 + 0.38 * max(0.0, now.smile), 2.2, 3)
        cheek = to_canvas(ellipse(side * 0.40 + x0, 0.26 - 0.05 * now.smile + shift[1], 0.13, 0.09))
        lit = np.minimum(look.skin * 1.22, 250)
        paint(canvas, cheek, lit, 0.30 * max(0.0, now.smile), 9.0)
        corner = (x0 + side * half, middle[0])
        dimple = to_canvas(ellipse(corner[0], corner[1], 0.03, 0.03))
        paint(canvas, dimple, look.skin * 0.5, 0.5, 2.5)
        if now.smile < 0:  # a line downwards from the corner
            droop = to_canvas([corner, (corner[0] + side * 0.03, corner[1] + 0.11)])
            paint(canvas, droop, look.skin * 0.5, min(0.5, -0.5 * now.smile), 1.8, 2)

    lips = np.concatenate([line(upper_out), line(lower_out)[::-1]])
    paint(canvas, lips, look.lip, 1.0, 0.7)
    paint(canvas, line(0.5 * (upper_in + upper_out)), look.lip * 0.82, 0.6, 1.5, 3, within=lips)
    gloss = line(0.45 * lower_in + 0.55 * lower_out, 0.5)
    paint(canvas, gloss, np.minimum(look.lip * 1.35, 255), 0.5, 2.0, 3, within=lips)
    if opened > 0.004:
        inner = np.concatenate([line(upper_in, 0.93), line(lower_in, 0.93)[::-1]])
        paint(canvas, inner, (46, 16, 18), 1.0, 0.5)
        tongue = to_canvas(ellipse(x0, float(lower_in[12]), half * 0.5, opened * 0.28))
        paint(canvas, tongue, (150, 70, 72), 0.8, 1.5, within=inner)
        teeth = np.concatenate(
            [
                line(upper_in, 0.8),
                line(upper_in + np.minimum(0.045, 0.35 * opened) * arch, 0.8)[::-1],
            ]
        )
        paint(canvas, teeth, (228, 222, 212), 0.95, 0.6, within=inner)
    paint(canvas, line(lower_in), look.lip * 0.45, 0.55, 0.6, 2)
    paint(canvas, line(upper_in), look.lip * 0.40, 0.80, 0.5, 2)


def _nostrils(canvas: Canvas, look: Look, shift: Points) -> None:
    for side in (-1.0, 1.0):
        hole = ellipse(side * 0.055 + shift[0], 0.305 + shift[1], 0.03, 0.014, side * 0.35)
        paint(canvas, to_canvas(hole), look.skin * 0.28, 0.85, 1.0)


def _glasses(canvas: Canvas, look: Look, shift: Points) -> None:
    frame = np.array([38.0, 34.0, 36.0])
    for side in (-1.0, 1.0):
        rim = ellipse(side * look.eye_gap + shift[0], -0.10 + shift[1], 0.21, 0.155)
        paint(canvas, to_canvas(rim), (255, 255, 255), 0.05)
        paint(canvas, to_canvas(np.vstack([rim, rim[:1]])), frame, 0.9, 0.5, 3)
        arm = [(side * (look.eye_gap + 0.21), -0.12), (side * look.width, -0.16)]
        paint(canvas, to_canvas(np.asarray(arm) + shift), frame, 0.8, 0.5, 3)
    bridge = [(-look.eye_gap + 0.2, -0.12), (0.0, -0.15), (look.eye_gap - 0.2, -0.12)]
    paint(canvas, to_canvas(np.asarray(bridge) + shift), frame, 0.9, 0.5, 3)


def hand(skin: NDArray[np.float64], light: Light) -> tuple[Canvas, Canvas]:
    """A hand held before the face, with its coverage, on a canvas of the head's size."""
    canvas, alpha = np.zeros((*CANVAS, 3), np.float32), np.zeros((*CANVAS, 1), np.float32)
    canvas[:] = skin * light.colour * 0.8
    palm = to_canvas(ellipse(0.0, 0.42, 0.52, 0.62))
    wrist = to_canvas([(-0.32, 0.7), (0.32, 0.7), (0.4, 1.9), (-0.4, 1.9)])
    parts = [wrist, palm]
    for angle, reach in ((-0.30, 1.05), (-0.10, 1.2), (0.10, 1.2), (0.30, 1.05)):
        middle = (0.72 * reach * np.sin(angle) * 1.1, 0.15 - 0.55 * reach * np.cos(angle))
        parts.append(to_canvas(ellipse(middle[0], middle[1], 0.145, 0.62 * reach, angle)))
    parts.append(to_canvas(ellipse(0.56, 0.22, 0.14, 0.42, 0.7)))
    for part in parts:
        paint(canvas, part, skin * light.colour * 0.5, 0.8, 3.0)
        paint(canvas, part + 1.0, skin * light.colour * 0.86, 1.0, 1.5)
        paint(alpha, part, np.ones(1), 1.0, 0.7)
    shade = 1.0 + 0.15 * light.x * (np.arange(CANVAS[1]) - CENTRE[0]) / UNIT
    canvas *= shade[None, :, None].astype(np.float32)
    return canvas, np.ascontiguousarray(alpha[..., 0])


def backdrop(rng: np.random.Generator, size: tuple[int, int]) -> Canvas:
    """An out-of-focus room, RGB float32, ``size`` is (width, height)."""
    width, height = size
    base, other = muted(rng, 70, 190), muted(rng, 70, 190)
    fall = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    canvas = np.asarray((base * (1 - fall) + other * fall) * np.ones((1, width, 1)), np.float32)
    for _ in range(int(rng.integers(4, 8))):
        x, y = rng.uniform(0, width), rng.uniform(0, height * 0.9)
        w, h = rng.uniform(0.08, 0.3, 2) * width
        if rng.random() < 0.6:
            box = np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)])
        else:
            box = ellipse(x, y, w * 0.4, w * 0.4)
        paint(canvas, box, muted(rng, 30, 240), float(rng.uniform(0.3, 0.8)), 5.0)
    canvas = cv2.GaussianBlur(canvas, (0, 0), 4.0)
    canvas *= 1 + 0.015 * cloud(rng, (height, width), (2.0, 2.0))[..., None]
    return np.asarray(canvas)
