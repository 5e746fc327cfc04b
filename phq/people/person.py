"""What travels through the stages: a `Photo` and its people.

A stage never raises for one bad photo or person: it calls `reject` on it and goes on with the others. Later stages skip
rejected people and photos, which keep every part of their record made so far.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from phq.people.record import (
    Agreement,
    BodyLabel,
    CameraLabel,
    CropFrame,
    FaceIdentity,
    FitScores,
    HeadFace,
    HiddenFace,
    ImageScores,
    Keypoints,
    MaskScores,
    NearestThreshold,
    Obstruction,
    Orientation,
    Part,
    PersonBox,
    Provenance,
    Source,
    Uncertainty,
)
from phq.photos.colour import Colour
from phq.photos.decode import Decoded
from phq.photos.discover import Found
from phq.photos.entry import Entry
from phq.photos.region import Region, apply_affine
from phq.schema import SCHEMA_VERSION
from phq.system.arrays import Bools, Floats, Image
from phq.system.elementary import arctan2

if TYPE_CHECKING:
    from typing import Self

AUX_SCALE = 2.5
"""Side of the second region over the distance between the two auxiliary landmarks."""
T = TypeVar("T")


def known(part: T | None) -> T:
    """A part that an earlier stage has made."""
    assert part is not None, "an earlier stage did not run"
    return part


@dataclass
class Reject:
    """Why something was rejected; `reason` is a name of `phq.reasons`."""

    reason: str
    detail: str = ""


PARTS: dict[str, type[Part]] = {
    "box": PersonBox,
    "keypoints": Keypoints,
    "agreement": Agreement,
    "orientation": Orientation,
    "fit_scores": FitScores,
    "camera": CameraLabel,
    "body": BodyLabel,
    "frame": CropFrame,
    "mask_scores": MaskScores,
    "head_face": HeadFace,
    "hidden_face": HiddenFace,
    "identity": FaceIdentity,
    "image_scores": ImageScores,
    "obstruction": Obstruction,
    "uncertainty": Uncertainty,
}
"""Parts of the record by the attribute of `Person` that holds them."""


@dataclass
class Person:
    """One person of a photo: the parts of the record made so far, and what stages hand on beside them."""

    photo: Photo
    index: int
    """Number of the person in the photo, from 0, left to right."""
    box: PersonBox
    runs: list[Landmarks] = field(default_factory=list)
    """Every run of the landmark network on this person."""
    keypoints: Keypoints | None = None
    start: TorsoFit | None = None
    """Torso and head in closed form from the landmarks."""
    agreement: Agreement | None = None
    face: Face | None = None
    """The most face-like place where the head should be, photo pixels; its score may be low."""
    faces: Faces | None = None
    """All faces of that look, photo pixels; None if CenterFace has not seen the photo itself there."""
    hidden_face: HiddenFace | None = None
    belief: Belief | None = None
    """Torso and head before the fit, with standard deviations."""
    orientation: Orientation | None = None
    fit: TorsoFit | None = None
    """Torso and head fitted to all evidence."""
    fit_scores: FitScores | None = None
    camera: CameraLabel | None = None
    body: BodyLabel | None = None
    frame: CropFrame | None = None
    crop: Image | None = None
    """Stored image, size × size × 3 RGB."""
    crop_mask: Image | None = None
    """Mask of the stored image, size × size, 0 or 255."""
    mask_scores: MaskScores | None = None
    head_face: HeadFace | None = None
    identity: FaceIdentity | None = None
    image_scores: ImageScores | None = None
    obstruction: Obstruction | None = None
    uncertainty: Uncertainty | None = None
    nearest: NearestThreshold | None = None
    """The threshold that a rejected person broke, if the gate rejected it."""
    key: str = ""
    """Key of the encoded sample; '' before."""
    members: dict[str, bytes] = field(default_factory=dict)
    """Encoded members of the sample: jpg, json, mask.png."""
    rejected: Reject | None = None

    @classmethod
    def of(cls, photo: Photo, row: Mapping[str, Any]) -> Self:
        """A person with every part that a stored row has."""
        parts: dict[str, Any] = {name: part.of(row) for name, part in PARTS.items()}
        return cls(photo, row["person_index"], **parts)

    @classmethod
    def unmeasured(cls, photo: Photo, index: int = 0) -> Self:
        """A person of whom nothing was measured, see `phq.people.record.Part.unmeasured`."""
        parts: dict[str, Any] = {name: part.unmeasured() for name, part in PARTS.items()}
        return cls(photo, index, **parts)

    def record(self) -> dict[str, Any]:
        """Columns of `phq.schema.Row` that belong to the person, as far as they are made.

        This is the one place where the parts become a record; with `Photo.record` it is a sample's.
        """
        record: dict[str, Any] = {"person_index": self.index}
        if self.key:
            record |= {"schema_version": SCHEMA_VERSION, "key": self.key}
        for part in vars(self).values():
            if isinstance(part, Part):
                record |= part.columns()
        return record

    def visible_landmarks(self) -> Bools:
        """(33,) whether a landmark lies inside the photo and is visible."""
        return known(self.keypoints).visible(self.photo.source.size)

    def reject(self, reason: str, detail: str = "") -> None:
        """Reject this person; the first reason counts."""
        self.rejected = self.rejected or Reject(reason, detail)


@dataclass
class Photo:
    """One input file, its decoded upright pixels, and its people."""

    path: Path
    name: str
    """Path as it is recorded: relative to the input folder, with forward slashes."""
    pixels: Image | None = None
    """H × W × 3 RGB, sRGB, upright."""
    source: Source = field(default_factory=Source)
    provenance: Provenance = field(default_factory=Provenance)
    people: list[Person] = field(default_factory=list)
    rejected: Reject | None = None
    remark: str = ""
    """For the log: what its file states twice and differently; no reason to reject it."""
    entry: Entry | None = None
    """Where in the file the photo is; None if the file is the photo."""

    def record(self) -> dict[str, Any]:
        """Columns of `phq.schema.Sample` that belong to the photo, as far as they are known."""
        return {"source_path": self.name, **self.provenance.columns(), **self.source.columns()}

    def reject(self, reason: str, detail: str = "") -> None:
        """Reject the photo; the first reason counts."""
        self.rejected = self.rejected or Reject(reason, detail)

    def decode(self, max_pixels: int, background: Colour) -> Decoded:
        """The file, or what is in it; see `phq.photos.decode.decode`.

        Raises:
            PhotoRejectError: see there.
        """
        return Found(self.path, self.name, entry=self.entry).decode(max_pixels, background)

    def release(self) -> None:
        """Drop pixels and people.

        They refer to the photo and it to them; left so, tens of megabytes would wait until Python looks for cycles,
        which it does by the number of objects and not by their size.
        """
        self.pixels, self.people = None, []


def living(photos: list[Photo]) -> list[Person]:
    """People that no stage has rejected, in order."""
    return [p for photo in photos if photo.rejected is None for p in photo.people if p.rejected is None]


@dataclass
class Landmarks:
    """One run of the landmark network on one region."""

    region: Region
    points: Floats
    """(33, 2) photo pixels."""
    world: Floats
    """(33, 3) metres, hip-centre origin, OpenCV axes of the upright photo (x right, y down, z away)."""
    visibility: Floats
    """(33,) in 0..1. It is 1.00 for the nose of a person seen from behind: not a proof."""
    presence: float
    """Pose flag, 0..1; also about 1 on a crop of legs: not a proof either."""
    centre: Floats
    """(2, 2) auxiliary landmarks 33 and 34, photo pixels: they define the next region."""
    mask: NDArray[np.float32]
    """256 × 256 soft mask of this person in region pixels, 0..1."""
    rotations: tuple[Floats, Floats] | None = field(default=None, init=False, repr=False)
    """3×3 of torso and head in closed form, made once by `phq.pose.closed_form.rotations_of`."""

    def next_region(self) -> Region:
        """Region of the second pass."""
        d = self.centre[1] - self.centre[0]
        side = max(AUX_SCALE * float(np.sqrt(d[0] * d[0] + d[1] * d[1])), 8.0)
        return Region(float(self.centre[0, 0]), float(self.centre[0, 1]), side, float(arctan2(d[0], -d[1])))


@dataclass(frozen=True)
class Face:
    """Best face of a picture, in its pixels; from `CenterFace` itself in fractions of its side."""

    score: float
    box: Floats
    """(4,) x0, y0, x1, y1."""
    points: Floats
    """(5, 2) subject's right eye, left eye, nose, right and left mouth corner, as the network orders them."""

    def moved(self, affine: Floats) -> Face:
        """The same face through a 2×3 affine without rotation."""
        return Face(self.score, apply_affine(affine, self.box.reshape(2, 2)).ravel(), apply_affine(affine, self.points))


