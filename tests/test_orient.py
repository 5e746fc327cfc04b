"""Orientation: angles and distributions go round, mirrors agree, and real people are seen from the right side."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from photographs import PEOPLE, pixels
from scipy.spatial.transform import Rotation

from phq.camera.angles import part_angles
from phq.detect.stage import DetectPeople
from phq.keypoints.region import Region
from phq.keypoints.stage import FindLandmarks, box_of
from phq.orient.angles import angles_of, rotation_of
from phq.orient.crop import orientation_region
from phq.orient.decode import BINS, CENTRES, decode, mirror_outputs, softmax, yaw_of
from phq.orient.fuse import evidence_of, fuse
from phq.orient.net import OrientationNet
from phq.pose.closed_form import fit_torso
from phq.work import Photo

MIRROR = np.diag([-1.0, 1.0, 1.0])
degrees = st.floats(-179, 179)
tilt = st.floats(-80, 80)


def apart(a, b):
    """Difference of two angles, degrees."""
    return abs((a - b + 180) % 360 - 180)


@given(degrees, tilt, tilt)
def test_angles_to_a_rotation_and_back(yaw, pitch, roll):
    found = angles_of(rotation_of(np.array([yaw, pitch, roll])))
    assert apart(found[0], yaw) < 1e-6
    np.testing.assert_allclose(found[1:], [pitch, roll], atol=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_angles_are_those_of_the_record(seed):
    turn = Rotation.random(random_state=seed).as_matrix()
    np.testing.assert_allclose(angles_of(turn), part_angles(turn, np.array([0, 0, 1.0])), atol=1e-9)


@given(degrees, st.floats(8, 25))
def test_a_distribution_is_read_at_its_peak(yaw, width):
    p = softmax(np.cos(CENTRES - np.radians(yaw)) / np.radians(width) ** 2)
    found, sigma, flip = yaw_of(p)
    assert apart(found, yaw) < 1
    assert 0.7 * width < sigma < 1.3 * width
    assert flip < 0.01


@given(degrees, st.floats(0.05, 0.4))
def test_an_opposite_mode_is_a_flip_and_bends_nothing(yaw, share):
    away = CENTRES - np.radians(yaw)
    p = (1 - share) * softmax(20 * np.cos(away)) + share * softmax(-20 * np.cos(away))
    found, _, flip = yaw_of(p)
    assert apart(found, yaw) < 1.5
    assert flip == pytest.approx(share, abs=0.02)


def test_mirrored_outputs_mirror_the_answer():
    raw = np.random.default_rng(0).normal(0, 2, (9, 2 * (BINS + 4)))
    np.testing.assert_array_equal(mirror_outputs(mirror_outputs(raw)), raw)
    for one, other in zip(raw, mirror_outputs(raw), strict=True):
        np.testing.assert_allclose(decode(other), decode(one) * [-1, 1, -1, 1, 1, 1, 1], atol=1e-6)


def test_fusion_of_a_mirror_image_is_mirrored():
    rng = np.random.default_rng(1)
    turns = Rotation.random(8, random_state=1).as_matrix().reshape(4, 2, 3, 3)
    rest = rng.uniform(0, 1, 71)
    raw = rng.normal(0, 2, (1, 2 * (BINS + 4)))
    swapped = (MIRROR @ turns @ MIRROR)[[0, 1, 3, 2]]
    there = fuse(raw[0], np.concatenate([turns.ravel(), rest]))
    mirrored = fuse(mirror_outputs(raw)[0], np.concatenate([swapped.ravel(), rest]))
    np.testing.assert_allclose(mirrored, there * [-1, 1, -1, 1, 1, 1, 1], atol=1e-6)


@pytest.fixture(scope="module")
def network():
    return OrientationNet()


def test_network_on_a_mirror_image(network):
    photo = pixels("scikit-image-0.26.0__astronaut.png")
    region = Region(220.0, 190.0, 300.0)
    there = Region(photo.shape[1] - region.cx, region.cy, region.side)
    raw = network.run([(photo, region), (np.ascontiguousarray(photo[:, ::-1]), there)])
    one, other = decode(raw[0]), decode(raw[1])
    assert (apart(other[:, 0], -one[:, 0]) < 1).all()
    np.testing.assert_allclose(other[:, 1:3], one[:, 1:3] * [1, -1], atol=1)


def test_nobody_gives_no_rows(network):
    assert network.run([]).shape == (0, 2 * (BINS + 4))


@pytest.fixture(scope="module")
def people():
    """The largest person of every labelled photograph, with landmarks."""
    detect, landmarks = DetectPeople(0.4, 0.25, False), FindLandmarks(fast=False)
    detect.setup()
    landmarks.setup()
    found = {}
    for name in PEOPLE:
        image = pixels(name)
        photo = Photo(name, name, image, {"image_height": image.shape[0], "image_width": image.shape[1]})
        detect.process([photo])
        photo.people = [max(photo.people, key=lambda p: np.prod(box_of(p)[2:] - box_of(p)[:2]))]
        landmarks.process([photo])
        found[name] = photo.people[0]
    return found


def test_real_people_are_seen_from_the_right_side(network, people):
    fits = {n: fit_torso(p.runs, box_of(p)) for n, p in people.items()}
    raw = network.run([(p.photo.pixels, orientation_region(fits[n])) for n, p in people.items()])
    yaws = {n: fuse(r, evidence_of(p, fits[n]))[0, 0] for r, (n, p) in zip(raw, people.items(), strict=True)}
    wrong = {n: round(float(yaw)) for n, yaw in yaws.items() if apart(yaw, PEOPLE[n]) > 60}
    assert wrong == {}
