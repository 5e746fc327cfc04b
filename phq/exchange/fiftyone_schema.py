"""``metadata.json`` of a FiftyOneDataset on disk: which fields the samples have, and what the labels mean.

The layout is that of `fiftyone.types.FiftyOneDataset` (https://docs.voxel51.com/user_guide/import_datasets.html) as
FiftyOne 1.0 writes it; later versions migrate it when they import.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from phq.pose.body import load_body
from phq.schema import LANDMARKS, SMPL_JOINTS

Document = dict[str, Any]
VERSION = "1.0.0"
_CORE = "fiftyone.core"
_SCALARS: dict[type, str] = {str: "StringField", int: "IntField", float: "FloatField", bool: "BooleanField"}
_TAGS = ("tags", "ListField", None, "StringField")
_ID = ("id", "ObjectIdField", None, None)
_LABEL = ("label", "StringField", None, None)
_CONFIDENCE = ("confidence", "FloatField", None, None)
_MASK = (("mask", "ArrayField", None, None), ("mask_path", "StringField", None, None))
_PARTS: dict[str, tuple[tuple[str, str, str | None, str | None], ...]] = {
    "Detection": (_ID, _TAGS, _LABEL, ("bounding_box", "ListField", None, "FloatField"), *_MASK, _CONFIDENCE,
                  ("index", "IntField", None, None)),
    "Keypoint": (_ID, _TAGS, _LABEL, ("points", "KeypointsField", None, None),
                 ("confidence", "ListField", None, "FloatField"), ("index", "IntField", None, None)),
    "Segmentation": (_ID, _TAGS, *_MASK),
    "Classification": (_ID, _TAGS, _LABEL, _CONFIDENCE),
}  # fmt: skip
_OWN = (
    ("id", "ObjectIdField", None, None),
    ("filepath", "StringField", None, None),
    _TAGS,
    ("created_at", "DateTimeField", None, None),
    ("last_modified_at", "DateTimeField", None, None),
    ("_media_type", "StringField", None, None),
    ("_rand", "FloatField", None, None),
    ("_dataset_id", "ObjectIdField", None, None),
)
_ARMS_AND_LEGS = (
    (11, 12), (11, 13), (13, 15), (15, 17), (15, 19), (15, 21), (17, 19), (12, 14), (14, 16), (16, 18), (16, 20),
    (16, 22), (18, 20), (11, 23), (12, 24), (23, 24), (23, 25), (24, 26), (25, 27), (26, 28), (27, 29), (28, 30),
    (29, 31), (30, 32), (27, 31), (28, 32),
)  # fmt: skip
_FACE = ((0, 1), (1, 2), (2, 3), (3, 7), (0, 4), (4, 5), (5, 6), (6, 8), (9, 10))
"""BlazePose's connections (Bazarevsky et al. 2020, figure 4); numbers of `phq.schema.LANDMARKS`."""


def _field(name: str, kind: str, document: str | None, inner: str | None, fields: Iterable[Document] = ()) -> Document:
    return {
        "name": name,
        "ftype": f"{_CORE}.fields.{kind}",
        "embedded_doc_type": document and f"{_CORE}.{document}",
        "subfield": inner and f"{_CORE}.fields.{inner}",
        "fields": list(fields),
        "db_field": "_id" if name == "id" else name,
        "description": None,
        "info": None,
        "read_only": name in ("created_at", "last_modified_at"),
    }


def _label_field(name: str, label: str) -> Document:
    """A field of one label, or of a list of them: ``Detections`` holds ``Detection`` under ``detections``."""
    if label in _PARTS:
        return _field(name, "EmbeddedDocumentField", f"labels.{label}", None, [_field(*part) for part in _PARTS[label]])
    one = label.removesuffix("s")
    parts = [_field(*part) for part in _PARTS[one]]
    entries = _field(label.lower(), "ListField", f"labels.{one}", "EmbeddedDocumentField", parts)
    return _field(name, "EmbeddedDocumentField", f"labels.{label}", None, [entries])


def _value_field(name: str, kind: type, many: bool) -> Document:
    return _field(name, "ListField", None, _SCALARS[kind]) if many else _field(name, _SCALARS[kind], None, None)


def metadata_document(
    values: Mapping[str, tuple[type, bool]], labels: Mapping[str, str], descriptions: Mapping[str, str], info: Document
) -> Document:
    """Content of ``metadata.json``.

    Args:
        values: for each plain field of a sample its type, and whether it is a list.
        labels: for each field of labels the class of FiftyOne.
        descriptions: of fields. info: about the dataset as a whole.
    """
    image = [_field(name, kind, None, None) for name, kind in (("width", "IntField"), ("height", "IntField"))]
    fields = [_field(*own) for own in _OWN]
    fields.append(_field("metadata", "EmbeddedDocumentField", "metadata.ImageMetadata", None, image))
    fields += [_value_field(name, kind, many) for name, (kind, many) in values.items()]
    fields += [_label_field(name, label) for name, label in labels.items()]
    for field in fields:
        field["description"] = descriptions.get(field["name"])
    parents = load_body().parents[: len(SMPL_JOINTS)]
    bones = [[parent, joint] for joint, parent in enumerate(parents) if parent >= 0]
    return {
        "name": "phq",
        "version": VERSION,
        "media_type": "image",
        "sample_fields": fields,
        "tags": [],
        "info": info,
        "app_config": {},
        "default_mask_targets": {"255": "person"} if labels.get("mask") else {},
        "skeletons": {
            "landmarks": {"labels": list(LANDMARKS), "edges": [list(edge) for edge in (*_FACE, *_ARMS_AND_LEGS)]},
            "joints": {"labels": list(SMPL_JOINTS), "edges": bones},
        },
    }
