"""The dataset card: front matter with the type of every feature for `datasets`, then a page for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from phq.dataset.content import brace_ranges, names_tag
from phq.dataset.credits import MOST, licence_lines
from phq.dataset.folder import DATASHEET, PREVIEW, TAKEDOWNS
from phq.dataset.summary import CREDITS, Summary
from phq.schema import CONSENT, SCHEMA_VERSION, Sample, column_kind
from phq.system.version import __version__
from phq.weights.licences import Model

_DTYPES = {str: "string", int: "int64", float: "float64", bool: "bool"}
YAW_SECTORS = (
    (-180, "back"),
    (-135, "back, subject's right"),
    (-90, "subject's right side"),
    (-45, "front, subject's right"),
    (0, "front"),
    (45, "front, subject's left"),
    (90, "subject's left side"),
    (135, "back, subject's left"),
)


TITLE = "One-quarter headshots over 360°"
"""Of a dataset that was built from photos."""


@dataclass(frozen=True)
class Card:
    """The content of the card beyond the rows themselves."""

    title: str
    version: str
    """Version of phq."""
    models: tuple[Model, ...]
    preview: bool = False
    """Whether there is a preview (`phq.dataset.folder.PREVIEW`), with datasheet and takedown log beside it."""

    def record(self) -> dict[str, Any]:
        """As ``run.json`` keeps it, under "card"."""
        return {name: value for name, value in asdict(self).items() if name != "preview" or value}


def stored_card(run: Mapping[str, Any]) -> Card:
    """The card of an existing dataset, so that it can be written again.

    Args:
        run: content of its ``run.json``.

    Raises:
        KeyError: it has no "card".
    """
    card = run["card"]
    models = tuple(Model(**model) for model in card["models"])
    return Card(card["title"], card["version"], models, bool(card.get("preview")))


def card_of(run: Mapping[str, Any]) -> Card:
    """`stored_card`, or a card made of the weights where ``run.json`` has kept none."""
    try:
        return stored_card(run)
    except (KeyError, TypeError):
        weights = [w for w in run.get("weights", []) if {"name", "purpose", "licence", "source"} <= w.keys()]
        models = tuple(Model(w["name"], w["purpose"], w["licence"], w["source"]) for w in weights)
        return Card(TITLE, str(run.get("version", __version__)), models)


def _feature(name: str) -> list[str]:
    kind, length = column_kind(name)
    # 'sequence' is what datasets 3 infers and what 4 and later still read as their 'list'
    return [f"    - name: {name}", f"      {'sequence' if length else 'dtype'}: {_DTYPES[kind]}"]


def _features() -> Iterator[str]:
    yield from ("  features:", "  - name: jpg", "    dtype: image", "  - name: json", "    struct:")
    for name in sorted(Sample.model_fields):  # as in the json, so the inferred type is the declared one
        yield from _feature(name)
    for name, dtype in (("mask.png", "image"), ("__key__", "string"), ("__url__", "string")):
        yield from (f"  - name: {name}", f"    dtype: {dtype}")


def _front_matter(card: Card, splits: Mapping[str, int], shards: Sequence[str], rows: Summary) -> Iterator[str]:
    licences = (licence for licence, _ in rows.credits("licence"))
    yield from ("---", *licence_lines(licences), f"pretty_name: {json.dumps(card.title)}")
    yield from ("tags:", "- webdataset", "- portrait", "- head-pose", "- phq", "configs:")
    # `datasets` keeps what it has loaded under the folder's name and these lines: nothing else tells its copies apart
    yield from ("- config_name: default", f"  description: content {names_tag(shards)}", "  data_files:")
    for split in splits:
        yield from (f"  - split: {split}", f"    path: {split}/*.tar")
    if card.preview:  # a configuration of its own: the samples stay what is loaded by default
        yield from ("- config_name: preview", "  data_files:", "  - split: preview", f"    path: {PREVIEW}")
    yield "dataset_info:"
    yield from _features()
    yield "---"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """Lines of a table in Markdown; no cell can end it."""
    for row in (head, ["---"] * len(head), *rows):
        yield "| " + " | ".join(_cell(cell) for cell in row) + " |"


def _cell(value: object) -> str:
    """One line of at most 200 characters in which nothing is markup of a table or of HTML."""
    text = " ".join(str(value).split())
    short = text if len(text) <= 200 else f"{text[:199]}…"
    return short.replace("|", "\\|").replace("<", "&lt;")


def yaw_table(sectors: Sequence[int]) -> Iterator[str]:
    """Lines of a table of samples by `YAW_SECTORS`."""
    rows = [(f"{centre}°", name, n) for (centre, name), n in zip(YAW_SECTORS, sectors, strict=True)]
    return markdown_table(("camera yaw, ±22.5°", "the camera sees", "samples"), rows)


_LOADING = """\
```python
# Hugging Face datasets: this folder, or its name on the hub; streaming=True reads without a cache
from datasets import load_dataset
dataset = load_dataset("DATASET")

# webdataset
import glob, webdataset
shards = sorted(glob.glob("DATASET/SPLIT/*.tar"))
dataset = webdataset.WebDataset(shards, shardshuffle=False).decode("pil").to_tuple("jpg", "json", "mask.png")
dataset = dataset.map_tuple(None, None, lambda mask: mask.convert("L"))  # "pil" makes every picture RGB

# wids: random access (in webdataset before 1.0); with the folder itself as cache the shards are not copied
import wids
dataset = wids.ShardListDataset("DATASET/SPLIT-index.json", cache_dir="DATASET/SPLIT")

# DuckDB: choose samples; shard, jpg_offset and jpg_size say where the bytes of the image are
import duckdb
manifest = "DATASET/manifest.parquet"
duckdb.sql(f"SELECT key, shard, jpg_offset, jpg_size FROM '{manifest}' WHERE abs(camera_yaw_deg) > 90")
```
"""

_LAYOUT = """\
A sample is `KEY.jpg`, `KEY.json` and `KEY.mask.png`; KEY is the first 16 hex digits of the image's sha256.
`schema.json` describes every field of the json. `manifest.parquet` has a row a sample, `rejects.parquet` one
for everything thrown out, with the reason; `run.json` has the version, the configuration and the seed.
"""

_SHARDS = """\
The names end in a tag of the content: bytes under a name never change, and readers that keep copies by name never mix
two datasets. `webdataset.WebDataset` takes these lines, with a folder or URL in front, several joined by `::`:
"""

_CACHES = """\
After a takedown, delete what readers have kept of earlier revisions, which names the removed samples still: the folders
`datasets` and `hub` in `HF_HOME` (by default `~/.cache/huggingface`), the `cache_dir` of webdataset and wids,
`~/.cache/croissant`, and your own downloads. Load again from the new files then: no copy is taken for them.
"""

_CREDITS = """\
As stated by whoever built the dataset. `licence`, `author` and `source` of each sample stand in its json and in the
manifest, from which DuckDB makes the attribution that a licence may ask for:

