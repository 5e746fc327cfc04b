"""Weights of the samples of an epoch: by the rarity of their yaw, or by a column."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phq.dataset.reader import Dataset
from phq.errors import ConfigError, InputError
from phq.system.arrays import Doubles

YAW = "yaw"
BINS = 36
"""Bins of 10°."""
_KERNEL = ((-2, 1.0), (-1, 4.0), (0, 6.0), (1, 4.0), (2, 1.0))
"""Binomial kernel, standard deviation one bin; sums of whole numbers give the same weights on every machine."""
LEAST = 0.1
"""Least density, as a fraction of an even one, so that a single view does not fill a quarter of an epoch."""


def balance_weights(dataset: Dataset, balance: str, mirror: bool) -> Doubles:
    """(N,) weights of the samples, or (2N,) of each sample and its mirror image in turn.

    Args:
        dataset: of N samples.
        balance: ``yaw``, or the name of a column of numbers, none below zero.
        mirror: each sample comes as its mirror image too, at the opposite yaw and with the same weight in a column.

    Raises:
        ConfigError: there is no such column.
        InputError: a value is missing, infinite or negative, or all are 0.
    """
    if balance != YAW:
        return np.repeat(_column(dataset, balance), 1 + mirror)
    yaw = _numbers(dataset, "camera_yaw_deg")
    return yaw_weights(np.stack([yaw, -yaw], axis=1).ravel() if mirror else yaw)


def yaw_weights(yaw_deg: Doubles) -> Doubles:
    """(N,) inverse density of samples at the yaw of each: the smoothed count of its bin of 10°.

    The smoothing is circular; the density is at least `LEAST` of an even one.

    Args:
        yaw_deg: (N,) degrees.
    """
    bins = np.floor((yaw_deg + 180.0) * (BINS / 360.0)).astype(np.int64) % BINS
    counts = np.bincount(bins, minlength=BINS)
    density = np.sum([share * np.roll(counts, shift) for shift, share in _KERNEL], axis=0)
    return np.asarray(1.0 / np.maximum(density, LEAST * density.mean())[bins], np.float64)


def _column(dataset: Dataset, name: str) -> Doubles:
    weights = _numbers(dataset, name)
    if not np.isfinite(weights).all() or weights.min(initial=0.0) < 0:
        raise InputError(
            f"the column {name} cannot be a weight: it has values that are missing, infinite or below zero"
        )
    if not weights.any():
        raise InputError(f"the column {name} cannot be a weight: it is zero for all {len(weights)} samples")
    return weights


def _numbers(dataset: Dataset, name: str) -> Doubles:
    try:
        values = dataset.columns([name])[name]
    except KeyError:
        raise ConfigError(f"balance={name!r}: the dataset has no column of that name; 'yaw' evens out yaw") from None
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type) or pa.types.is_boolean(values.type)):
        raise ConfigError(f"balance={name!r}: that column holds no numbers")
    numbers: Doubles = pc.cast(values, pa.float64()).fill_null(np.nan).to_numpy()
    return numbers
