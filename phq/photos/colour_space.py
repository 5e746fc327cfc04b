"""Colour spaces that a file states by numbers in place of an ICC profile, as profiles.

A statement becomes the profile it describes, so that one colour engine converts everything. Code points, primaries and
transfer functions are those of Rec. ITU-T H.273 (07/2024), which PNG, HEIF and AVIF share.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from phq.errors import RejectError
from phq.system.arrays import Floats
from phq.system.linear import inverse, product, solve

Curve = Callable[[Floats], Floats]
"""Encoded values 0..1 to light 0..1."""
Point = tuple[float, float]
"""CIE 1931 chromaticity x, y."""

D65: Point = (0.3127, 0.3290)
_C: Point = (0.310, 0.316)
_D50 = (0.9642, 1.0, 0.8249)
"""XYZ of the illuminant of every profile's connection space (ICC.1:2010 §7.2.16)."""

_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
"""XYZ to cone responses, for chromatic adaptation (ICC.1:2010 annex E)."""

_SAMPLES = 4096
"""Of a curve; between them colour engines interpolate."""


@dataclass(frozen=True)
class Primaries:
    """Chromaticities of the three primaries and of white."""

    red: Point
    green: Point
    blue: Point
    white: Point = D65

    def to_xyz(self) -> Floats:
        """3×3, linear RGB to XYZ under D50, white adapted by Bradford.

        Raises:
            ValueError: the numbers describe no colour space: three primaries on a line, or a white of no brightness.
        """
        columns = np.array([(x, y, 1 - x - y) for x, y in (self.red, self.green, self.blue)]).T
        x, y = self.white
        is_space = (
            np.isfinite(columns).all() and abs(float((columns[0] * np.cross(columns[1], columns[2])).sum())) > 1e-4
        )
        if not (is_space and 0 < x < 1 and 1e-3 < y < 1):
            raise ValueError("primaries on a line, or no white")
        white = np.array([x / y, 1.0, (1 - x - y) / y])
        scaled = columns * solve(columns, white[:, None])[:, 0]
        cones, wanted = product(_BRADFORD, white), product(_BRADFORD, np.array(_D50))
        return np.asarray(product(inverse(_BRADFORD), np.diag(wanted / cones), _BRADFORD, scaled))


