"""``croissant.json``: the dataset in the vocabulary of MLCommons Croissant 1.0, for search engines and loaders.

Three record sets: ``samples`` are the rows of the manifest, ``images`` and ``masks`` the pictures in the shards, whose
key is that of a row. Checksums let a reader see that it has the very files that are described.
Specification: https://docs.mlcommons.org/croissant/docs/croissant-spec.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phq.dataset.card import Card
from phq.schema import SCHEMA_VERSION, Row, column_kind
from phq.weights.digest import sha256_of

Json = dict[str, Any]
_TYPES = {str: "sc:Text", int: "sc:Integer", float: "sc:Float", bool: "sc:Boolean"}
_PICTURES = (
    ("images", "image", "*.jpg", "image/jpeg", "Headshots, RGB."),
    ("masks", "mask", "*.mask.png", "image/png", "255 where the person is, 0 elsewhere."),
)
_CONTEXT: Json = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{name: f"cr:{name}" for name in (
        "citeAs", "column", "equivalentProperty", "extract", "field", "fileProperty", "fileObject", "fileSet", "format",
        "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references",
        "regex", "repeated", "replace", "samplingRate", "separator", "source", "subField", "transform",
    )},
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}  # fmt: skip
"""The specification's own context; readers warn about any other."""


@dataclass(frozen=True)
class StoredFile:
    """A file of the dataset on the disk."""

    name: str
    """Path inside the dataset."""
    size: int
    """Bytes."""
    sha256: str


def stored_file(folder: Path, name: str, path: Path | None = None) -> StoredFile:
    """Size and checksum of `name` in `folder`, read in pieces; from `path` while it does not have its name yet.

    Raises:
        OSError: it cannot be read.
    """
    path = path or folder / name
    return StoredFile(name, path.stat().st_size, sha256_of(path))


def croissant(card: Card, licences: Sequence[str], manifest: StoredFile, shards: Sequence[StoredFile]) -> bytes:
    """Content of ``croissant.json``; what is unknown (URL, date of publication, licence) is left out.

    Args:
        card: title and version.
        licences: of the samples, see `phq.dataset.summary.Summary.licences`.
        manifest: ``manifest.parquet``.
        shards: every shard, in order; at least one.
    """
    metadata = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": card.title,
        "description": f"Headshots with masks, body poses and cameras over the full circle, made by phq {card.version}."
        f" Format {SCHEMA_VERSION}. README.md says the rest.",
        **({"license": list(licences)} if licences else {}),
        "distribution": [*_distribution(manifest, shards)],
        "recordSet": [_samples(manifest), *_pictures()],
    }
    return (json.dumps(metadata, indent=1, ensure_ascii=False) + "\n").encode()


def _file_object(file: StoredFile, encoding: str) -> Json:
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name,
        "contentUrl": file.name,
        "contentSize": f"{file.size} B",
        "encodingFormat": encoding,
        "sha256": file.sha256,
    }


def _distribution(manifest: StoredFile, shards: Iterable[StoredFile]) -> Iterator[Json]:
    yield _file_object(manifest, "application/x-parquet")
    tars = [_file_object(shard, "application/x-tar") for shard in shards]
    yield from tars
    for name, _, pattern, encoding, _ in _PICTURES:
        yield {
            "@type": "cr:FileSet",
            "@id": f"{name}-in-shards",
            "name": f"{name}-in-shards",
            "containedIn": [{"@id": tar["@id"]} for tar in tars],
            "encodingFormat": encoding,
            "includes": pattern,
        }


def _samples(manifest: StoredFile) -> Json:
    fields = []
    for name, field in Row.model_fields.items():
        kind, length = column_kind(name)
        source = {"fileObject": {"@id": manifest.name}, "extract": {"column": name}}
        many = {"repeated": True} if length else {}
        fields.append(_field("samples", name, field.description or "", _TYPES[kind], source) | many)
    return _record_set("samples", "Rows of the manifest, one a sample.", fields)


def _pictures() -> Iterator[Json]:
    for name, what, _, _, text in _PICTURES:
        origin = {"fileSet": {"@id": f"{name}-in-shards"}}
        named = {**origin, "extract": {"fileProperty": "filename"}, "transform": {"regex": "^([0-9a-f]{16})"}}
        key = _field(name, "key", "key of the sample", "sc:Text", named)
        key["references"] = {"field": {"@id": "samples/key"}}
        content = {**origin, "extract": {"fileProperty": "content"}}
        picture = _field(name, what, text, "sc:ImageObject", content)
        yield _record_set(name, text, [key, picture])


def _field(record_set: str, name: str, text: str, kind: str, source: Json) -> Json:
    return {
        "@type": "cr:Field",
        "@id": f"{record_set}/{name}",
        "name": name,
        "description": text,
        "dataType": kind,
        "source": source,
    }


def _record_set(name: str, text: str, fields: list[Json]) -> Json:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": text,
        "key": {"@id": f"{name}/key"},
        "field": fields,
    }
