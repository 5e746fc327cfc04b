"""Conventions of predictions by name: nothing about a file is guessed.

A convention is a list of names, separated by commas: that of a program (`PROGRAMS`), which states every field, and
values of single fields (`VALUES`), which overrule it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

from phq.camera.euler import ORDERS, Euler
from phq.errors import ConfigError

KINDS = ("smpl", "smplx", "headpose", "keypoints")


@dataclass(frozen=True)
class Convention:
    """What the numbers of a file mean; every field has one of its `VALUES`."""

    unit: str = "degrees"
    """Of Euler angles."""
    order: str = "yxz"
    """Axes of the product of Euler angles from left to right, x is pitch, y yaw, z roll; ``phq``: the angles of
    docs/conventions.md."""
    pitch: str = "pitch+up"
    """Where a positive pitch turns the face."""
    yaw: str = "yaw+left"
    """Where in the image a positive yaw turns the nose."""
    roll: str = "roll+left"
    """To which of its own sides a positive roll tilts the head."""
    sense: str = "body-to-camera"
    """Where a rotation, matrix or axis-angle, leads."""
    frame: str = "camera"
    """The axes that a rotation leads to; a world needs the rotation of the camera in each row."""
    up: str = "y-down"
    """Axes of the camera: OpenCV's (x right, y down, z forward), or OpenGL's (x right, y up, z backward)."""
    camera: str = "full-image"
    """The camera: the photo's; one that looks straight at the person, as a network on crops states it; or the one of
    the stored headshot."""
    rest: str = "faces+z"
    """Where a body or head without rotation faces, in its own axes (x left, y up)."""
    unit_px: str = "pixels"
    """Of keypoints: pixels, or fractions of the sides of the picture."""
    sides: str = "own-sides"
    """Whether the left shoulder is the person's, or the one on the left of the image."""

    def signs(self) -> tuple[float, float, float]:
        """Factors of yaw, pitch and roll that give the angles of docs/conventions.md their signs."""
        return (
            1.0 if self.yaw == "yaw+left" else -1.0,
            1.0 if self.pitch == "pitch+up" else -1.0,
            1.0 if self.roll == "roll+left" else -1.0,
        )

    def euler(self) -> Euler:
        """The convention of Euler angles; not for the order ``phq``."""
        yaw, pitch, roll = self.signs()
        return Euler(self.order, -pitch, yaw, roll)

    def text(self) -> str:
        """All fields, as `parse` reads them."""
        return ",".join(getattr(self, field.name) for field in fields(self))


VALUES: dict[str, tuple[str, ...]] = {
    "unit": ("degrees", "radians"),
    "order": (*ORDERS, "phq"),
    "pitch": ("pitch+up", "pitch+down"),
    "yaw": ("yaw+left", "yaw+right"),
    "roll": ("roll+left", "roll+right"),
    "sense": ("body-to-camera", "camera-to-body"),
    "frame": ("camera", "world"),
    "up": ("y-down", "y-up"),
    "camera": ("full-image", "crop", "headshot"),
    "rest": ("faces+z", "faces-z"),
    "unit_px": ("pixels", "fractions"),
    "sides": ("own-sides", "image-sides"),
}
OF_EULER = ("unit", "order", "pitch", "yaw", "roll", "camera", "rest")
OF_ROTATIONS = ("sense", "frame", "up", "camera", "rest")
OF_KEYPOINTS = ("unit_px", "camera", "sides")


@dataclass(frozen=True)
class Program:
    """A public program, and what it writes."""

    kinds: tuple[str, ...]
    convention: Convention
    title: str = ""
    licence: str = ""
    """Of its released weights, as their authors state it."""


_LP = Convention(order="xyz", camera="crop")
_HMR = Convention(camera="crop")
_HEAD = ("headpose",)
RESEARCH = "non-commercial research (SMPL-family body)"
PROGRAMS: dict[str, Program] = {
    "phq": Program(KINDS, Convention(order="phq", camera="crop")),
    "whenet": Program(_HEAD, _LP, "WHENet", "BSD-3-Clause; training data for research alone"),
    "hopenet": Program(_HEAD, _LP, "Hopenet", "training data for research alone"),
    "6drepnet": Program(
        _HEAD, replace(_LP, sense="camera-to-body", up="y-up"), "6DRepNet", "MIT; training data for research alone"
    ),
    "3ddfa": Program(
        _HEAD, Convention(order="zyx", pitch="pitch+down", roll="roll+right", camera="crop"), "3DDFA_V2", "MIT"
    ),
    "openface": Program(
        _HEAD, Convention(unit="radians", order="xyz", pitch="pitch+down"), "OpenFace", "non-commercial research"
    ),
    "4dhumans": Program(("smpl",), _HMR, "4DHumans", RESEARCH),
    "tokenhmr": Program(("smpl",), _HMR, "TokenHMR", RESEARCH),
    "camerahmr": Program(("smpl",), Convention(), "CameraHMR", RESEARCH),
    "nlf": Program(("smpl", "smplx"), Convention(), "NLF", RESEARCH),
    "multi-hmr": Program(("smplx",), Convention(), "Multi-HMR", RESEARCH),
    "smpler-x": Program(("smplx",), _HMR, "SMPLer-X", RESEARCH),
    "whac": Program(("smplx",), Convention(frame="world"), "WHAC", RESEARCH),
    "coco": Program(("keypoints",), Convention()),
}
"""By name. Head pose: 300W-LP's angles (Hopenet, WHENet, 6DRepNet) are those of its ``draw_axis``; 6DRepNet's matrix is
the transpose of that rotation, OpenFace's R = Rx Ry Rz in radians, 3DDFA_V2's ``matrix2angle`` of a matrix in image
axes with y up. Networks that see a crop state the body as if the camera looked at its middle."""


def parse(text: str, kind: str) -> tuple[Convention, Program]:
    """The convention that a text names, and the program in it (of no title if there is none).

    Raises:
        ConfigError: an unknown name (with the nearest known ones), two values of one field or two programs, or a
            program that does not write this kind.
    """
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    # phq is a program, and beside other names the order of its angles
    programs = [name for name in names if name in PROGRAMS and not (name == "phq" and len(names) > 1)]
    if len(programs) > 1:
        raise ConfigError(f"--convention {text!r} names two programs, {programs[0]} and {programs[1]}")
    program = PROGRAMS[programs[0]] if programs else Program(KINDS, Convention())
    if kind not in program.kinds:
        raise ConfigError(f"{programs[0]} writes {' and '.join(program.kinds)}, not {kind}: --as {program.kinds[0]}")
    changes: dict[str, str] = {}
    for name in names:
        if name in programs:
            continue
        field = _field(name, kind)
        if field in changes:
            raise ConfigError(f"--convention {text!r} says both {changes[field]} and {name}")
        changes[field] = name
    return replace(program.convention, **changes), program


def _field(name: str, kind: str) -> str:
    for field, values in VALUES.items():
        if name in values:
            return field
    known = [*(name for name, program in PROGRAMS.items() if kind in program.kinds), *_values()]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    guess = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(known)}"
    raise ConfigError(f"--convention: there is no {name!r}; {guess}")


def _values() -> Iterator[str]:
    for values in VALUES.values():
        yield from values


def alternatives(convention: Convention, names: tuple[str, ...]) -> Iterator[tuple[str, Convention]]:
    """Conventions that differ in one of some fields, each with a phrase for the difference."""
    for name in names:
        stated = getattr(convention, name)
        for value in VALUES[name]:
            if value != stated:
                yield f"{value} in place of {stated}", replace(convention, **{name: value})
