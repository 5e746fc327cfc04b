"""One network of ultralytics, on the device of the process: what it sees of people in pictures."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from phq.detect.backends.yolo.package import check_installed, yolo_class
from phq.errors import WeightError
from phq.system.arrays import Image
from phq.weights.catalogue import remote
from phq.weights.devices import chosen_device
from phq.weights.digest import sha256_once
from phq.weights.embedded import Weight
from phq.weights.store import weights_path

LICENCE = "AGPL-3.0, or Ultralytics' enterprise licence"
SUFFIX = ".pt"
MOST = 16
"""Pictures of one batch on a GPU."""


def weight_of(spec: str, purpose: str) -> tuple[Path, Weight]:
    """The file that a spec names, and its description.

    Args:
        spec: a name of ``phq weights list``, or a path: it has a suffix or a folder.
        purpose: for a file of the user's.

    Raises:
        MissingExtraError: ultralytics is not there.
        WeightError: there are no such weights, they are not pulled, or not of this kind.
    """
    check_installed()
    path = Path(spec).expanduser()
    if path.suffix or path.name != spec:
        return _own_file(path, purpose)
    entry = remote(spec)
    if not entry.file.endswith(SUFFIX) or entry.extra != "yolo":
        raise WeightError(f"the weights {spec} ({entry.purpose}) are not of ultralytics")
    path = weights_path(spec)
    size = path.stat().st_size
    return path, Weight(spec, entry.file, sha256_once(path), size, entry.licence, entry.source, entry.purpose)


def _own_file(path: Path, purpose: str) -> tuple[Path, Weight]:
    if path.suffix != SUFFIX:
        raise WeightError(f"{path}: yolo takes weights of PyTorch ({SUFFIX}), no exported networks")
    if not path.is_file():
        raise WeightError(f"there is no file {path}; names of weights to download: phq weights list")
    try:
        digest, size = sha256_once(path), path.stat().st_size
    except OSError as error:
        raise WeightError(f"cannot read the weights {path}: {error.strerror}") from error
    return path, Weight(path.stem, path.name, digest, size, LICENCE, "a file of the user's", purpose)


class Network:
    """A loaded network that knows people."""

    task: str
    """``detect``, ``pose`` or ``segment``."""
    person: int
    """Number of the class 'person'."""
    keypoints: tuple[int, ...]
    """(keypoints, numbers of each); empty without."""

    def __init__(self, path: Path, tasks: Collection[str]) -> None:
        """
        Args:
            tasks: what it may have been trained for: ``detect``, ``pose``, ``segment``.

        Raises:
            WeightError: the file is hostile, damaged, or of another task, or knows no people; no such device.
        """
        self.device = torch_device()
        """As PyTorch calls it."""
        self.model = opened(path)
        self.task = self.model.task
        if self.task not in tasks:
            raise WeightError(f"{path} was trained for '{self.task}'; needed here: {' or '.join(tasks)}")
        self.person = person_class(self.model.names, path)
        self.keypoints = tuple(getattr(self.model.model, "kpt_shape", ()))
        try:
            self.look([np.zeros((64, 64, 3), np.uint8)], 0.5)  # loads it onto the device
        except Exception as error:
            raise WeightError(f"ultralytics cannot run {path} on {self.device}: {first_line(error)}") from error

    def look(self, pictures: Sequence[Image], score: float, **options: Any) -> list[Any]:
        """``ultralytics.engine.results.Results`` of each picture, with nothing but people from `score` up, on the CPU.

        On the CPU each picture runs alone: a batch brings a single thread nothing, and what is seen in a picture does
        not depend on its neighbours. On a GPU pictures of the same size run together.
        """
        found: list[Any] = [None] * len(pictures)
        for batch in batches([picture.shape[:2] for picture in pictures], 1 if self.device == "cpu" else MOST):
            bgr = [np.ascontiguousarray(pictures[number][..., ::-1]) for number in batch]
            for number, result in zip(batch, self._predict(bgr, score, options), strict=True):
                found[number] = result.cpu()
        return found

    def _predict(self, bgr: list[Image], score: float, options: dict[str, Any]) -> Any:
        fixed = {"classes": [self.person], "device": _device(self.device), "verbose": False, "save": False}
        with one_torch_thread():
            return self.model.predict(bgr, conf=score, **fixed, **options)


def person_class(names: dict[int, str], path: Path) -> int:
    """Number of the class of people.

    Raises:
        WeightError: there is none.
    """
    for number, name in names.items():
        if name.strip().casefold() == "person":
            return number
    raise WeightError(f"{path} knows no class 'person'; it knows {', '.join(list(names.values())[:8])}")


def batches(shapes: Sequence[tuple[int, int]], most: int) -> Iterator[list[int]]:
    """Indices of pictures of the same shape, at most so many at a time: others would be padded to a common one."""
    for shape in dict.fromkeys(shapes):
        same = [number for number, other in enumerate(shapes) if other == shape]
        yield from (same[start : start + most] for start in range(0, len(same), most))


def torch_device() -> str:
    """PyTorch's name for the device of the process; ``cpu`` for what PyTorch does not know.

    Raises:
        WeightError: a CUDA device that PyTorch has not.
    """
    device = chosen_device()
    if device.kind not in ("cuda", "tensorrt"):
        return "cpu"
    import torch

    count = torch.cuda.device_count()
    if device.index >= count:
        raise WeightError(f"--device {device}: PyTorch sees {count} CUDA devices; --device cpu runs without")
    return f"cuda:{device.index}"


def _device(name: str) -> Any:
    import torch

    return torch.device(name)  # a name would make ultralytics set CUDA_VISIBLE_DEVICES


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """PyTorch computes on one thread inside the block: parallelism is by processes."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def opened(path: Path) -> Any:
    """``ultralytics.YOLO`` of a file of weights in which there is nothing else.

    Raises:
        MissingExtraError: ultralytics is not there.
        WeightError: the file is hostile or damaged, or of something else.
    """
    yolo = yolo_class()
    import torch

    from phq.weights.pickles import Skeleton, read_torch

    content = read_torch(path)  # before ultralytics, which would run the code of a pickle
    saved = (content.get("ema") or content.get("model")) if isinstance(content, dict) else None
    # PyTorch returns the network itself once its class is registered as safe, as ultralytics can do.
    if not isinstance(saved, Skeleton | torch.nn.Module):
        raise WeightError(f"{path} holds no network that ultralytics saved")
    try:
        return yolo(str(path))
    except Exception as error:
        raise WeightError(f"ultralytics cannot load {path}: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """First line of an exception's message."""
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