@dataclass(frozen=True)
class HeadPose:
    """A head as a network sees it, from a camera that looks straight at it, level with the photo."""

    rotation: Floats
    """3×3 head axes (left, up, front) to OpenCV axes of that camera."""
    sigma_deg: float
    """Standard deviation of its yaw, if front and back are not confused."""
    p_flip: float
    """Probability that they are."""


@dataclass(frozen=True)
class BodyPose:
    """A body of the SMPL family as a network sees it."""

    joints: Floats
    """(24, 3, 3) rotations about the parent joint, order of `phq.schema.SMPL_JOINTS`; the first, the root, leads from
    body axes (left, up, front) to OpenCV axes of a camera that looks straight at the middle of the box, level with the
    photo."""
    betas: Floats
    """(10,) shape numbers of the embedded body; zeros from a network of another body."""
    neck_px: Floats
    """(2,) neck joint, photo pixels."""
    px_per_metre: float
    """Photo pixels a metre at the neck, of a person whose head has the template's size."""
    sigma_deg: float
    """Standard deviation of the torso's yaw, if front and back are not confused."""
    p_flip: float
    """Probability that they are."""


@dataclass(frozen=True)
class Faces:
    """All N face-like places of a picture, in its pixels, best first."""

    boxes: Floats
    """(N, 4) x0, y0, x1, y1."""
    scores: Floats
    """(N,) in 0..1."""

    def moved(self, affine: Floats) -> Faces:
        """The same faces through a 2×3 affine without rotation."""
        return Faces(apply_affine(affine, self.boxes.reshape(-1, 2)).reshape(-1, 4), self.scores)


@dataclass(frozen=True)
class Belief:
    """Rotations about the line of sight to the neck, with standard deviations."""

    torso: Floats
    """3×3 body axes (left, up, front) to OpenCV camera axes; head the same."""
    head: Floats
    torso_sigma: Floats
    """(3,) radians about the body's x, y and z axes: pitch, yaw, roll; head the same."""
    head_sigma: Floats


@dataclass(frozen=True)
class TorsoFit:
    """Torso and head of one person, and their place in the photo (weak perspective along the line of sight)."""

    torso_to_cam: Floats
    """3×3, body axes to OpenCV camera axes."""
    head_to_cam: Floats
    """3×3, head axes to OpenCV camera axes."""
    neck_px: Floats
    """(2,) neck joint, photo pixels."""
    px_per_metre: float
    """Photo pixels a metre of the template (whose head has the size of this person's head)."""
    residual: float
    """Weighted mean distance of landmarks from the fit, fraction of the head's size."""
    joints: dict[str, Floats]
    """Axis-angle (3,) of the SMPL joints that the fit turns, by name: at least neck and head."""
    betas: Floats = field(default_factory=lambda: np.zeros(10))
    """(10,) shape numbers."""
