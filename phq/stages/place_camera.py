"""Stage: the camera of every person, and the body's pose in that camera's axes."""

from __future__ import annotations

from phq.camera.convention import camera_from_torso
from phq.people.person import Photo, known, living
from phq.pose.body import load_body
from phq.pose.labels import body_label, camera_label, neck_head


class PlaceCamera:
    """cam2world about the neck, its angles, and the SMPL pose whose root leads into that camera's axes."""

    name = "camera"

    def setup(self) -> None:
        """Load the embedded body model."""
        self.body = load_body()

    def process(self, photos: list[Photo]) -> None:
        """Every person that has a fit."""
        for person in living(photos):
            fit = person.fit
            if fit is not None:
                cam2world = camera_from_torso(fit.torso_to_cam)
                person.camera = camera_label(cam2world, neck_head(fit))
                keypoints, visible = known(person.keypoints), person.visible_landmarks()
                person.body = body_label(fit, cam2world, self.body, keypoints, visible)
