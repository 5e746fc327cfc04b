"""A volume of densities as MRC (MRC2014, Cheng et al. 2015), which ChimeraX and other viewers of volumes open."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from phq.generator.use.surface import Volume

FLOAT32 = 2
"""MODE of the header."""
VERSION = 20140
LITTLE_ENDIAN = b"\x44\x44\x00\x00"
LABEL = b"phq: density, 1 / metre; lengths in metres; x subject's left, y up, z front"


def mrc(volume: Volume) -> bytes:
    """An MRC file: columns are x, rows y, sections z; cell and origin in metres.

    The standard's unit of length is the angstrom, 10⁻¹⁰ m, in which a head would be 10⁹ long: programs that name a unit
    name the wrong one. The origin is the place of the first voxel's centre.
    """
    data: NDArray[np.float32] = np.ascontiguousarray(volume.density.transpose(2, 1, 0), "<f4")
    return _header(volume, data) + data.tobytes()


def _header(volume: Volume, data: NDArray[np.float32]) -> bytes:
    """1,024 bytes: words 1 to 56, then ten labels of 80 characters."""
    size = data.shape[::-1]
    mean = float(data.mean(dtype=np.float64))
    words = struct.pack("<3i i 3i 3i", *size, FLOAT32, 0, 0, 0, *size)
    words += struct.pack("<3f 3f 3i", *(n * volume.voxel for n in size), 90, 90, 90, 1, 2, 3)
    words += struct.pack("<3f 2i", float(data.min()), float(data.max()), mean, 1, 0)
    words += struct.pack("<8x 4x i 84x", VERSION)  # EXTRA, EXTTYP, NVERSION
    words += struct.pack("<3f 4s 4s f i", *volume.first, b"MAP ", LITTLE_ENDIAN, float(data.std(dtype=np.float64)), 1)
    return words + LABEL.ljust(80) + bytes(720)
