"""A stored person as predictions are compared with: rotations of torso and head, and the cameras between."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from phq.camera.convention import world2cam
from phq.camera.rotations import rotation_log, rotvec_to_rotmat
from phq.curate.annotate.stage_outputs import restored_fit
from phq.curate.annotate.views import StoredPerson, person_in, view_of
from phq.people.person import TorsoFit, known
from phq.people.record import BodyLabel
from phq.pose.closed_form import share_turn
from phq.pose.evidence import photo_intrinsics, sight
from phq.schema import Fields
from phq.system.arrays import Doubles, Floats
from phq.system.linear import product


@dataclass(frozen=True)
class StoredPose:
    """One record; nothing of it is looked at again."""

    person: StoredPerson
    fit: TorsoFit

    @classmethod
    def of(cls, row: Fields, embedded: Fields | None = None) -> StoredPose:
        """From a record, with the columns of the embedded body in place of those of another."""
        person = person_in(row, view_of(row))
        if embedded is not None:
            person.body = BodyLabel.of(row | embedded)
        return cls(person, restored_fit(person))

    @property
    def turn(self) -> int:
        """Degrees that the photo was turned by."""
        return self.person.photo.source.photo_turn_deg

    @cached_property
    def view(self) -> Floats:
        """3×3 from axes of the photo's camera to those of one that looks at the neck, level with the photo."""
        return sight(photo_intrinsics(self.person), self.fit.neck_px)

    @cached_property
    def view_to_crop(self) -> Floats:
        """3×3 from that camera to the record's own."""
        to_cam = world2cam(known(self.person.camera).cam2world)[:3, :3]
        return np.asarray(product(to_cam, self.fit.torso_to_cam.T))

    @cached_property
    def head(self) -> Doubles:
        """3×3 from head axes to the record's camera."""
        return np.asarray(product(self.view_to_crop, self.fit.head_to_cam))

    @property
    def joints(self) -> Doubles:
        """(2, 3, 3) of neck and head, each on what carries it."""
        return rotvec_to_rotmat(known(self.person.body).neck_head_pose)

    def neck_and_head(self, head: Doubles, neck: Doubles | None = None) -> tuple[Floats, Floats]:
        """(3,) axis-angle of neck and of head, for a head with this rotation in the record's camera.

        Args:
            head: (3, 3) head axes to the record's camera.
            neck: (3, 3) about the torso's axes; by default it takes half of what the head turns from where it is.
        """
        to_cam = world2cam(known(self.person.camera).cam2world)[:3, :3]
        on_torso = np.asarray(product(to_cam.T, head))
        if neck is None:
            return share_turn(on_torso, self.joints)
        return np.asarray(rotation_log(neck)), np.asarray(rotation_log(product(neck.T, on_torso)))