```sql
SELECT DISTINCT source_path, author, licence, source FROM 'DATASET/manifest.parquet' ORDER BY source_path
```
"""


_BESIDE = f"""\
[{DATASHEET}]({DATASHEET}) answers the questions of a datasheet, [{TAKEDOWNS}]({TAKEDOWNS}) says what was removed on
request. `{PREVIEW}` has some of the pictures, for a viewer (configuration `preview`).
"""


def _shard_lines(shards: Sequence[str]) -> Iterator[str]:
    ranges = brace_ranges(shards)
    yield from (_SHARDS, "```", *ranges[:MOST], "```", "")
    if len(ranges) > MOST:
        yield from (f"… and {len(ranges) - MOST} more.", "")
    yield _CACHES


def _body(card: Card, splits: Mapping[str, int], shards: Sequence[str], rows: Summary) -> Iterator[str]:
    yield from (f"# {card.title}", "")
    yield f"Headshots with masks, body poses and cameras over the full circle, made by phq {card.version}."
    yield from (f"Format {SCHEMA_VERSION}.", "", _LAYOUT, "## Counts", "")
    yield from markdown_table(("split", "samples"), list(splits.items()))
    yield from ("", f"Thrown out: {rows.reasons.total()}.", "")
    if rows.reasons:
        yield from (*markdown_table(("reason", "rejects"), sorted(rows.reasons.items())), "")
    yield from ("## Directions", "", *yaw_table(rows.sectors), "")
    yield from ("0° is in front of the torso; + is the subject's own left.", "", "## How to load", "")
    yield from (
        _LOADING.replace("SPLIT", next(iter(splits))),
        "## Shards",
        "",
        *_shard_lines(shards),
        "## Licences",
        "",
    )
    yield from (*_credits(rows), "Models that annotated the photos:", "")
    models = [(m.name, m.purpose, m.licence, m.source) for m in card.models]
    yield from markdown_table(("model", "purpose", "licence", "source"), models)
    if card.preview:
        yield from ("", "## Beside the data", "", _BESIDE.rstrip())


def _credits(rows: Summary) -> Iterator[str]:
    """Authors, sources and licences of the photos, as far as they were stated."""
    if not rows.states_provenance:
        yield from ("Nothing was stated about licences, authors and sources of the photos.", "")
        return
    yield from (_CREDITS, "")
    for name in CREDITS:
        counts = rows.credits(name)
        if any(value for value, _ in counts):
            yield from (
                *markdown_table((name, "samples"), [(value or "not stated", n) for value, n in counts[:MOST]]),
                "",
            )
        if len(counts) > MOST:
            rest = sum(n for _, n in counts[MOST:])
            yield from (f"… and {len(counts) - MOST} more, of {rest} samples.", "")
    if any(rows.consent):
        counts = [(value or "not stated", rows.consent[value]) for value in CONSENT if rows.consent[value]]
        yield from (*markdown_table(("consent", "samples"), counts), "")
    people, both = rows.people()
    if people:
        yield from (f"`identity` tells {people} people apart; {both or 'none'} of them are in two splits.", "")


def dataset_card(card: Card, splits: Mapping[str, int], shards: Sequence[str], rows: Summary) -> str:
    """README.md of a dataset.

    The sizes of the splits are in the text and not in the front matter: `datasets` 3 takes them as a
    promise and then refuses to load a part of the shards (ExpectedMoreSplitsError).

    Args:
        card: its content beyond the rows.
        splits: number of samples of every split that exists, in order; at least one.
        shards: paths of the shards that have samples, sorted.
        rows: of the manifest and of the rejects.
    """
    lines = [*_front_matter(card, splits, shards, rows), "", *_body(card, splits, shards, rows)]
    return "\n".join(lines) + "\n"
