"""Stage: torso and head orientation, from the picture and the landmarks together."""

from __future__ import annotations

import numpy as np

from phq.detect.neighbours import views
from phq.people.person import Belief, Person, Photo, TorsoFit, known, living
from phq.people.record import Orientation
from phq.pose.closed_form import unflattened
from phq.pose.evidence import WHOLE_FLAT_DEG, is_cut
from phq.pose.orient.angles import angles_of, rotation_of
from phq.pose.orient.crop import orientation_region
from phq.pose.orient.decode import CENTRES
from phq.pose.orient.fuse import evidence_of, fuse
from phq.pose.orient.head_direction import direction_likelihood
from phq.pose.orient.net import OrientationNet
from phq.quality.flip import rate
from phq.quality.pixelation import PIXELATED
from phq.system.arrays import Floats

TRUST = np.array([[0.4], [0.5]])
"""Factors of the fused sigmas of torso and head: the fusion has already used the landmarks in the picture."""
FUSED_FLAT_DEG = 3.0
"""Slope of true − fused torso yaw against sin 2 yaw where the photo cuts the body: 3.0 on 115 renders, 2.8 on 267 cuts
of real people whom the landmarks see whole."""
WHOLE_TORSO_SIGMA_DEG = np.array([50.0, 50.0, 50.0])
WHOLE_HEAD_SIGMA_DEG = np.array([36.0, 42.0, 36.0])
"""Sigmas of the closed-form rotations about the body's x, y and z axes for a fully visible person: little more than a
start, since the fit then uses the landmarks in 3D themselves."""


class OrientPeople:
    """The network on neck and head, fused with the landmarks' own angles, where the photo cuts the body."""

    name = "orient"

    def setup(self) -> None:
        """Load the network."""
        self.network = OrientationNet()

    def process(self, photos: list[Photo]) -> None:
        """Batched over all people of the batch; those with neighbours one by one, see `phq.detect.neighbours`."""
        for batch in views([person for person in living(photos) if person.start is not None]):
            jobs = [(pixels, orientation_region(known(person.start))) for person, pixels in batch]
            for (person, _), raw in zip(batch, self.network.run(jobs), strict=True):
                orient(person, raw)


def orient(person: Person, raw: Floats) -> None:
    """Set belief and orientation from the network's (2, 3, 56) outputs, the landmarks and further signs."""
    start = known(person.start)
    hidden = person.hidden_face is not None and person.hidden_face.face_pixelation >= PIXELATED
    face = rate("face", np.degrees(CENTRES)) if hidden else 1.0
    fused = fuse(raw, evidence_of(person, start), direction_likelihood(person.box) * face)
    person.belief = belief_of(fused) if is_cut(person) else belief_of_landmarks(start)
    yaw = float(angles_of(person.belief.torso)[0])
    person.orientation = Orientation(float(fused[0, 3]), float(fused[0, 6]), yaw)


def belief_of(fused: Floats) -> Belief:
    """From (2, 7): yaw, pitch, roll, their sigmas (degrees) and p_flip of torso and head."""
    torso, head = (rotation_of(part[:3]) for part in fused)
    sigmas = np.radians(fused[:, [4, 3, 5]]) * TRUST
    return Belief(unflattened(torso, FUSED_FLAT_DEG), head, sigmas[0], sigmas[1])


def belief_of_landmarks(start: TorsoFit) -> Belief:
    """The closed form alone, for a fully visible person.

    The landmark network learned from fully visible real people. On video of one, the fused orientation is worse than
    the landmarks alone (docs/log.md); on headshots it is much better.
    """
    sigmas = np.radians(WHOLE_TORSO_SIGMA_DEG), np.radians(WHOLE_HEAD_SIGMA_DEG)
    return Belief(unflattened(start.torso_to_cam, WHOLE_FLAT_DEG), start.head_to_cam, *sigmas)
