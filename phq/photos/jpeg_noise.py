"""Do the last codes of a JPEG's scan look like those of its picture, or like bits without meaning read as codes?

Noise behind a cut decodes to blocks without an error. But it holds a code of n bits once in 2ⁿ, wherever in a block it
is read; in a picture the place in the block decides what is likely: the end of a block, for example, is rare behind its
first coefficient and common behind its tenth. Flat and busy parts of a picture have likelihoods of their own, or the
last rows of one that ends busier than it began would look like noise.
"""

from __future__ import annotations

from array import array

import numpy as np

from phq.system.arrays import Doubles, Ints
from phq.system.elementary import log

_CONTEXTS = _SYMBOLS = 256
"""Number of the component in the scan, 0 to 3, times 64 plus the coefficient; symbols of a Huffman table."""
_PRIOR = 20.0
"""Codes of noise that each context is taken to have shown already, so that what it rarely shows says little."""


def context(component: int, coefficient: int = 0) -> int:
    """What is added to a symbol to make an entry of `noise_bits`; coefficient 0 is the DC."""
    return (component << 6 | coefficient) << 8


def no_codes() -> Doubles:
    """Length of the code of each entry, bits, where no table has any."""
    return np.full(_CONTEXTS * _SYMBOLS, 64.0)


def noise_bits(codes: array[int], lengths: Doubles) -> float:
    """By how many bits the end of a scan is likelier noise than the picture's, for the start of the end at its best.

    This is the statistic of a CUSUM test (Page 1954, Continuous inspection schemes) from the back, with a model of the
    picture that is counted from the scan itself.

    Args:
        codes: entries, `context` plus symbol, in the order in which they were read.
        lengths: bits of the code of each entry, (65536,).

    Returns:
        0 if no end is likelier noise.
    """
    entries = np.frombuffer(codes, np.uint16).astype(np.int64)
    places = entries + _behind_busy(entries) * _CONTEXTS * _SYMBOLS
    counts = np.bincount(places, minlength=2 * len(lengths)).reshape(2, _CONTEXTS, _SYMBOLS)
    noise = np.ldexp(1.0, -lengths.astype(int)).reshape(_CONTEXTS, _SYMBOLS)
    picture = (counts + _PRIOR * noise) / (counts.sum(axis=2, keepdims=True) + _PRIOR)
    gain = (-lengths - log(np.maximum(picture, 1e-30)).reshape(2, -1) / log(2.0)).ravel()
    return float(np.cumsum(gain[places[::-1]]).max(initial=0.0))


def _behind_busy(entries: Ints) -> Ints:
    """(N,) 1 where the block before of the same component has more codes than half of them have, else 0.

    Blocks begin with a DC; of scans without any all is 0.
    """
    begins = (entries >> 8 & 63) == 0
    block = np.cumsum(begins) - 1
    if not len(entries) or not begins[0]:
        return np.zeros(len(entries), np.int64)
    size, component = np.bincount(block), entries[begins] >> 14
    busy = np.zeros(len(size), np.int64)
    for number in range(4):
        own = np.flatnonzero(component == number)
        before = size[np.concatenate([own[:1], own[:-1]])]
        busy[own] = before > np.median(before) if len(own) else 0
    return np.asarray(busy[block])
