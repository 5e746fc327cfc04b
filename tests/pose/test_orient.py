"""Orientation: angles and distributions go round, mirrors agree, and real people are seen from the right side."""

from __future__ import annotations

import numpy as np
import pytest
from bundled_photos import PEOPLE, pixels
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from phq.camera.angles import part_angles
from phq.config.build import Detect, Models
from phq.detect.boxes import area
from phq.people.person import Photo
from phq.people.record import Source
from phq.photos.region import Region
from phq.pose.closed_form import fit_torso
from phq.pose.orient.angles import angles_of, rotation_of
from phq.pose.orient.crop import OrientationRegion, orientation_region
from phq.pose.orient.decode import BINS, CENTRES, decode, mirror_outputs, softmax, yaw_of
from phq.pose.orient.fuse import blazepose_angles, evidence_of, familiarity, fuse
from phq.pose.orient.net import OrientationNet
from phq.stages.detect_people import DetectPeople
from phq.stages.find_landmarks import FindLandmarks

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


def outputs(seed, sharpness=6.0):
    """(2, 3, 56) of a network that is rather sure, and its mirror image's."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(0, 1, (2, 3, 2, BINS + 4))
    raw[..., :BINS] += sharpness * np.cos(CENTRES - rng.uniform(-np.pi, np.pi, (1, 1, 2, 1)))
    raw = raw.reshape(2, 3, -1)
    return raw, mirror_outputs(raw.reshape(6, -1)).reshape(raw.shape)[::-1]


def landmarks(seed):
    """(143,) evidence, and that of the mirror image: second pass and mirror run change places."""
    turns = Rotation.random(8, random_state=seed).as_matrix().reshape(4, 2, 3, 3)
    rest = np.random.default_rng(seed).uniform(0, 1, 71)
    swapped = (MIRROR @ turns @ MIRROR)[[0, 1, 3, 2]]
    return np.concatenate([turns.ravel(), rest]), np.concatenate([swapped.ravel(), rest])


@pytest.mark.parametrize("seed", range(4))
def test_fusion_of_a_mirror_image_is_mirrored(seed):
    (raw, raw_mirrored), (seen, seen_mirrored) = outputs(seed), landmarks(seed)
    mirrored = fuse(raw_mirrored, seen_mirrored)
    np.testing.assert_allclose(mirrored, fuse(raw, seen) * [-1, 1, -1, 1, 1, 1, 1], atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_a_network_in_doubt_leaves_pitch_and_roll_to_the_landmarks(seed):
    (raw, _), (seen, _) = outputs(seed), landmarks(seed)
    unsure = raw.reshape(2, 3, 2, BINS + 4).copy()
    unsure[..., :BINS] = 0
    found = fuse(unsure.reshape(raw.shape), seen)
    closed = blazepose_angles(seen)[0]
    np.testing.assert_allclose(found[:, 1:3], closed[:, 1:], atol=1e-9)
    assert (np.abs(apart(found[:, 0], closed[:, 0])) < 1).all()


@pytest.mark.parametrize(("cut", "hips", "wanted"), [(0, 0, 45), (0, 1, 45), (1, 1, 58), (1, 0, 65)])
@pytest.mark.parametrize("way", [1, -1])
def test_shoulders_that_look_flat_because_the_photo_ends_are_turned_further(cut, hips, wanted, way):
    torso = rotation_of(np.array([45.0 * way, 10, 5]))
    inside, rest = np.full(33, hips), np.concatenate([np.ones(33), [0.9, 1, cut, 0.1, 0]])
    found = blazepose_angles(np.concatenate([np.tile(torso.ravel(), 8), inside, rest]))
    np.testing.assert_allclose(found[:, 0], np.tile([wanted * way, 10, 5], (4, 1)), atol=1e-6)
    np.testing.assert_allclose(found[:, 1], np.tile([45 * way, 10, 5], (4, 1)), atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_a_sign_of_the_front_turns_what_could_be_either(seed):
    (raw, _), (seen, _) = outputs(seed, sharpness=0.0), landmarks(seed)
    silent, front, back = (
        fuse(raw, seen, sign)[1] for sign in (None, np.exp(4 * np.cos(CENTRES)), np.exp(-4 * np.cos(CENTRES)))
    )
    assert abs(front[0]) <= abs(silent[0]) <= abs(back[0])
    assert abs(front[0]) < 90 < abs(back[0])


def test_familiarity_falls_from_one_to_nothing():
    limits = np.array([1.0, 2.0])
    assert [familiarity(doubt, limits) for doubt in (0.2, 1.0, 1.25, 2.0, 3.0)] == [1, 1, 0.75, 0, 0]


@pytest.fixture(scope="module")
def network():
    return OrientationNet()


def test_network_on_a_mirror_image(network):
    photo = pixels("scikit-image-0.26.0__astronaut.png")
    width = photo.shape[1]
    there = OrientationRegion(Region(220.0, 190.0, 300.0), Region(220.0, 110.0, 150.0))
    back = OrientationRegion(*(Region(width - r.cx, r.cy, r.side) for r in (there.body, there.head)))
    raw = network.run([(photo, there), (np.ascontiguousarray(photo[:, ::-1]), back)])
    one, other = (decode(r[:, 0].mean(0)) for r in raw)
    assert (apart(other[:, 0], -one[:, 0]) < 1).all()
    np.testing.assert_allclose(other[:, 1:3], one[:, 1:3] * [1, -1], atol=1)


def test_nobody_gives_no_rows(network):
    assert network.run([]).shape == (0, 2, 3, 2 * (BINS + 4))


def test_answers_do_not_depend_on_company(network):
    photo = pixels("scikit-image-0.26.0__astronaut.png")
    jobs = [
        (photo, OrientationRegion(Region(200.0 + 9 * i, 190.0, 300.0), Region(220.0, 110.0, 150.0))) for i in range(9)
    ]
    together = network.run(jobs)
    np.testing.assert_allclose(together[8], network.run(jobs[8:])[0], atol=1e-4)


@pytest.fixture(scope="module")
def people():
    """The largest person of every labelled photograph, with landmarks."""
    detect, landmarks = DetectPeople(Detect(tiles=False), Models()), FindLandmarks()
    detect.setup()
    landmarks.setup()
    found = {}
    for name in PEOPLE:
        image = pixels(name)
        photo = Photo(name, name, image, Source("", image.shape[1], image.shape[0]))
        detect.process([photo])
        photo.people = [max(photo.people, key=lambda p: area(p.box.edges))]
        landmarks.process([photo])
        found[name] = photo.people[0]
    return found


def test_real_people_are_seen_from_the_right_side(network, people):
    fits = {n: fit_torso(p.runs, p.box.edges) for n, p in people.items()}
    raw = network.run([(p.photo.pixels, orientation_region(fits[n])) for n, p in people.items()])
    yaws = {n: fuse(r, evidence_of(p, fits[n]))[0, 0] for r, (n, p) in zip(raw, people.items(), strict=True)}
    wrong = {n: round(float(yaw)) for n, yaw in yaws.items() if apart(yaw, PEOPLE[n]) > 60}
    assert wrong == {}
