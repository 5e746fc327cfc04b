"""Several datasets as one, for the loader; and what is said at once about one that cannot be trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from phq.dataset.item import Item
from phq.dataset.loader.balance import balance_weights
from phq.dataset.reader import Dataset
from phq.errors import ConfigError, InputError
from phq.pose.body import load_body

SHARE = "training_share"
"""Column of a mixture with a weight for each sample: what the loader balances by."""
_NEEDED = ("mask_fraction", "mask_confidence", "neck_head_pose", "image_size", "camera_convention")


@dataclass(frozen=True)
class Mixture:
    """Samples of several datasets one after the other: what `phq.dataset.loader.Loader` asks of a dataset.

    A sample that two of them hold is there twice.
    """

    datasets: tuple[Dataset, ...]
    shares: NDArray[np.float64] | None
    """(N,) weights of the samples, which `columns` gives as `SHARE`; None for in proportion to the sizes."""

    def __len__(self) -> int:
        return sum(map(len, self.datasets))

    def __repr__(self) -> str:
        return " + ".join(dataset.root.where for dataset in self.datasets)

    def __getitem__(self, number: int) -> Item:
        dataset, own = self._place(number)
        return dataset[own]

    @property
    def keys(self) -> list[str]:
        """Key of each sample, in order."""
        return [key for dataset in self.datasets for key in dataset.keys]

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Those columns, a row a sample, in order.

        Raises:
            KeyError: one of the datasets has no such column.
        """
        if list(names) == [SHARE]:
            return pa.table({SHARE: self.shares})
        tables = [dataset.columns(names) for dataset in self.datasets]
        return pa.concat_tables(tables, promote_options="permissive")

    def read(self, number: int, member: str = "jpg") -> bytes:
        """A member of a sample by number."""
        dataset, own = self._place(number)
        return dataset.read(own, member)

    def _place(self, number: int) -> tuple[Dataset, int]:
        for dataset in self.datasets:
            if number < len(dataset):
                return dataset, number
            number -= len(dataset)
        raise IndexError(number)


def open_mixture(
    paths: Sequence[str], resolution: int, overlays: Sequence[str], split: str, shares: Sequence[float], balance: str
) -> Mixture:
    """Datasets to be trained on together, each of which has what training needs.

    Args:
        paths: folders or URLs.
        resolution: side of the model's images; stored pictures may be larger.
        overlays: the state to read of each, or one for all; none for the latest.
        split: of each, '' for all.
        shares: of each in an epoch, relative; none for in proportion to their sizes.
        balance: ``yaw``, a column of weights, or '': what the shares are dealt out by within a dataset.

    Raises:
        ConfigError: other numbers of overlays or shares than of datasets; no such column.
        InputError: a dataset cannot be opened, or lacks something; one sentence says what.
    """
    for name, given in (("--revision", overlays), ("training.shares", shares)):
        if len(given) not in ({0, 1, len(paths)} if name == "--revision" else {0, len(paths)}):
            raise ConfigError(f"{name} is given {len(given)} times for {len(paths)} datasets")
    states = list(overlays) * (len(paths) if len(overlays) == 1 else 1) or ["latest"] * len(paths)
    datasets = tuple(
        Dataset(path, split=split or None, revision=state) for path, state in zip(paths, states, strict=True)
    )
    conventions = {dataset.root.where: check(dataset, resolution) for dataset in datasets}
    if len(set(conventions.values())) > 1:
        listed = ", ".join(f"{where}: {name}" for where, name in conventions.items())
        raise InputError(f"these datasets show different parts of a person and cannot be mixed ({listed})")
    return Mixture(datasets, _weights(datasets, shares, balance))


def other_bodies(mixture: Mixture) -> list[str]:
    """A sentence for each dataset whose labels are for another body than the embedded one, the generator's own."""
    sentences = []
    for dataset in mixture.datasets:
        names = set(dataset.columns(["body_model"])["body_model"].to_pylist()) - {"", load_body().name}
        if names:
            sentences.append(
                f"labels of {dataset.root.where} are for {', '.join(sorted(names))}; the generator turns neck and head "
                f"about the joints of {load_body().name}: cameras and rotations of neck and head are the same for both"
            )
    return sentences


def _weights(datasets: Sequence[Dataset], shares: Sequence[float], balance: str) -> NDArray[np.float64] | None:
    if not shares:
        return None
    weights = []
    for dataset, share in zip(datasets, shares, strict=True):
        own = balance_weights(dataset, balance, mirror=False) if balance else np.ones(len(dataset))
        weights.append(own * share / own.sum())
    return np.concatenate(weights)


def check(dataset: Dataset, resolution: int) -> str:
    """That a dataset can be trained on; the convention of its cameras.

    Raises:
        InputError: it is empty, or lacks masks or poses, or its pictures are too small, or its cameras are of two
            conventions; one sentence says what and how many.
    """
    where, count = dataset.root.where, len(dataset)
    if not count:
        raise InputError(f"{where} has no samples in this split: nothing to train on")
    table = dataset.columns(_NEEDED)
    fraction, confidence = (table[name].to_numpy() for name in ("mask_fraction", "mask_confidence"))
    if bare := int(((confidence == 0) & (fraction >= 1)).sum()):
        raise InputError(f"{bare} of the {count} samples of {where} have no mask, which training needs: "
                         "import the set again with --masks, or build from the photos")  # fmt: skip
    poses = table["neck_head_pose"].combine_chunks().flatten().to_numpy()
    if not poses.any():
        raise InputError(f"no sample of {where} has a neck and head pose, which training needs: annotate it "
                         "(phq annotate), or set model.deformation.enabled=false to train without")  # fmt: skip
    sizes = table["image_size"]
    if (side := pc.min(sizes).as_py()) < resolution:
        raise InputError(f"{where} holds pictures of {side} pixels and the model makes {resolution}: "
                         f"build it with --size {resolution}, or choose a preset of at most {side}")  # fmt: skip
    conventions = sorted(pc.unique(table["camera_convention"]).to_pylist())
    if len(conventions) > 1:
        raise InputError(f"the cameras of {where} are of several conventions: {', '.join(conventions)}")
    return str(conventions[0])
