"""`split`: samples divided anew, as an overlay. What ``phq split`` does is this one call."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from phq.config.build import load_config
from phq.dataset.folder import SPLITS
from phq.dataset.overlays import check_name, stack_names, write_overlay
from phq.dataset.reader import Dataset
from phq.dataset.whole_columns import columns
from phq.decisions.components import LINKS, components
from phq.decisions.rows import split_of
from phq.errors import ConfigError, InputError
from phq.system.version import __version__

BY = ("identity", "source")


@dataclass(frozen=True)
class Divided:
    """How the samples were divided."""

    name: str
    """Of the overlay."""
    groups: int
    """Sets of samples that stay together."""
    largest: int
    """Samples of the largest of them."""
    sizes: dict[str, int]
    """Samples by split."""
    moved: int
    """Samples that are in another split than before."""


def split(dataset: str | Path, name: str, by: str, *, val: float = 0.05, seed: int = 0) -> Divided:
    """Divide the kept samples, as the overlays leave them, and put the result on top as overlay `name`.

    Samples of one photo stay together, and so do look-alikes (``duplicate_of``), and with ``identity`` samples that
    name the same person; directly or through others. A group goes where the hash of its smallest ``source_sha256``
    and the seed sends it, so groups do not move when others come or go, and a group of one photo goes where a build
    with this seed would send it. No shard is touched; ``phq bake`` makes the division physical.

    Args:
        dataset: a folder. name: of the overlay. by: ``identity`` or ``source`` (the photo).
        val: fraction of the groups that goes to val. seed: of the hash.

    Raises:
        ConfigError: unknown `by`, `val` or `seed` out of range.
        InputError: no dataset, a name that cannot be used, no sample, or by identity where none is known.
    """
    if by not in BY:
        raise ConfigError(f"cannot split by {by!r}; there are: {', '.join(BY)}")
    config = load_config("everything", None, [f"split.val_fraction={val}"], seed=seed)
    check_name(name)
    samples = Dataset(dataset)
    if samples.root.local is None:
        raise InputError(f"{dataset} is not a folder on this machine; an overlay can only be written into one")
    if name in stack_names(samples.run):
        raise InputError(f"{dataset} already has an overlay {name}; choose another name (nothing is ever overwritten)")
    rows = columns(samples, (*LINKS, "split")).to_pylist()
    if not rows:
        raise InputError(f"{dataset} has no samples to divide")
    if by == "identity" and not any(row["identity"] for row in rows):
        raise InputError(f"no sample of {dataset} names an identity: build it with a sidecar, or split by source")
    groups = components(rows, identity=by == "identity")
    side = [split_of(group, config) for group in _names(groups, [row["source_sha256"] for row in rows])]
    new = [side[group] for group in groups]
    about = {"command": "split", "version": __version__, "by": by, "val": val, "seed": seed}
    labelled = [{"key": row["key"], "split": part} for row, part in zip(rows, new, strict=True)]
    write_overlay(samples.root.local, name, labelled, ["split"], about)
    return Divided(
        name,
        len(side),
        int(np.bincount(groups).max()),
        {part: new.count(part) for part in SPLITS},
        sum(row["split"] != part for row, part in zip(rows, new, strict=True)),
    )


def _names(groups: NDArray[np.int64], photos: list[str]) -> list[str]:
    """The smallest ``source_sha256`` of each group, by its number."""
    smallest: dict[int, str] = {}
    for group, photo in zip(groups.tolist(), photos, strict=True):
        smallest[group] = min(photo, smallest.get(group, photo))
    return [smallest[group] for group in range(len(smallest))]
