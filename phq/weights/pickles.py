"""Opens PyTorch's files (.pt, .pth) without running anything that they may contain.

Such a file holds a pickle, and a pickle is a program. torch's own restricted reader (``weights_only``) does not know
the classes of a network that was saved whole, as Ultralytics saves them; here each stands as a `Skeleton` that takes
over what the pickle sets on it and can do nothing. A number of numpy and a table of settings stand as a `Remark`, and
a method that a network holds (``Detect.forward`` in its -pose and -seg weights) as one too. Every other name that
torch does not permit is refused, and so is a call of one of the classes or methods: what passes may then be given to
the package that wrote it. Pickles of body models have a reader of their own, `phq.pose.smpl_pickle`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from phq.errors import WeightError
from phq.system.said import reason_of

if TYPE_CHECKING:
    from torch import Tensor

MODULES = re.compile(r"(torch\.nn\.modules|ultralytics\.nn|ultralytics\.utils\.(loss|tal))(\.\w+)+")
"""Names of classes that stand as skeletons."""
REMARKS = re.compile(
    r"numpy\.dtype|numpy\._?core\.multiarray\.scalar|ultralytics(\.yolo)?\.utils\.IterableSimpleNamespace"
)
"""Names of what makes a number or a table of what it is given, and nothing else."""
GETATTR = "builtins.getattr"
METHODS = ("forward", "forward_fuse")
"""What a network may hold of itself or of another class."""
PATHS = ("pathlib.PosixPath", "pathlib.WindowsPath", "pathlib._local.PosixPath", "pathlib._local.WindowsPath")


class Closed(type):
    """A class that a pickle can neither call nor change."""

    def __call__(cls, *_arguments: object) -> Any:
        raise WeightError(f"it calls {cls.__name__}, where weights only set values")

    def __setattr__(cls, name: str, value: object) -> None:
        raise WeightError(f"it sets {name!r} of a class")


class Skeleton(metaclass=Closed):
    """What a saved network module holds, as attributes: ``_parameters``, ``_buffers``, ``_modules`` and its own."""

    def tensors(self) -> dict[str, Tensor]:
        """Parameters and buffers by dotted name, as ``state_dict`` has them.

        Raises:
            WeightError: the modules hold each other in a circle, or something else than modules and tensors.
        """
        try:
            return dict(_tensors(self, ""))
        except (AttributeError, TypeError, RecursionError) as error:
            raise WeightError(f"the saved network is crooked: {error}") from error


class Remark:
    """Something beside the weights, forgotten."""

    def __init__(self, *_arguments: object) -> None:
        """Whatever it is made of."""

    def __setstate__(self, state: object) -> None:
        """Whatever is set on it."""


def _method(owner: object, name: object) -> Remark:
    """In place of `getattr`."""
    if not isinstance(owner, Closed | Skeleton) or name not in METHODS:
        raise WeightError(f"it asks for {name!r} of something")
    return Remark()


def read_torch(path: Path) -> Any:
    """Content of a file of ``torch.save``, on the CPU; modules of networks are `Skeleton`.

    Raises:
        WeightError: it asks for a name or a call that weights do not need, is damaged, or of another format.
    """
    import torch
    from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

    try:
        asked = sorted(get_unsafe_globals_in_checkpoint(path))
        refused = [name for name in asked if not _permitted(name)]
        if refused:
            raise WeightError(f"{path} is refused: its pickle asks for {', '.join(map(repr, refused))}")
        with warnings.catch_warnings(), safe_globals([(_stand_in(name), name) for name in asked]):
            warnings.simplefilter("ignore")  # of unusual pickle protocols: what torch cannot read is an error
            return torch.load(path, map_location="cpu", weights_only=True)
    except WeightError as error:
        raise error if str(path) in str(error) else WeightError(f"{path} is refused: {error}") from None
    except Exception as error:
        raise WeightError(f"{path} cannot be read as weights of PyTorch: {reason_of(error)}") from error


def _permitted(name: str) -> bool:
    return bool(MODULES.fullmatch(name) or REMARKS.fullmatch(name)) or name in (*PATHS, GETATTR)


def _stand_in(name: str) -> Any:
    """Each class has one of its own, so that a message can say which."""
    if name in PATHS:
        return PurePosixPath
    if name == GETATTR:
        return _method
    return Remark if REMARKS.fullmatch(name) else Closed(name, (Skeleton,), {})


def _tensors(module: Skeleton, prefix: str) -> Iterator[tuple[str, Tensor]]:
    state = vars(module)
    temporary = state.get("_non_persistent_buffers_set", ())
    held: dict[str, Any] = state.get("_parameters", {}) | {
        name: buffer for name, buffer in state.get("_buffers", {}).items() if name not in temporary
    }
    yield from ((prefix + name, tensor) for name, tensor in held.items() if tensor is not None)
    for name, child in state.get("_modules", {}).items():
        if child is not None:
            yield from _tensors(child, f"{prefix}{name}.")
