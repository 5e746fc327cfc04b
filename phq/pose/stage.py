"""Stage: the body of every person, fitted in closed form."""

from __future__ import annotations

import numpy as np

from phq.camera.angles import wrap_deg, yaw_pitch
from phq.keypoints.stage import box_of
from phq.pose.closed_form import fit_torso, torso_rotation
from phq.pose.evidence import observe, to_fit
from phq.pose.optimise import optimise
from phq.work import Floats, Person, Photo, living


class FitBody:
    """Torso, head, and where they are; the agreement of the runs is evidence about front and back."""

    name = "pose"

    def setup(self) -> None:
        """Nothing to load."""

    def process(self, photos: list[Photo]) -> None:
        """Fit every person that has landmarks."""
        for person in living(photos):
            fit_person(person)


def torso_yaw(world: Floats) -> float:
    """Yaw (degrees) of the torso in metric landmarks (33, 3)."""
    return yaw_pitch(torso_rotation(world).T @ np.array([0.0, 0.0, -1.0]))[0]


def fit_person(person: Person) -> None:
    """Set `person.fit` and the fields that come from it, or reject a degenerate person."""
    fit = fit_torso(person.runs, box_of(person))
    numbers = np.concatenate([fit.neck_px, [fit.px_per_metre, fit.residual]])
    if not np.isfinite(numbers).all() or fit.px_per_metre <= 0:
        person.reject("degenerate_pose", "the landmarks span no body")
        return
    person.fit = fit
    seen, view = observe(person)
    best, other = optimise(seen)
    person.fit = fit = to_fit(best, person, view, seen)
    first, second, mirrored = (torso_yaw(run.world) for run in person.runs)
    person.fields |= {
        "reprojection_error": fit.residual,
        "hypothesis_margin": other.cost - best.cost,
        "pass_disagreement_deg": abs(wrap_deg(first - second)),
        "flip_disagreement_deg": abs(wrap_deg(second - mirrored)),
    }
