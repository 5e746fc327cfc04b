"""Exponential, logarithm, sine, cosine and arc tangent whose bits do not depend on the processor.

numpy and the C library have several versions of each, with and without fused multiplication, and choose one for the
processor; their last digits differ, and a fit of twelve steps makes eight digits of it. These use nothing but addition,
multiplication, division and square root, which IEEE 754 fixes to the last bit, in float64; within two units in the last
place of the true value. Reduction of the argument is that of Cody and Waite (1980), in parts that are exact products.
"""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phq.system.arrays import Doubles

_LN2 = 0.6931471803691238, 1.9082149292705877e-10
"""ln 2 in two parts, the first with 20 zero bits at its end."""
_HALF_PI = 1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21
"""π / 2 in three parts, the first two with 20 zero bits at their ends."""
_EXP = [1 / factorial(n) for n in range(14)]
_SIN = [(-1) ** n / factorial(2 * n + 1) for n in range(10)]
_COS = [(-1) ** n / factorial(2 * n) for n in range(10)]
_ATAN = [(-1) ** n / (2 * n + 1) for n in range(14)]
_LOG = [2 / (2 * n + 1) for n in range(13)]
_STIRLING = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360]
_HALF_LOG_2PI = 0.9189385332046727


def _polynomial(coefficients: list[float], x: Doubles) -> Doubles:
    total = x * coefficients[-1]
    total += coefficients[-2]
    for coefficient in coefficients[-3::-1]:  # in place: the arrays are so small that making one costs as much as a sum
        total *= x
        total += coefficient
    return total


def _whole(x: Doubles, kind: type[np.signedinteger[Any]]) -> NDArray[np.signedinteger[Any]]:
    """Rounded numbers as integers; anything for NaN, with which the result is NaN whatever the integer."""
    with np.errstate(invalid="ignore"):
        return x.astype(kind)


def exp(x: ArrayLike) -> Doubles:
    """e to the power of x, element by element; 0 below −745, the largest number above 709.78."""
    value = np.clip(np.asarray(x, np.float64), -745.0, 709.78)
    power = np.rint(value / (_LN2[0] + _LN2[1]))
    rest = (value - power * _LN2[0]) - power * _LN2[1]
    return np.asarray(np.ldexp(_polynomial(_EXP, rest), _whole(power, np.int32)))[()]


def log(x: ArrayLike) -> Doubles:
    """Natural logarithm of positive numbers, element by element; −∞ at 0, NaN below."""
    value = np.asarray(x, np.float64)
    part, power = np.frexp(value)
    low = part < np.sqrt(0.5)
    part, power = np.where(low, 2 * part, part), power - low
    with np.errstate(divide="ignore", invalid="ignore"):
        s = (part - 1) / (part + 1)
        found = power * _LN2[0] + (s * _polynomial(_LOG, s * s) + power * _LN2[1])
    found = np.where(np.isposinf(value), value, found)
    return np.asarray(np.where(value > 0, found, np.where(value == 0, -np.inf, np.nan)))[()]


def log_gamma(x: ArrayLike) -> Doubles:
    """Natural logarithm of the gamma function of positive numbers, element by element; to 15 digits from 0.05 up.

    Stirling's series (Abramowitz and Stegun 1964, 6.1.41) of the number plus ten, and back by Γ(x + 1) = x Γ(x).
    """
    value = np.asarray(x, np.float64)
    far, steps = value + 10, value.copy()
    for n in range(1, 10):
        steps = steps * (value + n)
    series = _polynomial(_STIRLING, 1 / (far * far)) / far
    return np.asarray((far - 0.5) * log(far) - far + _HALF_LOG_2PI + series - log(steps))[()]


def sin_cos(x: ArrayLike) -> tuple[Doubles, Doubles]:
    """Sine and cosine of angles below a million radians, element by element."""
    value = np.asarray(x, np.float64)
    quarter = np.rint(value / (np.pi / 2))
    r = ((value - quarter * _HALF_PI[0]) - quarter * _HALF_PI[1]) - quarter * _HALF_PI[2]
    turn, square = _whole(quarter, np.int64) & 3, r * r
    sine, cosine = r * _polynomial(_SIN, square), _polynomial(_COS, square)
    swapped, negative = turn % 2 == 1, (turn == 2) | (turn == 3)
    first, second = np.where(swapped, cosine, sine), np.where(swapped, sine, cosine)
    second = np.where((turn == 1) | (turn == 2), -second, second)
    return np.asarray(np.where(negative, -first, first))[()], np.asarray(second)[()]


def sin(x: ArrayLike) -> Doubles:
    """See `sin_cos`."""
    return sin_cos(x)[0]


def cos(x: ArrayLike) -> Doubles:
    """See `sin_cos`."""
    return sin_cos(x)[1]


def arctan2(y: ArrayLike, x: ArrayLike) -> Doubles:
    """Angle of the points (x, y) from the x axis, −π to π, element by element; 0 or π at the origin."""
    rise, run = np.abs(np.asarray(y, np.float64)), np.abs(np.asarray(x, np.float64))
    least, most = np.minimum(rise, run), np.maximum(rise, run)
    slope = least / np.where(most == 0, 1.0, most)
    high = slope > 0.4  # about tan 22.5°: then about 45°
    rest = np.where(high, (slope - 1) / (slope + 1), slope)
    half = rest / (1 + np.sqrt(1 + rest * rest))
    angle = 2 * half * _polynomial(_ATAN, half * half) + np.where(high, np.pi / 4, 0.0)
    angle = np.where(rise > run, np.pi / 2 - angle, angle)
    return np.asarray(np.copysign(np.where(np.signbit(x), np.pi - angle, angle), y))[()]


def arcsin(x: ArrayLike) -> Doubles:
    """Arc sine of numbers in −1..1, element by element."""
    value = np.asarray(x, np.float64)
    return arctan2(value, np.sqrt((1 - value) * (1 + value)))


def arccos(x: ArrayLike) -> Doubles:
    """Arc cosine of numbers in −1..1, element by element."""
    value = np.asarray(x, np.float64)
    return arctan2(np.sqrt((1 - value) * (1 + value)), value)


def tanh(x: ArrayLike) -> Doubles:
    """Hyperbolic tangent, element by element; to two units in the last place of 1."""
    return np.asarray(1 - 2 / (exp(2 * np.asarray(x, np.float64)) + 1))[()]
