"""Old picture, new camera: what the label says of the stored crop is what the fit says of the photo."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from phq.align.crop import CropBox, crop_box, cut
from phq.camera.convention import camera_from_torso, intrinsics, world2cam
from phq.curate.annotate.stage_outputs import torso_from_camera
from phq.curate.annotate.stored_stages import stored_face
from phq.curate.annotate.views import StoredPerson, View, laid_back
from phq.curate.annotate.window import neck_in_picture, state_camera, stored_intrinsics, to_own_picture
from phq.people.person import Face, TorsoFit
from phq.people.record import HeadFace

UPRIGHT = np.diag([1.0, -1.0, -1.0])
seeds = st.integers(0, 2**32 - 1)


def some_fit(rng: np.random.Generator) -> TorsoFit:
    """A torso turned anyhow, but not upside down."""
    turn = Rotation.from_euler("YXZ", [rng.uniform(-180, 180), *rng.uniform(-40, 40, 2)], degrees=True)
    joints = {"neck": rng.uniform(-0.3, 0.3, 3), "head": rng.uniform(-0.3, 0.3, 3)}
    torso = UPRIGHT @ turn.as_matrix()
    return TorsoFit(torso, torso, rng.uniform(200, 700, 2), rng.uniform(300, 2000), 0.1, joints)


def stored_elsewhere(fit: TorsoFit, rng: np.random.Generator) -> StoredPerson:
    """The person with a crop that another fit had cut: somewhat beside it, of another size."""
    cam2world = camera_from_torso(fit.torso_to_cam)
    side, size = crop_box(fit, cam2world).side * rng.uniform(0.7, 1.4), 256
    x0, y0 = crop_box(fit, cam2world).x0 + rng.uniform(-0.2, 0.2, 2) * side
    return stored_person(fit, cam2world, CropBox(x0, y0, side).to_source(size), size)


def stored_person(fit: TorsoFit, cam2world: np.ndarray, crop_to_source: np.ndarray, size: int = 256) -> StoredPerson:
    """A person with a fit, a camera, and a crop cut somewhere."""
    person = StoredPerson.unmeasured(View(Path("a.jpg"), "a.jpg"))
    person.fit, person.row = fit, {"image_size": size}
    person.camera = replace(person.camera, cam2world=cam2world)
    person.frame = replace(person.frame, crop_to_source=crop_to_source, image_size=size)
    return person


def through(K: np.ndarray, cam2world: np.ndarray, points: np.ndarray) -> np.ndarray:
    """World points (N, 3) to (N, 2) fractions of the picture's side, by the textbook."""
    to_cam = world2cam(cam2world)
    uvw = (points @ to_cam[:3, :3].T + to_cam[:3, 3]) @ K.T
    return uvw[:, :2] / uvw[:, 2:]


@given(seeds)
def test_a_world_point_lands_on_the_same_pixel_of_the_photo(seed):
    """By the new label through the stored crop, and by the crop that the new camera would have cut."""
    rng = np.random.default_rng(seed)
    fit = some_fit(rng)
    person = stored_elsewhere(fit, rng)
    points, cam2world, size = rng.uniform(-0.3, 0.3, (20, 3)), person.camera.cam2world, person.row["image_size"]
    in_stored = through(stored_intrinsics(person), cam2world, points) * size
    affine = person.frame.crop_to_source
    own = crop_box(fit, cam2world)
    expected = [own.x0, own.y0] + own.side * through(intrinsics(), cam2world, points)
    np.testing.assert_allclose(in_stored @ affine[:, :2].T + affine[:, 2], expected, atol=1e-6)


@given(seeds)
def test_the_neck_and_a_metre_are_where_the_fit_has_seen_them(seed):
    rng = np.random.default_rng(seed)
    fit = some_fit(rng)
    person = stored_elsewhere(fit, rng)
    K, cam2world = stored_intrinsics(person), person.camera.cam2world
    affine, size = person.frame.crop_to_source, person.row["image_size"]
    neck = affine @ [*neck_in_picture(cam2world, K) * size, 1]
    np.testing.assert_allclose(neck, fit.neck_px, atol=1e-6)
    across = cam2world[:3, 0] * 0.01  # a centimetre at the neck's depth, along the image
    beside = affine @ [*through(K, cam2world, across[None])[0] * size, 1]
    depth = world2cam(cam2world)[2, 3]
    np.testing.assert_allclose(beside[0] - neck[0], 0.01 * fit.px_per_metre * 2.7 / depth, rtol=1e-6)


