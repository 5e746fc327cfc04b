"""The ONNX file that a back end's spec names: a pulled one of its family, or the user's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from phq.detect.candidates import Candidates
from phq.detect.tiles import look_everywhere
from phq.errors import WeightError
from phq.system.arrays import Image
from phq.weights.catalogue import remote, remotes
from phq.weights.devices import open_onnx
from phq.weights.digest import sha256_once
from phq.weights.embedded import Weight
from phq.weights.packs import pack_file
from phq.weights.store import weights_path

MAX_IOU = 0.55
"""Intersection over union from which two boxes of a picture are one person."""


@dataclass(frozen=True)
class Family:
    """Weights that one back end can run."""

    backend: str
    names: tuple[str, ...]
    """How their names in ``phq weights list`` begin."""
    default: str
    """Weights if none are named; empty: a file must be named."""
    purpose: str

    def weight(self, spec: str) -> Weight:
        """The weight that a spec names, checked to exist.

        Raises:
            WeightError: it is not, or it is damaged, or it belongs to another back end.
        """
        spec = spec or self.default
        if not self._named(spec):
            path = self._own(spec)
            size = path.stat().st_size
            return Weight(path.stem, path.name, sha256_once(path), size, "not stated", "own file", self.purpose)
        entry, path = remote(spec), weights_path(spec)
        size = path.stat().st_size
        return Weight(entry.name, entry.file, sha256_once(path), size, entry.licence, entry.source, entry.purpose)

    def session(self, spec: str) -> Any:
        """ONNX Runtime session of the weight that a spec names.

        Raises:
            WeightError: see `weight`; or ONNX Runtime cannot run it.
        """
        spec = spec or self.default
        if not self._named(spec):
            return open_onnx(self._own(spec))
        return open_onnx(pack_file(spec, ".onnx") if remote(spec).file.endswith(".zip") else weights_path(spec))

    def _named(self, spec: str) -> bool:
        return spec in remotes() and spec.startswith(self.names)

    def _own(self, spec: str) -> Path:
        path = Path(spec).expanduser()
        if path.suffix == ".onnx" and path.is_file():
            return path
        known = [f"{self.backend}:{name}" for name in remotes() if name.startswith(self.names)]
        missing = f"there is no file {path}" if path.suffix == ".onnx" else f"{self.backend} has no weights {spec!r}"
        missing = missing if spec else f"{self.backend} needs a file of weights"
        raise WeightError(f"{missing}; possible are {' and '.join([*known, f'{self.backend}:FILE.onnx'])}")


class TiledDetector(ABC):
    """A detector of a family of files: it looks at whole pictures, and at their tiles where asked."""

    family: ClassVar[Family]

    @classmethod
    def weights(cls, weights: str = "") -> tuple[Weight, ...]:
        """A name in ``phq weights list`` that begins as the family's do, or the path of an ONNX file."""
        return (cls.family.weight(weights),)

    def detect(self, pictures: Sequence[Image], threshold: float, tiles: bool) -> list[Candidates]:
        """See `phq.detect.backends.protocols.Detector`."""
        return look_everywhere(pictures, self._look, threshold, tiles, MAX_IOU)

    @abstractmethod
    def _look(self, pixels: Image) -> Candidates:
        """People in one picture or tile, in its pixels, best first."""


def input_size(session: Any, otherwise: int | None) -> tuple[int, int]:
    """Height and width of the picture that a network takes.

    Args:
        otherwise: side of the square if the file leaves it open; None: then it cannot be used.

    Raises:
        WeightError: it takes no three planes, or leaves their size open.
    """
    shape = session.get_inputs()[0].shape
    if len(shape) != 4 or shape[1] not in (3, "channels", "num_channels"):
        raise WeightError(f"a network on 1 × 3 × height × width is wanted, and this one takes {shape}")
    height, width = (side if isinstance(side, int) else otherwise for side in shape[2:])
    if not height or not width:
        raise WeightError("the file leaves the size of its picture open; export it with a fixed one")
    return height, width


def expect_output(session: Any, name: str, last: int, what: str) -> None:
    """Look that a network has an output, and how long its last axis is.

    Raises:
        WeightError: it is another network.
    """
    found = {output.name: output.shape for output in session.get_outputs()}
    if name not in found or (isinstance(found[name][-1], int) and found[name][-1] != last):
        outputs = ", ".join(f"{key} {shape}" for key, shape in found.items())
        raise WeightError(f"{what} has an output {name} [..., {last}], and this file has {outputs}")
