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

A photo or person that is not in the shards is a row of `rejects.parquet`, with one of these names as `reason`. For a
threshold the row has the score, the limit and the margin too, and `phq decide` can change it later
([look-and-decide.md](look-and-decide.md)); the rest follows from the file or from what the networks found. `phq show
DATASET PHOTO` says why a photo was rejected, `phq report DATASET` counts them all.

"""


def page() -> str:
    """The whole document."""
    return f"{INTRO}{reasons_markdown()}\n{inputs_markdown()}"


if __name__ == "__main__":
    print(page(), end="")
