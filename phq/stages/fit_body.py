"""Stages: the body of every person, in closed form and then fitted to all evidence."""

from __future__ import annotations

import numpy as np

from phq.camera.angles import wrap_deg
from phq.people.person import Person, Photo, living
from phq.people.record import Agreement, FitScores, HeadPoseScores
from phq.pose.closed_form import fit_torso, rotations_of, torso_yaw
from phq.pose.evidence import is_cut, observe, to_fit
from phq.pose.optimise import Hypothesis, Observation, optimise
from phq.system.arrays import Floats


class StartBody:
    """Torso, head and their place in closed form; the agreement of the runs is evidence about front and back."""

    name = "pose"

    def setup(self) -> None:
        """Nothing to load."""

    def process(self, photos: list[Photo]) -> None:
        """Every person that has landmarks."""
        for person in living(photos):
            start_person(person)


class FitBody:
    """The body that explains all evidence best."""

    name = "fit"

    def setup(self) -> None:
        """Nothing to load."""

    def process(self, photos: list[Photo]) -> None:
        """Every person that has a start."""
        people = [person for person in living(photos) if person.start is not None and person.belief is not None]
        observed = [observe(person) for person in people]
        optima = optimise([observation for observation, _ in observed])
        for person, (observation, view), found in zip(people, observed, optima, strict=True):
            take_fit(person, observation, view, found)


def start_person(person: Person) -> None:
    """Set the start and the agreement of the runs, or reject a degenerate person."""
    start = fit_torso(person.runs, person.box.edges)
    numbers = np.concatenate([start.neck_px, [start.px_per_metre, start.residual]])
    if not np.isfinite(numbers).all() or start.px_per_metre <= 0:
        person.reject("degenerate_pose", "the landmarks span no body")
        return
    person.start = start
    first, second, mirrored = (torso_yaw(rotations_of(run)[0]) for run in person.runs)
    person.agreement = Agreement(abs(wrap_deg(first - second)), abs(wrap_deg(second - mirrored)))


def take_fit(person: Person, observation: Observation, view: Floats, found: list[Hypothesis]) -> None:
    """Set the fit and how well it explains the evidence.

    Args:
        person: to fit.
        observation: the evidence.
        view: its line of sight, see `phq.pose.evidence.observe`.
        found: the optima, best first.
    """
    best, other = found
    if is_cut(person) and best.turned:  # keypoints name left and right as the network that is in doubt took them
        best, other = other, best
    person.fit, person.head_pose = to_fit(best, person, view, observation), HeadPoseScores()
    person.fit_scores = FitScores(person.fit.residual, other.cost - best.cost)
