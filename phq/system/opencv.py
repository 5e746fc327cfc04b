"""Which OpenCV ``import cv2`` gives: several packages contain that module and overwrite each other's files."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

NAMES = (
    "opencv-python",
    "opencv-contrib-python",
    "opencv-python-headless",
    "opencv-contrib-python-headless",
)
OWN = NAMES[0]
"""The package that phq depends on."""
TOO_NEW = 5
"""First major version that phq was not tested with."""


def installed() -> dict[str, str]:
    """Version by name of each installed package with the module cv2, in the order of `NAMES`."""
    found = {}
    for name in NAMES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def trouble() -> str | None:
    """A sentence about packages that conflict, with the command that repairs them; None if there is no conflict.

    Several packages of one version do not conflict: the module has that version whichever was installed last. Nor
    does a cv2 that none of them has installed (that of a Linux distribution).
    """
    found = installed()
    fit = {name: v for name, v in found.items() if _parts(v)[0] < TOO_NEW}
    if _whole() and (not found or (fit and len(set(found.values())) == 1)):
        return None
    wanted = fit.get(OWN) or max(fit.values(), key=_parts, default=None)
    pins = " ".join(f"{name}=={wanted}" if wanted else f"'{name}<{TOO_NEW}'" for name in found or (OWN,))
    there = ", ".join(f"{name} {v}" for name, v in found.items()) or "no package"
    return (
        f"the module cv2 (OpenCV) is written by {there}, which overwrite each other or are not all there; "
        f"one version for all: python -m pip install --force-reinstall --no-deps {pins}"
    )


def _whole() -> bool:
    """Whether the module can be imported; when uninstalling a package removed its files, an empty folder remains."""
    spec = find_spec("cv2")
    return spec is not None and spec.origin is not None


def _parts(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit()) or (0,)
