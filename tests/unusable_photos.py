"""Files as users really have them that are no usable photo, and (`unusual_photos`) odd ones that must be read well.

`python tools/reasons_page.py > docs/reasons.md` prints their names by reason.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from damaged_photos import bombs, corrupt_files, cut_files, small_files
from encoded_pictures import encoded, small_picture
from foreign_files import files_that_are_no_image, unsupported_colours, unsupported_files
from PIL import ImageOps, features
from unusual_photos import make_odd_but_good_files

__all__ = ["bad_inputs", "make_bad_files", "make_odd_but_good_files"]

SPECIAL = {
    "dangling.jpg": "missing_file",
    "loop.jpg": "unreadable",
    "loop-of-two.jpg": "unreadable",
    "locked.jpg": "unreadable",
    "pipe.jpg": "not_an_image",
    "sparse.jpg": "file_too_large",
}
"""What only some systems have: links, pipes, files that may not be read, files with holes."""


def _frames(kind: str, **options: Any) -> bytes:
    first = small_picture()
    return encoded(first, kind, save_all=True, append_images=[ImageOps.mirror(first)], duration=80, **options)


def _bytes_by_reason() -> dict[str, dict[str, bytes]]:
    picture = small_picture()
    animated = {"animated.gif": _frames("GIF"), "animated.png": _frames("PNG"), "animated.webp": _frames("WEBP")}
    animated["animated.jpg"] = animated["animated.gif"]
    if features.check("avif"):
        animated["animated.avif"] = _frames("AVIF")
    pages: dict[str, Any] = {"save_all": True, "append_images": [picture]}
    return {
        "is_empty": {"empty.jpg": b"", "empty.tif": b"", "empty": b""},
        "not_an_image": files_that_are_no_image(),
        "unsupported_format": unsupported_files(),
        "unsupported_colour": unsupported_colours(),
        "truncated": cut_files(),
        "corrupt": corrupt_files(),
        "too_many_pixels": bombs(),
        "too_small": small_files(),
        "animated": animated,
        "multi_page": {
            "pages.tif": encoded(picture, "TIFF", **pages),
            "pages.jpg": encoded(picture, "TIFF", **pages),
            "big-pages.tif": encoded(picture, "TIFF", big_tiff=True, **pages),
        },
    }


def bad_inputs() -> dict[str, list[str]]:
    """Names of all files by their reason, for the documentation."""
    by_reason = {reason: list(files) for reason, files in _bytes_by_reason().items()}
    for name, reason in SPECIAL.items():
        by_reason.setdefault(reason, []).append(name)
    return {reason: sorted(names) for reason, names in sorted(by_reason.items())}


def _make_special_files(folder: Path) -> dict[str, str]:
    if os.name != "posix":
        return {}
    (folder / "dangling.jpg").symlink_to("nothing-here.jpg")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "loop-of-two.jpg").symlink_to("loop-of-one.jpg")
    (folder / "loop-of-one.jpg").symlink_to("loop-of-two.jpg")
    os.mkfifo(folder / "pipe.jpg")
    with (folder / "sparse.jpg").open("wb") as sparse:
        sparse.truncate(1 << 31)
    locked = folder / "locked.jpg"
    locked.write_bytes(encoded(small_picture(), "JPEG"))
    locked.chmod(0)
    expected = SPECIAL | {"loop-of-one.jpg": "unreadable"}
    if os.geteuid() == 0:  # root may read it
        locked.unlink()
        del expected["locked.jpg"]
    return expected


def make_bad_files(folder: Path) -> dict[str, str]:
    """Write more than a hundred files that cannot be used into `folder`.

    Returns the expected reason of each, by file name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    expected: dict[str, str] = {}
    for reason, files in _bytes_by_reason().items():
        for name, data in files.items():
            (folder / name).write_bytes(data)
            expected[name] = reason
    return expected | _make_special_files(folder)
