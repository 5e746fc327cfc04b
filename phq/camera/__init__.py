"""The one coordinate convention of phq; see docs/conventions.md.

World: origin at the neck joint, y up, the rest-pose torso faces +z, +x is the subject's left, metres.
Camera: OpenCV axes (x right, y down, z forward), radius 2.7 about the neck, looking at (0, 0.0649, 0), normalised
focal length 5000/768. The image is never rotated: the torso's roll is in the camera.
"""

from phq.camera.convention import CONVENTION, FOCAL, LOOK_AT, RADIUS, VISIBLE_HEIGHT, intrinsics

__all__ = ["CONVENTION", "FOCAL", "LOOK_AT", "RADIUS", "VISIBLE_HEIGHT", "intrinsics"]
