"""Opens StyleGAN's network pickles without running anything that they contain.

``torch_utils.persistence`` stores each module as the text of the Python file that defined it, the name of its class and
its state, and executes the text on loading. Here a module is a `Network` with class name and state, the text is
dropped, and every other class or function that the pickle names is an empty class of that name, which does nothing. The
few names that make containers and tensors are replaced by code of ours; tensors come to the CPU whatever device they
were on. A pickle that names the standard library beyond `HARMLESS` is no checkpoint and is refused.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from phq.errors import WeightError
from phq.system.said import reason_of
from phq.weights.pickles import Closed, Skeleton

HARMLESS = frozenset(("collections", "enum", "functools", "pathlib"))
"""Of the standard library, what a checkpoint may name."""


class Network(Skeleton):
    """A network module: ``_parameters``, ``_buffers``, ``_modules`` and its settings, as attributes."""

    class_name: str


class Table(dict[Any, Any], metaclass=Closed):
    """A dnnlib.EasyDict: a dictionary."""


class _Maker:
    """A function of ours that a pickle may call and cannot change."""

    __slots__ = ("_make",)
    _make: Callable[..., Any]

    def __init__(self, make: Callable[..., Any]) -> None:
        object.__setattr__(self, "_make", make)

    def __call__(self, *arguments: Any) -> Any:
        return self._make(*arguments)

    def __setattr__(self, name: str, value: object) -> None:
        raise WeightError(f"it sets {name!r} of a function")

    def __setstate__(self, state: object) -> None:
        raise WeightError("it sets the state of a function")


def read_pickle(path: Path) -> Any:
    """Content of a network pickle, with modules as `Network`.

    Raises:
        WeightError: no pickle, a damaged one, or one that names what a checkpoint has no use for.
    """
    try:
        with path.open("rb") as stream:
            return _Unpickler(stream).load()
    except WeightError as error:
        raise WeightError(f"{path} is refused: {error}") from None
    except Exception as error:
        raise WeightError(f"{path} cannot be read as a network pickle: {reason_of(error)}") from error


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """A stand-in for what the pickle names; nothing is imported."""
        full = f"{module}.{name}"
        if full in _MAKERS:
            return _MAKERS[full]
        package = module.partition(".")[0]
        if package in sys.stdlib_module_names and package not in HARMLESS:
            raise WeightError(f"its pickle asks for {full!r}")
        return _named(name)

    def persistent_load(self, _key: Any) -> Any:
        """No pickle of this kind has any."""
        raise WeightError("it refers to something outside the file")


class _Inert(Closed):
    """A class of a pickle; to call it, as a function or a factory is, gives an empty one."""

    def __call__(cls, *_arguments: object) -> Any:  # noqa: N805 (a metaclass)
        return _blank(cls)


def _named(name: str) -> Any:
    return _Inert(name, (Network,), {"class_name": name, "__new__": _blank, "__setstate__": _hold})


def _blank(cls: Any, *_arguments: object, **_named_arguments: object) -> Any:
    return object.__new__(cls)


def _hold(network: Any, state: object) -> None:
    """What is set on an object becomes its attributes; what has no names (of a numpy type, say) is dropped."""
    if isinstance(state, dict):
        vars(network).update(state)


def _persistent(meta: Any) -> Network:
    """In place of ``torch_utils.persistence._reconstruct_persistent_obj``; the text in `meta` is not looked at."""
    if not isinstance(meta, dict) or not isinstance(meta.get("state"), dict):
        raise WeightError("a persistent object has no state")
    network: Network = _named(str(meta.get("class_name")))()
    vars(network).update(meta["state"])
    return network


def _storage(content: Any) -> Any:
    """In place of ``torch.storage._load_from_bytes``: a storage that torch.save has written."""
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _tensor(storage: Any, offset: int, size: Any, stride: Any, *_rest: object) -> Tensor:
    """In place of ``torch._utils._rebuild_tensor_v2``; torch refuses a shape that the storage does not hold."""
    untyped = storage._untyped_storage if isinstance(storage, torch.storage.TypedStorage) else storage
    kind = storage.dtype if isinstance(storage, torch.storage.TypedStorage) else torch.uint8
    if not isinstance(untyped, torch.UntypedStorage):
        raise WeightError("a tensor is made of something else than a storage")
    within: Tensor = torch.empty(0, dtype=kind).set_(untyped, 0, (untyped.nbytes() // kind.itemsize,), (1,))
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if not all(n > 0 for n in size):
        return torch.empty(tuple(size), dtype=kind)
    if offset < 0 or min(stride, default=0) < 0 or last >= len(within):
        raise WeightError("a tensor reaches beyond its storage")
    return within.as_strided(tuple(size), tuple(stride), offset)


def _parameter(data: Any, *_rest: object) -> Tensor:
    """In place of ``torch._utils._rebuild_parameter``."""
    if not isinstance(data, Tensor):
        raise WeightError("a parameter is made of something else than a tensor")
    return data


def _reconstructed(cls: Any, *_rest: object) -> Any:
    """In place of ``copyreg._reconstructor``, how older protocols make objects."""
    return cls() if isinstance(cls, _Inert) else {}


def _nothing(*_arguments: object) -> None:
    """In place of what keeps or encodes bytes of numpy."""


_MAKERS: dict[str, Any] = {
    "torch_utils.persistence._reconstruct_persistent_obj": _Maker(_persistent),
    "torch.storage._load_from_bytes": _Maker(_storage),
    "torch._utils._rebuild_tensor_v2": _Maker(_tensor),
    "torch._utils._rebuild_parameter": _Maker(_parameter),
    "copyreg._reconstructor": _Maker(_reconstructed),
    "_codecs.encode": _Maker(_nothing),
    "builtins.object": _named("object"),
    "builtins.set": _Maker(set),
    "builtins.frozenset": _Maker(frozenset),
    "collections.OrderedDict": OrderedDict,
    "dnnlib.util.EasyDict": Table,
    "dnnlib.EasyDict": Table,
}
"""By full name."""
