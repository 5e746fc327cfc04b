"""Stage: the body of every person, fitted in closed form."""

from __future__ import annotations

import numpy as np

from phq.camera.angles import wrap_deg, yaw_pitch
from phq.people import Person, Photo, box_of, living
from phq.pose.closed_form import fit_torso, torso_rotation
from phq.pose.evidence import observe, to_fit
from phq.pose.optimise import optimise
from phq.system.arrays import Floats


class StartBody:
    """Torso, head, and where they are, in closed form; the agreement of the runs is evidence about front and back."""

    name = "pose"

    def setup(self) -> None:
        """Nothing to load."""

    def process(self, photos: list[Photo]) -> None:
        """Every person that has landmarks."""
        for person in living(photos):
            start_person(person)


class FitBody:
    """The body that explains everything that was seen best."""

    name = "fit"

    def setup(self) -> None:
        """Nothing to load."""

    def process(self, photos: list[Photo]) -> None:
        """Every person that has a start."""
        for person in living(photos):
            if person.start is not None and person.belief is not None:
                fit_person(person)


def torso_yaw(world: Floats) -> float:
    """Yaw (degrees) of the torso in metric landmarks (33, 3)."""
    return yaw_pitch(torso_rotation(world).T @ np.array([0.0, 0.0, -1.0]))[0]


def start_person(person: Person) -> None:
    """Set `person.start` and the agreement of the runs, or reject a degenerate person."""
    start = fit_torso(person.runs, box_of(person))
    numbers = np.concatenate([start.neck_px, [start.px_per_metre, start.residual]])
    if not np.isfinite(numbers).all() or start.px_per_metre <= 0:
        person.reject("degenerate_pose", "the landmarks span no body")
        return
    person.start = start
    first, second, mirrored = (torso_yaw(run.world) for run in person.runs)
    person.fields |= {
        "pass_disagreement_deg": abs(wrap_deg(first - second)),
        "flip_disagreement_deg": abs(wrap_deg(second - mirrored)),
    }


def fit_person(person: Person) -> None:
    """Set `person.fit` and how well it explains what was seen."""
    seen, view = observe(person)
    best, other = optimise(seen)
    person.fit = to_fit(best, person, view, seen)
    person.fields |= {"reprojection_error": person.fit.residual, "hypothesis_margin": other.cost - best.cost}
