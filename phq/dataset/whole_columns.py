"""Columns of a dataset that has them all."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from phq.dataset.reader import Dataset
from phq.errors import InputError


def columns(dataset: Dataset, names: Iterable[str]) -> pa.Table:
    """Columns by name, each once.

    Raises:
        InputError: the dataset is of an older phq and lacks one.
    """
    try:
        return dataset.columns(list(dict.fromkeys(names)))
    except KeyError as error:
        why = f"{error.args[0]}; an older phq has made {dataset.root.where}, and phq bake brings it up to date"
        raise InputError(why) from error
