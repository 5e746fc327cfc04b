"""The colour of a face: where eyes, brows, lips and the rest are painted on the mean shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phq.pose.body import load_body
from phq.synth.colours import Coat, Colour
from phq.synth.hair import Hair, angles, hairline
from phq.synth.noise import Noise, smoothstep
from phq.system.arrays import Doubles, Floats, Singles

TONES = np.array([(252, 222, 200), (240, 196, 164), (218, 164, 124), (176, 118, 82), (122, 78, 54), (72, 46, 36)]) / 255
"""From fair to dark."""
BLOOD = np.array([1.0, 0.78, 0.76])
"""What a rosy place multiplies the skin by."""
IRIS, PUPIL = 0.0062, 0.0028
"""Radii, metres."""
LID = (0.0125, 0.0062)
"""Half width and height of the line of lashes, metres."""
LIPS = (0.026, 0.0085, 0.0105)
"""Half width, height of the upper and of the lower lip, metres."""
BROW_ABOVE, BROW_MIDDLE, BROW_REACH = 0.0215, 0.033, 0.022
"""Height over the eye, distance of its middle from the nose, half its length, metres."""


@dataclass(frozen=True)
class Face:
    """One person's skin and features; opacities are 0..1."""

    tone: float
    """0 fair to 1 dark."""
    rosy: float
    freckles: float
    iris: Colour
    lips: Colour
    lips_opacity: float
    brows: Colour
    """Also of beard and moustache."""
    brow_width: float
    """Half thickness, metres."""
    lashes: float
    beard: float
    moustache: float


def tone(value: float) -> Doubles:
    """sRGB (3,) of plain skin, 0 fair to 1 dark."""
    place = np.linspace(0, 1, len(TONES))
    return np.array([np.interp(value, place, TONES[:, i]) for i in range(3)])


def paint_skin(points: Floats, face: Face, hair: Hair, noise: Noise) -> Singles:
    """sRGB (N, 3) of skin at points (N, 3) of the rest pose, with what is painted on the scalp."""
    coat = Coat(tone(face.tone), len(points))
    grain = noise(points, 450.0)
    place = np.stack([np.abs(points[:, 0]), points[:, 1], points[:, 2]])
    front = smoothstep(0.07, 0.095, place[2])
    _blood(coat, place, front, grain, face)
    _shorn(coat, points, hair, grain)
    _beard(coat, place, grain, face)
    _mouth_and_nose(coat, place, front, face)
    _about_eyes(coat, place, front, face)
    return coat.colour


def paint_eyes(points: Floats, face: Face) -> Singles:
    """sRGB (N, 3) of the eyeballs."""
    coat = Coat((0.93, 0.92, 0.9), len(points))
    across, up = np.abs(points[:, 0]) - _point("left_eye")[0], points[:, 1] - _point("left_eye")[1]
    off = np.hypot(across, up)
    coat.over(face.iris, smoothstep(IRIS + 0.0004, IRIS - 0.0004, off))
    coat.over((0.02, 0.02, 0.02), smoothstep(PUPIL + 0.0004, PUPIL - 0.0004, off))
    coat.over((1, 1, 1), 0.8 * (np.hypot(across * np.sign(points[:, 0]) - 0.002, up - 0.0025) < 0.0012))
    return coat.colour


def _blood(coat: Coat, place: Floats, front: Floats, grain: Floats, face: Face) -> None:
    """Cheeks, nose, ears and freckles; `place` (3, N) is |x|, y, z."""
    x, y, z = place
    cheek = np.exp(-((x - 0.042) ** 2 + (y - 0.128) ** 2) / 0.018**2)
    nose = np.exp(-(x**2 + (y - 0.133) ** 2) / 0.011**2)
    ears = smoothstep(0.066, 0.074, x) * (y > 0.1) * (z < 0.06)
    coat.stain(BLOOD, face.rosy * np.clip(front * (cheek + nose) + 0.7 * ears, 0, 1))
    coat.stain(BLOOD, 0.5 * face.freckles * front * ((grain > 0.45) & (y > 0.11) & (y < 0.16)))


def _shorn(coat: Coat, points: Floats, hair: Hair, grain: Floats) -> None:
    if hair.painted:
        theta, phi = angles(points)
        inside = smoothstep(2.5, -2.5, theta - hairline(phi, hair.recede) + 1.5 * grain)
        coat.over(hair.colour, hair.painted * inside * (0.8 + 0.2 * grain))


def _beard(coat: Coat, place: Floats, grain: Floats, face: Face) -> None:
    x, y, z = place
    jaw = smoothstep(0.128, 0.108, y - 0.5 * np.maximum(x - 0.03, 0)) * smoothstep(0.02, 0.05, z) * (y > 0.045)
    off_lips = smoothstep(1.1, 1.5, (x / LIPS[0]) ** 2 + ((y - 0.102) / 0.011) ** 2)
    below_nose = (y > 0.108) & (x < 0.032)
    over_lip = smoothstep(0.1095, 0.1115, y) * smoothstep(0.1225, 0.1195, y) * smoothstep(0.034, 0.028, x) * (z > 0.09)
    opacity = face.beard * jaw * off_lips * ~below_nose + face.moustache * over_lip
    coat.over(face.brows, np.clip(opacity, 0, 1) * (0.8 + 0.2 * grain))


def _mouth_and_nose(coat: Coat, place: Floats, front: Floats, face: Face) -> None:
    """Lips with a bow, the line between them, nostrils."""
    x, up = place[0], place[1] - _point("mouth_left")[1]
    bow = LIPS[1] - 0.0015 * np.exp(-((x / 0.004) ** 2))
    lips = (x / LIPS[0]) ** 2 + (up / np.where(up > 0, bow, LIPS[2])) ** 2
    coat.over(face.lips, face.lips_opacity * smoothstep(1.15, 0.85, lips) * front)
    coat.over((0.15, 0.05, 0.05), 0.75 * smoothstep(0.0012, 0.0004, np.abs(up)) * (x < 0.023) * front)
    nostrils = smoothstep(0.0042, 0.0025, np.hypot(x - 0.0075, place[1] - 0.1255))
    coat.over((0.12, 0.05, 0.04), 0.8 * nostrils * front)


def _about_eyes(coat: Coat, place: Floats, front: Floats, face: Face) -> None:
    """Lashes and brows."""
    eye = _point("left_eye")
    x, up = place[0], place[1] - eye[1]
    opening = ((x - eye[0]) / LID[0]) ** 2 + (up / LID[1]) ** 2
    coat.over((0.05, 0.03, 0.03), face.lashes * smoothstep(1.9, 1.2, opening) * front)
    along = (x - BROW_MIDDLE) / BROW_REACH  # −1 at the nose, 1 at the temple
    line = BROW_ABOVE - 0.0045 * along**2 + 0.0015 * along
    width = face.brow_width * (1 - 0.35 * np.clip(along, 0, 1))
    within = smoothstep(1.3, 0.7, np.abs(up - line) / width) * smoothstep(1.1, 0.9, np.abs(along))
    coat.over(face.brows, 0.9 * within * front)


def _point(name: str) -> Doubles:
    """(3,) of a named point of the mean shape."""
    return np.asarray(load_body().v_template[load_body().face_points[name]])
