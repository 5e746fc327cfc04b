"""Which OpenCV ``import cv2`` gives: several packages carry that one module, and overwrite each other's files."""

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
"""The one that phq asks for itself."""
TOO_NEW = 5
"""Of OpenCV's major version: phq was not tested with it."""


def installed() -> dict[str, str]:
    """Version of each package with the module cv2 that is installed, by its name, in the order of `NAMES`."""
    found = {}
    for name in NAMES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def trouble() -> str | None:
    """One sentence on packages that do not go together, with the command that mends it; None if all is well.

    Several packages of one version are well: whichever wrote last, the module is that version. A cv2 that none of
    them has brought (a distribution's own) is nobody's trouble.
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
    """The module is there; of one whose files went with another package an empty folder remains."""
    spec = find_spec("cv2")
    return spec is not None and spec.origin is not None


def _parts(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit()) or (0,)
