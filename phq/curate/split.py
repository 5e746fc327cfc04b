"""`split`: divide the samples into train and val again, as an overlay. The command ``phq split`` is this one call."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from phq.config.build import load_config
from phq.dataset.folder import SPLITS
from phq.dataset.overlays import check_name, local_folder, stack_names, write_overlay
from phq.dataset.reader import Dataset
from phq.dataset.whole_columns import columns
from phq.decisions.split_groups import LINKS, split_groups, split_of
from phq.errors import ConfigError, InputError
from phq.system.atomic import disk_errors_explained
from phq.system.version import __version__

BY = ("identity", "source")


@dataclass(frozen=True)
class Division:
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


@disk_errors_explained
def split(dataset: str | Path, name: str, by: str, *, val: float = 0.05, seed: int = 0) -> Division:
    """Divide the kept samples, with the overlays applied, and write the result as overlay `name` on top.

    Samples of one photo stay together, and so do look-alikes, samples of one scene or face, and with ``identity``
    samples that name the same person; directly or through others. A group goes where a build with this seed would have
    put it (`phq.decisions.split_groups`), so groups do not move when others come or go. No shard is touched; ``phq
    bake`` makes the division physical.

    Args:
        dataset: a folder.
        name: of the overlay.
        by: ``identity`` or ``source`` (the photo).
        val: fraction of the groups that goes to val.
        seed: of the hash.

    Raises:
        ConfigError: unknown `by`, `val` or `seed` out of range.
        InputError: no dataset, a name that cannot be used, no sample, or by identity where none is known.
    """
    if by not in BY:
        raise ConfigError(f"cannot split by {by!r}; there are: {', '.join(BY)}")
    config = load_config("everything", None, [f"split.val_fraction={val}"], seed=seed)
    check_name(name)
    samples = Dataset(dataset)
    folder = local_folder(samples.root, dataset)
    if name in stack_names(samples.run):
        raise InputError(f"{dataset} already has an overlay {name}; choose another name (nothing is ever overwritten)")
    table = columns(samples, (*LINKS, "split"))
    if not len(table):
        raise InputError(f"{dataset} has no samples to divide")
    if by == "identity" and not any(table["identity"].to_pylist()):
        raise InputError(f"no sample of {dataset} names an identity: build it with a sidecar, or split by source")
    groups = split_groups(table, identity=by == "identity")
    new = [split_of(group, config) for group in groups]
    about = {"command": "split", "version": __version__, "by": by, "val": val, "seed": seed}
    rows = ({"key": key, "split": part} for key, part in zip(table["key"].to_pylist(), new, strict=True))
    write_overlay(folder, name, rows, ["split"], about)
    counts = Counter(groups)
    moved = sum(before != after for before, after in zip(table["split"].to_pylist(), new, strict=True))
    return Division(name, len(counts), max(counts.values()), {part: new.count(part) for part in SPLITS}, moved)
