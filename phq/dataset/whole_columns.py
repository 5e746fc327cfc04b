"""Columns of a dataset, with an error for datasets of an older phq that lack one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pyarrow as pa

from phq.dataset.reader import Dataset
from phq.errors import InputError


def columns(dataset: Dataset, names: Iterable[str]) -> pa.Table:
    """Columns by name, each once.

    Raises:
        InputError: the dataset was made by an older phq and lacks one.
    """
    with _explained(dataset):
        return dataset.columns(list(dict.fromkeys(names)))


def batches(dataset: Dataset, names: Iterable[str]) -> Iterator[pa.Table]:
    """`columns` of samples in the dataset's order, some at a time; its error."""
    with _explained(dataset):
        yield from dataset.batches(list(dict.fromkeys(names)))


@contextmanager
def _explained(dataset: Dataset) -> Iterator[None]:
    try:
        yield
    except KeyError as error:
        why = f"{error.args[0]}; {dataset.root.where} was made by an older phq; phq bake brings it up to date"
        raise InputError(why) from error
