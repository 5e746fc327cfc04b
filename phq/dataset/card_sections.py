"""The card and croissant.json: the parts that follow from the rows, against the rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from phq.dataset.card import Card, dataset_card, stored_card
from phq.dataset.croissant import StoredFile, croissant
from phq.dataset.folder import CROISSANT, SPLITS
from phq.dataset.summary import Summary, licences

SECTIONS = ("Counts", "Directions", "Shards", "Licences", "Beside the data")
_LOADER = "what datasets loads (configs, dataset_info)"
_HEAD = "\n## "


def kept_card(run: Mapping[str, Any] | None) -> Card | None:
    """`phq.dataset.card.stored_card`; None if ``run.json`` has kept none."""
    try:
        return stored_card(run or {})
    except (KeyError, TypeError):
        return None


def split_sizes(manifest: pa.Table) -> dict[str, int]:
    """Samples of each split that exists, in the order of the card; an empty dataset has an empty train split."""
    counts = {entry["values"]: entry["counts"] for entry in pc.value_counts(manifest["split"]).to_pylist()}
    return {split: counts[split] for split in SPLITS if split in counts} or {"train": 0}


def right_card(card: Card, manifest: pa.Table, rejects: pa.Table, shards: Sequence[str] | None = None) -> str:
    """The card as it is written for these rows; a yaw that is not a number counts as 0.

    Args:
        card: its content beyond the rows.
        manifest: `phq.dataset.descriptions.DESCRIBED`.
        rejects: the same.
        shards: paths of the shards that have samples, sorted, if they are not those that the rows name.
    """
    yaw = pc.fill_null(manifest["camera_yaw_deg"], 0.0)
    index = manifest.column_names.index("camera_yaw_deg")
    manifest = manifest.set_column(index, "camera_yaw_deg", pc.if_else(pc.is_finite(yaw), yaw, 0.0))
    names = shards if shards is not None else sorted(filter(None, pc.unique(manifest["shard"]).to_pylist()))
    return dataset_card(card, split_sizes(manifest), names, Summary([manifest], [rejects]))


def card_faults(text: bytes | None, right: str, sections: Sequence[str] = SECTIONS) -> Iterator[tuple[str, str]]:
    """Kind and detail of each fault of a README.md; a person may add to it, and change the prose.

    Args:
        text: its bytes, None without a file.
        right: see `right_card`.
        sections: those that are compared.
    """
    if text is None:
        yield "card_missing", ""
        return
    try:
        parts = _parts(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        yield "card_wrong", f"no UTF-8 text: {error.reason} at byte {error.start}"
        return
    for name, content in _parts(right).items():
        if name in (_LOADER, *sections) and parts.get(name) != content:
            yield "card_wrong", name


def mended_card(text: bytes | None, right: str) -> str:
    """The card with its faulty parts corrected, and everything a person wrote."""
    if text is None or not text.strip():  # a file that was lost as it was written is often empty
        return right
    mended = text.decode("utf-8", errors="replace")
    wanted, there = _parts(right), _parts(mended)
    for name, content in wanted.items():
        if name in there:
            mended = mended.replace(there[name], content, 1)
        elif name == _LOADER:
            mended = right[: right.index("\n---\n", 4) + 5] + mended
        else:
            mended = mended.rstrip("\n") + "\n" + content
    return mended


def _parts(text: str) -> dict[str, str]:
    """Parts that are compared, by name: the end of the front matter, and sections with their headings."""
    found = {}
    start, end = text.find("\nconfigs:"), text.find("\n---\n", 4)
    if text.startswith("---\n") and 0 < start < end:
        found[_LOADER] = text[start:end]
    for chunk in text.split(_HEAD)[1:]:
        name = chunk.partition("\n")[0]
        if name in SECTIONS:
            found.setdefault(name, _HEAD + chunk.rstrip("\n") + "\n")
    return found


def stated_files(content: bytes | None) -> dict[str, StoredFile]:
    """The entry of each file in a ``croissant.json``, by its path; {} if it cannot be read."""
    try:
        files = [file for file in json.loads(content or b"")["distribution"] if "sha256" in file]
        return {f["@id"]: StoredFile(f["@id"], int(f["contentSize"].split()[0]), f["sha256"]) for f in files}
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return {}


def stated_checksums(content: bytes | None) -> dict[str, str]:
    """File → sha256 in a ``croissant.json``; {} if it cannot be read."""
    return {name: file.sha256 for name, file in stated_files(content).items()}


def croissant_faults(
    content: bytes | None, card: Card, manifest: pa.Table, files: Sequence[StoredFile]
) -> Iterator[tuple[str, str, str]]:
    """Kind, file and detail of each fault of ``croissant.json``.

    Args:
        content: its bytes, None without a file.
        card: title and version.
        manifest: rows, of which `licence` is read.
        files: the manifest, then every shard in order, as they are.
    """
    if content is None:
        yield "croissant_missing", CROISSANT, ""
        return
    as_stated = [stated_files(content).get(file.name, file) for file in files]
    for file, entry in zip(files, as_stated, strict=True):
        if entry != file:
            stated = f"stated: {entry.size} bytes, {entry.sha256[:16]}…"
            yield "checksum_differs", file.name, f"{file.size} bytes, sha256 {file.sha256[:16]}…; {stated}"
    if content != croissant(card, licences(manifest), as_stated[0], as_stated[1:]):
        yield "croissant_wrong", CROISSANT, ""
