"""The samples that may show one person, as one HTML file to look at before they are removed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from phq.curate.same_person import Alike, PersonFound, lines
from phq.dataset.reader import Dataset
from phq.errors import InputError
from phq.system.arrays import Image
from phq.view.decision_pictures import figure
from phq.view.diff_page import head, text_block, write_page


def write_person_page(path: Path, dataset: str | Path, found: PersonFound) -> None:
    """Write the page: a thumbnail of each sample with its key, and why it is there.

    `phq.curate.redact.redact` deletes the page with the samples if it lies in the dataset's folder.

    Args:
        path: HTML file; one that phq drew is replaced.
        dataset: folder or URL.
        found: what was found in it.

    Raises:
        OutputError: another suffix, a file that phq did not write, or it cannot be written.
    """
    write_page(path, _page(Dataset(dataset, rejects=True), found))


def _page(samples: Dataset, found: PersonFound) -> Iterator[str]:
    yield from head("Who looks the same")
    yield from text_block(lines(found))
    yield '<div class="samples">'
    yield from (figure(_picture(samples, one.key), one.key, _caption(one)) for one in found.alike)
    yield "</div></body></html>"


def _picture(samples: Dataset, key: str) -> Image | None:
    try:
        return samples[key].image
    except InputError:  # a reject, of which nothing is stored
        return None


def _caption(one: Alike) -> str:
    face = "" if one.likeness is None else f", faces {one.likeness:.2f}"
    return f"{one.why}{face}; {one.key} of {one.source_path}"
