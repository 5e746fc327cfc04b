"""Heads that are cut off, hands before them, and other people in front."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from phq.camera.convention import intrinsics, orbit
from phq.people.person import Person, Photo
from phq.people.record import Keypoints, Source
from phq.quality.framing import GRID, hand_on_head, head_outside, person_head_disc
from phq.quality.occlusion import occluded_fraction
from phq.schema import LANDMARKS

SIZE = 512


def person(yaw: float = 0.0, top: float = 0.0, width: int = 800) -> Person:
    """A level head in a crop of 512 photo pixels whose upper edge lies `top` pixels below that of the photo."""
    made = Person.unmeasured(Photo(Path("a"), "a", source=Source("", width, 900)))
    made.camera = replace(made.camera, cam2world=orbit(yaw), intrinsics=intrinsics())
    made.frame = replace(made.frame, image_size=SIZE, crop_to_source=np.array([[1.0, 0, 100], [0, 1, top]]))
    made.keypoints = Keypoints(np.full((33, 2), 700.0), np.zeros((33, 3)), np.ones(33), 1.0)
    return made


@pytest.mark.parametrize("yaw", [0, 90, 180, -135])
def test_the_disc_is_where_the_head_is_from_every_side(yaw: float) -> None:
    (x, y), radius = person_head_disc(person(yaw))
    assert 0.35 < x < 0.65 and 0.2 < y < 0.35 and 0.22 < radius < 0.3


def test_a_head_is_cut_the_more_the_lower_the_photo_begins() -> None:
    scores = [head_outside(person(top=-top)) for top in (0, 60, 120, 180, 240, 300, 400)]
    assert scores[0] < 0.01 and scores[-1] == 1.0
    assert scores == sorted(scores) and len(set(scores)) >= 6


def test_half_a_disc_is_half_a_head() -> None:
    (_, y), _ = person_head_disc(person())
    assert head_outside(person(top=-y * SIZE)) == pytest.approx(0.5, abs=2 / GRID)
    assert head_outside(person(width=round(100 + person_head_disc(person())[0][0] * SIZE))) == pytest.approx(
        0.5, abs=0.05
    )


def with_hand(off: float, nearer: float = 0.2, seen: float = 1.0) -> Person:
    """A left hand `off` head radii below the middle of the head, so much nearer to the camera than the ears."""
    made = person()
    centre, radius = person_head_disc(made)
    hand = [LANDMARKS.index(f"left_{part}") for part in ("wrist", "pinky", "index", "thumb")]
    made.keypoints.keypoints_2d[hand] = centre * SIZE + [100, off * radius * SIZE]
    made.keypoints.keypoints_3d[hand, 2] = -nearer
    made.keypoints.keypoints_visibility[hand] = seen
    return made


def test_a_hand_counts_the_more_the_nearer_it_is_to_the_middle() -> None:
    scores = [hand_on_head(with_hand(off)) for off in (1.5, 0.9, 0.6, 0.3, 0.0)]
    assert scores[0] == 0 and scores[-1] == pytest.approx(1.0)
    assert all(a < b for a, b in pairwise(scores))


def test_a_hand_behind_the_head_or_hardly_seen_hides_nothing() -> None:
    assert hand_on_head(with_hand(0.0, nearer=-0.2)) == 0
    assert hand_on_head(with_hand(0.0, seen=0.1)) == pytest.approx(0.1)
    assert hand_on_head(person()) == 0
    unseen = person()
    unseen.keypoints = Keypoints.unmeasured()
    assert hand_on_head(unseen) == 0


def test_occlusion_is_the_part_that_another_mask_has_taken() -> None:
    region = np.zeros((40, 40), bool)
    region[10:30, 10:30] = True
    own = np.where(region, 0.9, 0.0).astype(np.float32)
    scores = []
    for columns in (0, 5, 10, 20):
        theirs = np.zeros_like(own)
        theirs[:, 10 : 10 + columns] = 1.0
        scores.append(occluded_fraction(region, np.where(theirs > 0, 0, own), theirs))
    assert scores == [0.0, 0.25, 0.5, 1.0]
    assert occluded_fraction(region, own, np.full_like(own, 0.95)) == 0.0, "two masks as sure as each other"
    assert occluded_fraction(np.zeros_like(region), own, own) == 0.0
