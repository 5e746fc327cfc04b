"""From records of an older schema or camera convention to today's; `phq bake` applies them.

Add one here with every change of `phq.schema.SCHEMA_VERSION`, of the fields of `phq.schema.Sample`, or of the id of a
camera convention. They run in this order, each over what the one before has left, on rows of the manifest and on
rejects, of which a field that was never computed is absent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from phq.camera.convention import CONVENTION, WINDOW_CONVENTION
from phq.errors import InputError
from phq.quality.appearance import NUMBERS
from phq.quality.hashes import PHOTO_DIGITS
from phq.schema import PROVENANCE, SCHEMA_VERSION, Fields, Row

CONVENTIONS = ("", CONVENTION, WINDOW_CONVENTION)
"""Camera conventions that this version reads; '' is a reject that never got a camera."""


@dataclass(frozen=True)
class Migration:
    """One step."""

    name: str
    applies: Callable[[Fields], bool]
    """Whether a record is from before this step."""
    change: Callable[[Fields], Fields]
    """The record after it, as a new dict."""


HEAD_POSE = (
    "headpose_yaw_deg", "headpose_pitch_deg", "headpose_roll_deg", "headpose_sigma_deg", "headpose_p_flip",
)  # fmt: skip
SCORES = ("niqe", "blockiness", "occluded_fraction", "second_face", "head_outside", "hand_on_head")
FACES = ("face_embedding", "face_network")
LATER = ("orientation_yaw_deg", "appearance", "duplicate_group", "scene_group")


def _with_scores(record: Fields) -> Fields:
    """Scores that nobody has taken say 0, which rejects nothing; the fit began from what is stated."""
    unknown = dict.fromkeys(SCORES, 0.0) | {"appearance": [0.0] * NUMBERS, "duplicate_group": "", "scene_group": ""}
    return unknown | {"orientation_yaw_deg": record["camera_yaw_deg"]} | record


RENAMED = {
    "nanodet_score": "detector_score",
    "movenet_score": "skeleton_score",
    "has_movenet_keypoints": "has_coco_keypoints",
    "movenet_keypoints": "coco_keypoints",
}
"""Fields that had the name of a network before others could stand in its place."""


def _renamed(record: Fields) -> Fields:
    return {RENAMED.get(name, name): value for name, value in record.items()}


MIGRATIONS = (
    Migration("places", lambda record: not RENAMED.keys().isdisjoint(record), _renamed),
    Migration(
        "provenance",
        lambda record: not record.keys() >= set(PROVENANCE),
        lambda record: dict.fromkeys(PROVENANCE, "") | record,
    ),
    Migration(
        "faces",
        lambda record: "face_found" in record and not record.keys() >= {*FACES, "identity_group"},
        lambda record: dict.fromkeys((*FACES, "identity_group"), "") | record,
    ),
    Migration(
        "scores",
        lambda record: "laplacian_var" in record and not record.keys() >= {*SCORES, *LATER},
        _with_scores,
    ),
    Migration(
        "pixelation",
        lambda record: "face_found" in record and "face_pixelation" not in record,
        lambda record: {"face_pixelation": 0.0} | record,
    ),
    Migration(
        "turn",
        lambda record: record.get("image_width") is not None and "photo_turn_deg" not in record,
        lambda record: {"photo_turn_deg": 0, "photo_turn_score": 0.0} | record,
    ),
    Migration(
        "head direction",
        lambda record: record.get("box_x0") is not None and "head_direction" not in record,
        lambda record: {"head_direction": "", "head_direction_score": 0.0} | record,
    ),
    Migration(
        "head pose",
        lambda record: record.get("box_x0") is not None and "headpose_network" not in record,
        lambda record: {"headpose_network": "", "headpose_gate": ""} | dict.fromkeys(HEAD_POSE, 0.0) | record,
    ),
    Migration(
        "photo_hash",
        lambda record: (
            record.get("image_width") is not None and len(record.get("photo_phash", "?")) not in (0, PHOTO_DIGITS)
        ),
        lambda record: record | {"photo_phash": ""},
    ),
)
"""Every step there is. ``places``: see `RENAMED`. ``provenance``: records from before licence, author, source,
identity and consent say '' for unknown. ``scores``: those from before naturalness, blocks, occlusion, second faces, cut
heads and hands were scored, and groups were stored, say 0 and ''. ``pixelation``: nobody looked for pixelated faces.
``turn``: no photo was turned. ``head direction``, ``head pose``: no network stated any. ``photo_hash``: unknown, or of
the photo as it is alone."""


def migrated(record: Fields, migrations: Sequence[Migration] = MIGRATIONS) -> tuple[Fields, list[str]]:
    """The record as today's schema has it, and the names of the steps that led there.

    Raises:
        InputError: no step leads from its schema version, its camera convention or one of its fields to today's.
    """
    steps = []
    for migration in migrations:
        if migration.applies(record):
            record = migration.change(record)
            steps.append(migration.name)
    _check_current(record)
    return record, steps


def _check_current(record: Fields) -> None:
    unknown = sorted(record.keys() - Row.model_fields.keys())
    if record.get("schema_version", SCHEMA_VERSION) != SCHEMA_VERSION:
        what = f"schema version {record['schema_version']!r}"
    elif record.get("camera_convention", "") not in CONVENTIONS:
        what = f"camera convention {record['camera_convention']!r}"
    elif unknown:
        what = f"field {unknown[0]!r}"
    else:
        return
    where = f"sample {record.get('key', '?')}"
    raise InputError(f"{where} has the {what}, which this version of phq cannot bring up to date; use a newer one")