BT709 = Primaries((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
ADOBE_RGB = Primaries((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
"""Adobe RGB (1998) §4.3.1; as in the option files of DCF 2.0."""
_SMPTE = Primaries((0.630, 0.340), (0.310, 0.595), (0.155, 0.070))

PRIMARIES = {
    1: BT709,
    4: Primaries((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    5: Primaries((0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: _SMPTE,
    7: _SMPTE,
    8: Primaries((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    9: Primaries((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    10: Primaries((1.0, 0.0), (0.0, 1.0), (0.0, 0.0), (1 / 3, 1 / 3)),
    11: Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    22: Primaries((0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),
}
"""ColourPrimaries (H.273 table 2)."""


def power(gamma: float) -> Curve:
    """Light = value ** `gamma`."""
    return lambda v: np.asarray(v**gamma)


def _segmented(slope: float, bend: float, offset: float, gamma: float) -> Curve:
    """A power with a straight beginning: v / slope below `bend`, else ((v + offset) / (1 + offset)) ** gamma."""
    return lambda v: np.where(v < bend, v / slope, ((v + offset) / (1 + offset)) ** gamma)


SRGB = _segmented(12.92, 0.04045, 0.055, 2.4)
"""IEC 61966-2-1."""
_BT709 = _segmented(4.5, 0.0812428583, 0.0992968268, 1 / 0.45)

TRANSFER: dict[int, Curve] = {
    1: _BT709,
    4: power(2.2),
    5: power(2.8),
    6: _BT709,
    7: _segmented(4.0, 0.0912863421, 0.1115721959, 1 / 0.45),
    8: power(1.0),
    11: _BT709,
    12: _BT709,
    13: SRGB,
    14: _BT709,
    15: _BT709,
    17: lambda v: np.asarray(v**2.6 * 52.37 / 48),
}
"""TransferCharacteristics (H.273 table 3), inverted. 11 and 12 differ from 1 outside 0..1 alone."""

_HDR = {16: "PQ", 18: "HLG"}
_UNSTATED = (0, 2, 3)
"""Code points that are reserved, or say that nothing is stated."""


@dataclass(frozen=True)
class ColourSpace:
    """Primaries with the curve of each channel."""

    primaries: Primaries = BT709
    curves: tuple[Curve, Curve, Curve] = (SRGB, SRGB, SRGB)

    def is_srgb(self) -> bool:
        """True where conversion would change nothing that 8 bits hold."""
        near = np.abs(self.primaries.to_xyz() - BT709.to_xyz()).max() < 2e-3
        grid = np.linspace(0, 1, 256)
        return bool(near and all(np.abs(curve(grid) - SRGB(grid)).max() < 1e-4 for curve in self.curves))

    def profile(self) -> bytes:
        """ICC profile (version 2, matrix and curves; ICC.1:2001-04 §6.3.1.2).

        Raises:
            ValueError: see `Primaries.to_xyz`.
        """
        tags = {b"wtpt": _xyz_tag(np.array(_D50))}
        matrix, grid = self.primaries.to_xyz(), np.linspace(0, 1, _SAMPLES)
        for name, column, curve in zip((b"r", b"g", b"b"), matrix.T, self.curves, strict=True):
            tags[name + b"XYZ"] = _xyz_tag(column)
            tags[name + b"TRC"] = _curve_tag(curve(grid))
        return _profile(tags)


def _xyz_tag(values: Floats) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(float(v) * 65536) for v in values))


def _curve_tag(light: Floats) -> bytes:
    values = np.clip(light * 65535, 0, 65535).round().astype(">u2")
    return b"curv\0\0\0\0" + struct.pack(">I", len(values)) + values.tobytes()


def _profile(tags: dict[bytes, bytes]) -> bytes:
    at = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += struct.pack(">4sII", name, at + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = bytearray(128)
    struct.pack_into(">I4xI4s4s4s", head, 0, at + len(body), 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head[36:40] = b"acsp"
    head[68:80] = _xyz_tag(np.array(_D50))[8:]
    return bytes(head) + table + body


def tabled(table: tuple[int, ...]) -> tuple[Curve, Curve, Curve] | None:
    """Curves of a TIFF's TransferFunction (TIFF 6.0 §20): 16-bit light for each of 2ⁿ values, in one table or three.

    None for a table of another length.
    """
    parts = 3 if len(table) % 3 == 0 else 1
    n = len(table) // parts
    if n < 2 or n & (n - 1):
        return None
    red, *others = (_looked_up(table[i * n : (i + 1) * n]) for i in range(parts))
    return (red, others[0], others[1]) if others else (red, red, red)


def _looked_up(table: tuple[int, ...]) -> Curve:
    light = np.array(table, float) / 65535
    return lambda v: np.interp(v, np.linspace(0, 1, len(light)), light)


def narrow(curve: Curve) -> Curve:
    """The same for values in 16..235 (H.273 §8.3, VideoFullRangeFlag 0)."""
    return lambda v: curve(np.clip((v * 255 - 16) / 219, 0, 1))


def from_codes(primaries: int, transfer: int, is_narrow: bool = False) -> ColourSpace | None:
    """The colour space of code points; None if they state nothing.

    Args:
        primaries: ColourPrimaries of H.273.
        transfer: TransferCharacteristics.
        is_narrow: RGB in 16..235; for YCbCr decoders undo it.

    Raises:
        RejectError: unsupported_colour, for HDR, logarithmic and unknown code points.
    """
    if primaries in _UNSTATED and transfer in _UNSTATED and not is_narrow:
        return None
    if transfer in _HDR:
        raise RejectError("unsupported_colour", f"HDR ({_HDR[transfer]}); save it as SDR, tone mapping is a choice")
    if primaries not in (*PRIMARIES, *_UNSTATED) or transfer not in (*TRANSFER, *_UNSTATED):
        raise RejectError("unsupported_colour", f"code points {primaries}, {transfer} of H.273")
    curve = TRANSFER.get(transfer, SRGB)
    curve = narrow(curve) if is_narrow else curve
    return ColourSpace(PRIMARIES.get(primaries, BT709), (curve, curve, curve))
