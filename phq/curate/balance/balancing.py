"""`balance`: weights or a subset that balance directions and head poses, as an overlay (``phq balance``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from phq.curate.balance.fill import draw, spread
from phq.curate.balance.head_pose import head_to_torso
from phq.curate.balance.target import YAW_BINS, Target, cells, floors, is_front
from phq.dataset.overlays import check_name, check_taken, local_folder, stack_names, write_overlay
from phq.dataset.reader import Dataset
from phq.dataset.whole_columns import columns
from phq.errors import ConfigError, InputError
from phq.system.arrays import Doubles, Ints
from phq.system.atomic import disk_errors_explained
from phq.system.version import __version__

WEIGHT = "balance_weight"
"""Column of the overlay: sampling weight, with mean 1 in each split; 0 or 1 for a subset."""
CAP = 5.0
_NEEDED = ("key", "split", "camera_yaw_deg", "camera_pitch_deg", "neck_head_pose")


@dataclass(frozen=True)
class Balanced:
    """Effect of the weights in the largest split."""

    name: str
    """Name of the overlay."""
    split: str
    samples: int
    below_floor: int
    """Samples below a minimum."""
    chosen: int
    """Samples with a weight above 0."""
    effective: float
    """Effective sample size (Σw)² / Σw² (Kish 1965): as many samples of equal weight would vary as little."""
    largest: float
    """Largest weight."""
    before: Doubles
    """(`YAW_BINS`,) share of the samples in each bin of yaw, from −180° on."""
    after: Doubles
    """Share of the weight in each bin."""
    empty: int
    """Bins of yaw without a sample to draw."""

    def front(self, shares: Doubles) -> float:
        """Share within 90° of the front."""
        return float(shares[is_front(np.arange(YAW_BINS))].sum())


@disk_errors_explained
def balance(
    dataset: str | Path,
    target: str,
    name: str = "balance",
    *,
    quality_min: Sequence[str] = (),
    cap: float = CAP,
    subset: int | None = None,
    seed: int = 0,
) -> Balanced:
    """Compute weights of the kept samples and write them as column `WEIGHT` of an overlay, on top of the stack.

    Each split is balanced by itself. Its mass is distributed over 24 directions of 15° by `target`, within each
    direction evenly over the occupied bins of pitch, and within these evenly over those of head pose, as far as `cap`
    allows (`phq.curate.balance.fill`). Read it with ``Loader(…, balance="balance_weight")``, a subset also with
    ``Dataset(…, where="balance_weight > 0")``.

    Args:
        dataset: a folder.
        target: ``uniform-yaw``: all directions equally often; ``front-back=R``: the front half R times as often as the
            back half, and within a half in proportion to the samples.
        name: of the overlay.
        quality_min: each ``SCORE=VALUE``; samples below the value weigh 0.
        cap: largest weight of a sample, at least 1; the mean is 1.
        subset: number of samples to choose, each at most once, in place of weights.
        seed: random seed of the subset.

    Raises:
        ConfigError: a setting out of range.
        InputError: there is no dataset, the name cannot be used, or no sample reaches the minima.
    """
    aim, least = Target.parse(target), floors(quality_min)
    check_name(name)
    if not cap >= 1 or seed < 0:
        raise ConfigError(f"--cap {cap:g} --seed {seed}: a cap is at least 1, the mean weight, and a seed at least 0")
    samples = Dataset(dataset)
    folder = local_folder(samples.root, dataset)
    check_taken(samples.root, name, stack_names(samples.run))
    table = columns(samples, (*_NEEDED, *least))
    allowed = _at_least(table, least)
    if not allowed.any():
        floor = f" that reach {', '.join(quality_min)}" if least else ""
        raise InputError(f"{dataset} has no samples{floor}: nothing to balance")
    bins = _cells(table)
    weights = _weights(table["split"], allowed, bins, aim, cap if subset is None else 1.0, subset)
    if subset is not None:
        weights = _drawn(table["split"], weights, bins, seed)
    settings = {"target": target, "quality_min": least, "cap": cap, "subset": subset or 0, "seed": seed}
    about = {"command": "balance", "version": __version__, **settings}
    rows = zip(table["key"].to_pylist(), weights.tolist(), strict=True)
    named = ({"key": key, WEIGHT: weight} for key, weight in rows)
    write_overlay(folder, name, named, [WEIGHT], about, read=samples.run)
    return _summary(name, table["split"], bins[:, 0], weights, allowed)


def _at_least(table: pa.Table, least: Mapping[str, float]) -> NDArray[np.bool_]:
    allowed = np.ones(len(table), bool)
    for name, value in least.items():
        kind = table[name].type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            raise ConfigError(f"--quality-min {name}={value:g}: that column does not hold numbers")
        allowed &= pc.cast(table[name], pa.float64()).fill_null(-np.inf).to_numpy() >= value
    return allowed


def _cells(table: pa.Table) -> Ints:
    yaw, pitch = (table[f"camera_{axis}_deg"].to_numpy() for axis in ("yaw", "pitch"))
    poses = table["neck_head_pose"].combine_chunks().flatten().to_numpy()
    return cells(yaw, pitch, *head_to_torso(poses))


def _weights(
    splits: pa.ChunkedArray, allowed: NDArray[np.bool_], bins: Ints, target: Target, cap: float, subset: int | None
) -> Doubles:
    """(N,) weights, balanced in each split; a subset is divided among the splits in proportion to their sizes."""
    names = np.asarray(splits.to_pylist(), dtype=object)
    parts = [np.flatnonzero(allowed & (names == name)) for name in sorted(set(names[allowed].tolist()))]
    sizes = np.array([len(part) for part in parts])
    wanted = sizes if subset is None else _shared(subset, sizes)
    weights = np.zeros(len(bins))
    for rows, mass in zip(parts, wanted.tolist(), strict=True):
        weights[rows] = spread(float(mass), bins[rows], cap, target.shares)
    return weights


def _shared(subset: int, sizes: Ints) -> Ints:
    """Whole numbers in proportion to `sizes` that add up to `subset`."""
    if not 1 <= subset <= sizes.sum():
        raise ConfigError(f"--subset {subset}: expected 1 to {sizes.sum()}, the samples there are to choose from")
    ends = np.cumsum(sizes) * subset // sizes.sum()
    return np.asarray(np.diff(ends, prepend=0), np.int64)


def _drawn(splits: pa.ChunkedArray, weights: Doubles, bins: Ints, seed: int) -> Doubles:
    names = np.asarray(splits.to_pylist(), dtype=object)
    drawn = np.zeros(len(weights))
    for name in sorted(set(names.tolist())):
        rows = np.flatnonzero((names == name) & (weights > 0))
        drawn[rows] = draw(weights[rows], bins[rows], seed)
    return drawn


def _summary(
    name: str, splits: pa.ChunkedArray, every_yaw: Ints, every_weight: Doubles, allowed: NDArray[np.bool_]
) -> Balanced:
    names = np.asarray(splits.to_pylist(), dtype=object)
    split = max(sorted(set(names[allowed].tolist())), key=lambda name: int((names == name).sum()))
    rows = names == split
    yaw, weights, allowed = every_yaw[rows], every_weight[rows], allowed[rows]
    after = np.bincount(yaw, weights, YAW_BINS)
    return Balanced(
        name=name,
        split=split,
        samples=len(weights),
        below_floor=int((~allowed).sum()),
        chosen=int((weights > 0).sum()),
        effective=float(weights.sum() ** 2 / (weights**2).sum()),
        largest=float(weights.max()),
        before=np.bincount(yaw, minlength=YAW_BINS) / len(yaw),
        after=after / after.sum(),
        empty=int((np.bincount(yaw[allowed], minlength=YAW_BINS) == 0).sum()),
    )


def lines(done: Balanced) -> Iterator[str]:
    """The result as text."""
    floor = f"   {done.below_floor} below the floor" if done.below_floor else ""
    yield f"overlay {done.name}   {done.split}: {done.chosen} of {done.samples} samples{floor}"
    yield f"effective sample size {done.effective:.0f} ({done.effective / done.samples:.0%})   largest weight " + (
        f"{done.largest:.2f}"
    )
    yield f"front half {done.front(done.before):.1%} before, {done.front(done.after):.1%} after"
    if done.empty:
        yield f"{done.empty} of {YAW_BINS} directions have no sample to draw"
    yield "\n  yaw      before   after"
    for number in range(YAW_BINS):
        bar = "█" * round(done.after[number] * YAW_BINS * 10)
        low = number * 360 // YAW_BINS - 180
        yield f"  {low:>5}°  {done.before[number]:7.1%} {done.after[number]:7.1%}  {bar}"
