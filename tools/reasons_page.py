"""Prints docs/reasons.md: every reason with its meaning, and the bad inputs of the tests by reason.

python tools/reasons_page.py > docs/reasons.md
"""

from __future__ import annotations

import sys
from pathlib import Path

from phq.reasons import reasons_markdown

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))


def inputs_markdown() -> str:
    """A row a reason, with the names of the files that the tests make and that must be rejected with it."""
    from unusable_photos import bad_inputs

    rows = [f"`{reason}` | {' '.join(names)}" for reason, names in bad_inputs().items()]
    return "\n".join(["reason | files of `tests/unusable_photos.py`", "---|---", *rows]) + "\n"


INTRO = """# Reasons of rejects

`reason` in `rejects.parquet`. `phq show DATASET PHOTO` says why one photo was rejected, `phq report DATASET` counts
all; thresholds can be changed after the build ([look-and-decide.md](look-and-decide.md)).

"""


def page() -> str:
    """The whole document."""
    return f"{INTRO}{reasons_markdown()}\n{inputs_markdown()}"


if __name__ == "__main__":
    print(page(), end="")
