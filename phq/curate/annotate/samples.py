"""The samples that an annotation is about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from phq.dataset.overlays import check_name, check_taken, local_folder, stack_names
from phq.dataset.reader import Dataset
from phq.errors import InputError


def samples_to_annotate(dataset: str | Path, name: str, revision: str, where: str | None) -> Dataset:
    """Every sample of a revision, kept or not, that has a stored picture.

    Args:
        dataset: a folder.
        name: of the new overlay.
        revision: see `phq.dataset.overlays.names_up_to`.
        where: only samples for which this condition holds.

    Raises:
        InputError: no dataset or revision, one that is not on this machine, a name that cannot be used or is taken, or
            no such sample.
    """
    check_name(name)
    opened = Dataset(dataset, revision=revision, where=where, rejects=True)
    local_folder(opened.root, dataset)
    check_taken(opened.root, name, stack_names(opened.run))
    stored = opened.select(np.asarray(pc.not_equal(opened.columns(["shard"])["shard"], "")))
    if not len(stored):
        raise InputError(f"{dataset} has no stored sample" + (f" with {where}" if where else ""))
    return stored


def left_out(samples: Dataset, name: str) -> str:
    """A sentence about overlays that the revision of a new one will not have, '' if it has all of them.

    Args:
        samples: with the labels that the new overlay stands on.
        name: of the new overlay.
    """
    others = [each for each in stack_names(samples.run) if each not in samples.overlays]
    if not others:
        return ""
    return f"the revision {name} leaves out {', '.join(others)}, which can still be read by --revision NAME"
