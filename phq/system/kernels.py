"""What the last digits of a label can depend on: the processor, and the libraries that compute on it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_CPUINFO = Path("/proc/cpuinfo")
_FLAGS = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "amx_tile", "asimddp", "i8mm", "sve")
"""Those by which ONNX Runtime, numpy, BLAS and the C library choose."""
_PACKAGES = ("onnxruntime", "onnxruntime-gpu", "pillow", "scipy")


@cache
def kernels() -> dict[str, str]:
    """The processor's relevant features, and versions of libraries with the kernels that they have chosen, by name."""
    import cv2
    import numpy as np
    from threadpoolctl import threadpool_info

    config: Any = np.show_config(mode="dicts")
    simd = config.get("SIMD Extensions", {})
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    own = [pool for pool in pools if "numpy" in pool["filepath"]] or pools  # other packages bring theirs when imported
    blas = sorted({" ".join([pool["internal_api"], pool["version"], pool.get("architecture", "")]) for pool in own})
    plain = [name for name in cv2.getCPUFeaturesLine().split() if not name.startswith("*")]
    return {
        "processor": " ".join([platform.machine(), *_processor_flags()]),
        "libc": " ".join(platform.libc_ver()).strip() or platform.system(),
        "numpy": " ".join([np.__version__, *simd.get("baseline", ()), *simd.get("found", ())]),
        "blas": ", ".join(blas),
        "opencv": " ".join([cv2.__version__, *plain]),
        **_versions(),
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _processor_flags() -> list[str]:
    try:
        text = _CPUINFO.read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    lines = (line.partition(":") for line in text.splitlines())
    flags = next(
        (set(value.split()) for name, _, value in lines if name.strip().lower() in ("flags", "features")), set()
    )
    return [flag for flag in _FLAGS if flag in flags]


def other_kernels(before: Mapping[str, str] | None) -> str | None:
    """A sentence if work that was begun with the kernels `before` goes on with others; None if that is not so."""
    if not before:
        return None
    here = kernels()
    other = [f"{name}: {before.get(name, 'none')}, now {here.get(name, 'none')}" for name in sorted({*before, *here})
             if before.get(name) != here.get(name)]  # fmt: skip
    if not other:
        return None
    return (
        f"it was begun on another processor or with other libraries ({'; '.join(other)}), so the last digits of "
        "labels, and with them pictures and keys, may not be those that one machine would have given"
    )
