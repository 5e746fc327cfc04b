"""`Course`: the position of a run in its epochs, as a few integers from which it can be resumed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from phq.dataset.loader.order import Deal, epoch_order
from phq.errors import InputError
from phq.system.arrays import Doubles, Ints


class Course:
    """The order of every epoch, and how much of the present one is done, by all ranks together.

    Args:
        keys: (N,) of the samples.
        copies: entries of an epoch for each sample: entry e is sample e // copies.
        weights: (N · copies,) of the entries, None for each once.
        seed: random seed of the order.
        deal: how the ranks go through it.
    """

    def __init__(self, keys: NDArray[np.bytes_], copies: int, weights: Doubles | None, seed: int, deal: Deal) -> None:
        self.entries = len(keys) * copies
        self.weights = weights
        self.deal = deal
        self.seed = seed
        self.epoch = 0
        self.position = 0
        """Entries of the epoch's order that are done, as set by the `Loader` that delivers them."""
        digest = hashlib.sha256(b"%d " % copies + keys.tobytes() + (b"" if weights is None else weights.tobytes()))
        self.fingerprint = int.from_bytes(digest.digest()[:6], "big")
        """Hash of samples, mirroring and weights; small enough for any reader of JSON."""

    def __len__(self) -> int:
        """Steps that this rank has left in the epoch."""
        return self.deal.count(self.position, self.entries)

    def rest(self) -> Iterator[tuple[Ints, int]]:
        """For each step left in the epoch the entries of this rank, and the position after it."""
        order = epoch_order(self.entries, self.seed, self.epoch, self.weights)
        return ((order[own], stop) for own, stop in self.deal.steps(self.position, self.entries))

    def next_epoch(self) -> None:
        """Go on to the next epoch."""
        self.epoch, self.position = self.epoch + 1, 0

    def state(self) -> dict[str, int]:
        """The state, for `restore`."""
        names = ("seed", "epoch", "position", "entries", "fingerprint")
        return {name: int(getattr(self, name)) for name in names}

    def restore(self, state: Mapping[str, int]) -> None:
        """Go on from a state, whatever the number of ranks that left it.

        Raises:
            InputError: it is not a state, or one of other samples, mirroring or weights.
        """
        if missing := [name for name in self.state() if not isinstance(state.get(name), int)]:
            raise InputError(f"this is not a state of a Loader: it has no whole number under {', '.join(missing)}")
        if (state["entries"], state["fingerprint"]) != (self.entries, self.fingerprint):
            raise InputError(
                f"this state is of an epoch of {state['entries']} other samples than these {self.entries}: open the "
                "same samples (split, overlay, filter) in the same order, with the same mirror and balance"
            )
        for name, most in (("seed", 2**63 - 1), ("epoch", 2**63 - 1), ("position", self.entries)):
            if not 0 <= state[name] <= most:
                raise InputError(f"this is not a state of a Loader: its {name} is {state[name]}")
        self.seed, self.epoch, self.position = (int(state[name]) for name in ("seed", "epoch", "position"))
