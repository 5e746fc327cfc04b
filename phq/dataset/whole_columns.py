"""Columns of a dataset, with an error for datasets of an older phq that lack one."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from phq.dataset.reader import Dataset
from phq.errors import InputError


def columns(dataset: Dataset, names: Iterable[str]) -> pa.Table:
    """Columns by name, each once.

    Raises:
        InputError: the dataset was made by an older phq and lacks one.
    """
    try:
        return dataset.columns(list(dict.fromkeys(names)))
    except KeyError as error:
        why = f"{error.args[0]}; {dataset.root.where} was made by an older phq; phq bake brings it up to date"
        raise InputError(why) from error
