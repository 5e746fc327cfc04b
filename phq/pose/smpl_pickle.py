"""Opens the pickle of a body model without running anything that it may contain.

A pickle is a program: loading one from a stranger can start any command. This reader knows the few names that files
of the SMPL family need (arrays, sparse matrices, Python's containers, and the arrays of the abandoned package
chumpy, which need not be installed) and refuses every other by name, before anything is called.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from phq.errors import WeightError


class _Sealed(type):
    """A class whose attributes a pickle cannot set (opcode BUILD would); only those of its instances."""

    def __setattr__(cls, name: str, value: object) -> None:
        raise pickle.UnpicklingError(f"it sets {name!r} of a class")


class _Stub(metaclass=_Sealed):
    """Takes over the attributes that the pickle sets on an object, and runs none of its class's code."""

    def array(self) -> NDArray[Any]:
        raise NotImplementedError


class _Ch(_Stub):
    """``chumpy.ch.Ch``: a plain array, kept as attribute x."""

    x: object

    def array(self) -> NDArray[Any]:
        return plain_array(self.x)


class _Select(_Stub):
    """``chumpy.reordering.Select``: some entries of another array (its ``compute_r``)."""

    a: object
    idxs: Any
    preferred_shape: Any

    def array(self) -> NDArray[Any]:
        return np.asarray(plain_array(self.a).ravel()[self.idxs].reshape(self.preferred_shape))


class _Compressed(_Stub):
    """A compressed sparse matrix of scipy. It is built anew and checked: indices out of range would be undefined."""

    make: Any
    data: Any
    indices: Any
    indptr: Any
    _shape: Any

    def array(self) -> NDArray[Any]:
        matrix = self.make((self.data, self.indices, self.indptr), shape=self._shape)
        matrix.check_format(full_check=True)
        return np.asarray(matrix.toarray())


class _Csc(_Compressed):
    make = scipy.sparse.csc_matrix


class _Csr(_Compressed):
    make = scipy.sparse.csr_matrix


def _reconstructor(cls: type, _base: type, _state: object) -> object:
    """``copyreg._reconstructor`` for stubs, whose base is always object."""
    return object.__new__(cls)


def _encode(text: str, encoding: str) -> bytes:
    """``_codecs.encode`` as protocol 2 uses it for bytes; other codecs could unpack bombs."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes in encoding {encoding!r}")
    return text.encode("latin1")


def _allowed() -> dict[tuple[str, str], object]:
    """The object for each permitted (module, name); Python 2's and older packages' names included."""
    names: dict[tuple[str, str], object] = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("chumpy.ch", "Ch"): _Ch,
        ("chumpy.reordering", "Select"): _Select,
        ("copy_reg", "_reconstructor"): _reconstructor,
        ("copyreg", "_reconstructor"): _reconstructor,
        ("_codecs", "encode"): _encode,
    }
    for core in ("numpy.core", "numpy._core"):
        names[f"{core}.multiarray", "_reconstruct"] = np.empty(0).__reduce__()[0]
        names[f"{core}.multiarray", "scalar"] = np.float64(0).__reduce__()[0]
        names[f"{core}.numeric", "_frombuffer"] = np.empty(0).__reduce_ex__(5)[0]
    for builtins in ("builtins", "__builtin__"):
        names |= {(builtins, c.__name__): c for c in (object, dict, list, tuple, set, frozenset, bytearray)}
    for stub, kind in ((_Csc, "csc"), (_Csr, "csr")):
        for module in (kind, f"_{kind}"):
            names |= {(f"scipy.sparse.{module}", f"{kind}_{form}"): stub for form in ("matrix", "array")}
    return names


ALLOWED = _allowed()


class _Reader(pickle.Unpickler):
    def __init__(self, data: bytes, source: str) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self.source = source

    def find_class(self, module: str, name: str) -> object:
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise WeightError(
                f"{self.source} is refused: its pickle asks for '{module}.{name}', which no body model needs"
            ) from None


def read_pickle(data: bytes, source: str) -> dict[str, object]:
    """The dictionary in a pickled body model; `plain_array` turns its values into arrays.

    Args:
        data: the file's bytes.
        source: the file's name for messages.

    Raises:
        WeightError: the pickle asks for anything but arrays and containers, is damaged, or holds no dictionary.
    """
    try:
        content = _Reader(data, source).load()
    except WeightError:
        raise
    except Exception as error:
        raise WeightError(f"{source} is no readable pickle of a body model: {error}") from error
    if not isinstance(content, dict):
        raise WeightError(f"{source} holds a {type(content).__name__}, not the dictionary of a body model")
    return content


def plain_array(value: object) -> NDArray[Any]:
    """A value of `read_pickle` as an array; sparse matrices become dense.

    Raises:
        ValueError: the value is no array, or a crooked one.
        TypeError: the value is no array, or a crooked one.
        AttributeError: the value is no array, or a crooked one.
        IndexError: the value is no array, or a crooked one.
        RecursionError: the value is no array, or a crooked one.
    """
    return value.array() if isinstance(value, _Stub) else np.asarray(value)