@given(seeds)
def test_a_camera_gives_back_the_torso_it_was_made_from(seed):
    torso = some_fit(np.random.default_rng(seed)).torso_to_cam
    np.testing.assert_allclose(torso_from_camera(camera_from_torso(torso)), torso, atol=1e-9)


def test_the_crop_that_the_camera_itself_would_cut_has_the_conventions_intrinsics():
    rng = np.random.default_rng(3)
    fit = some_fit(rng)
    person = stored_elsewhere(fit, rng)
    own = crop_box(fit, person.camera.cam2world)
    person.frame = replace(person.frame, crop_to_source=own.to_source(256).round(9))
    state_camera(person)
    assert person.camera.camera_convention == "phq-neck/1"
    assert (person.camera.intrinsics == intrinsics()).all()


def test_a_camera_that_would_cut_otherwise_says_so():
    rng = np.random.default_rng(4)
    person = stored_elsewhere(some_fit(rng), rng)
    state_camera(person)
    assert person.camera.camera_convention == "phq-neck-window/1"
    assert person.rejected is None


def test_a_headshot_beside_the_stored_picture_is_a_degenerate_fit():
    rng = np.random.default_rng(5)
    person = stored_elsewhere(some_fit(rng), rng)
    person.frame = replace(person.frame, crop_to_source=np.array([[1.0, 0, 9000], [0, 1.0, 9000]]))
    state_camera(person)
    assert person.rejected is not None
    assert person.rejected.reason == "degenerate_pose"


def test_the_window_of_a_picture_within_that_of_its_camera():
    K = np.array([[13.0, 0, 0.1], [0, 13.0, 0.9], [0, 0, 1]])  # twice the focal length: half the width
    affine = to_own_picture(K, 100)
    assert affine[0, 0] == pytest.approx(intrinsics()[0, 0] / 13)
    np.testing.assert_allclose(affine @ [10, 90, 1], [50, 50])


@pytest.mark.parametrize("side", [200.0, 41.5, 900.25])
def test_a_crop_laid_back_shows_the_photo_where_it_was_cut_and_black_elsewhere(side: float):
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.uniform(0, 255, (600, 800, 3)), (0, 0), 12)
    photo = cv2.normalize(noise, None, 20, 250, cv2.NORM_MINMAX).astype(np.uint8)
    box = CropBox(301.3, 222.8, side)
    back = laid_back(cut(photo, box, 128), box.to_source(128), 800, 600)
    assert back.shape == photo.shape
    inside = np.zeros((600, 800), bool)
    inside[226 : int(min(600, 222 + side - 4)), 305 : int(min(800, 301 + side - 4))] = True
    assert np.abs(back[inside].astype(int) - photo[inside]).max() < 8
    outside = np.ones((600, 800), bool)
    outside[222 : int(222 + side + 3), 301 : int(301 + side + 3)] = False
    assert back[outside].max(initial=0) == 0


def test_the_padding_of_a_crop_is_not_laid_into_the_photo():
    photo = np.full((100, 100, 3), 200, np.uint8)
    box = CropBox(60.0, -40.0, 80.0)
    back = laid_back(cut(photo, box, 64), box.to_source(64), 100, 100)
    assert (back[1:39, 61:] > 190).all()
    assert back[42:].max() == 0


def test_a_face_is_judged_in_the_cameras_own_picture_and_stored_in_the_stored_one():
    """A camera whose picture is twice as wide as the stored one: the head is where a window of it shows."""
    fit = some_fit(np.random.default_rng(11))
    cam2world = camera_from_torso(UPRIGHT)
    own = crop_box(fit, cam2world)
    head = np.array([own.x0, own.y0]) + own.side * np.array([0.5, 0.35])
    box = CropBox(head[0] - own.side / 4, head[1] - own.side / 4, own.side / 2)
    person = stored_person(fit, cam2world, box.to_source(256))
    person.camera = replace(person.camera, intrinsics=stored_intrinsics(person))

    def judged(place: np.ndarray) -> HeadFace:
        face = Face(0.9, np.array([*place - 20, *place + 20]), np.tile(place, (5, 1)))
        return stored_face(person, face)

    found = judged(head)
    assert found.face_found
    np.testing.assert_allclose(found.face_points, 128, atol=1e-6)
    # 0.4 of the stored picture's side are 0.2 of the camera's own, which is near; 0.7 and 0.35 are not
    assert judged(head + [0, 0.2 * own.side]).face_found
    assert not judged(head + [0, 0.35 * own.side]).face_found
