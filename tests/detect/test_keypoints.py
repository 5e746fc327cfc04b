"""Regions go to the photo and back; a mirrored run says the same as the run."""

from __future__ import annotations

import numpy as np
import pytest
from bundled_photos import pixels
from hypothesis import given
from hypothesis import strategies as st

from phq.detect.blazepose import LEFT_RIGHT, BlazePose, decode
from phq.detect.body_region import box_region, first_region
from phq.photos.region import Region, apply_affine, invert_affine, sample, warp_soft
from phq.schema import LANDMARKS

region = st.builds(Region, st.floats(-50, 400), st.floats(-50, 400), st.floats(10, 900), st.floats(-3, 3))


@given(region)
def test_affine_round_trip(r):
    points = np.array([[0, 0], [256, 0], [10, 200.0]])
    there = apply_affine(r.to_photo(256), points)
    np.testing.assert_allclose(apply_affine(invert_affine(r.to_photo(256)), there), points, atol=1e-6)


@given(region)
def test_centre_and_corners_of_a_region(r):
    there = apply_affine(r.to_photo(256), np.array([[128, 128], [128, 0.0]]))
    np.testing.assert_allclose(there[0], [r.cx, r.cy], atol=1e-6)
    up = [r.cx + np.sin(r.angle) * r.side / 2, r.cy - np.cos(r.angle) * r.side / 2]
    np.testing.assert_allclose(there[1], up, atol=1e-6)


def test_sampling_a_ramp_reads_the_positions():
    x, y = np.meshgrid(np.arange(200), np.arange(150))
    ramp = np.stack([x, y, np.zeros_like(x)], -1).astype(np.uint8)
    r = Region(90.0, 70.0, 64.0)
    got = sample(ramp, r, 32).astype(float)
    centres = np.stack(np.meshgrid(np.arange(32) + 0.5, np.arange(32) + 0.5), -1)
    want = apply_affine(r.to_photo(32), centres) - 0.5  # pixel i holds the value i at position i + 0.5
    np.testing.assert_allclose(got[..., :2], want, atol=1.01)


@pytest.mark.parametrize("side", [64, 200, 650])
def test_sampling_by_area_and_directly_agree_on_a_smooth_picture(side):
    x, y = np.meshgrid(np.linspace(0, 6, 1000), np.linspace(0, 6, 1000))
    smooth = np.repeat((127 + 100 * np.sin(x) * np.cos(y)).astype(np.uint8)[..., None], 3, 2)
    r = Region(500, 480, side, 0.4)
    centres = np.stack(np.meshgrid(np.arange(32) + 0.5, np.arange(32) + 0.5), -1)
    at = np.clip(apply_affine(r.to_photo(32), centres), 0, 999).astype(int)
    np.testing.assert_allclose(sample(smooth, r, 32)[..., 0].astype(float), smooth[at[..., 1], at[..., 0], 0], atol=6)


@pytest.mark.parametrize("side", [24, 200, 700])
def test_a_region_far_along_a_panorama_reads_what_it_reads_near_the_origin(side):
    patch = np.random.default_rng(0).integers(0, 255, (400, 400, 3), dtype=np.uint8)
    panorama = np.zeros((400, 33_000, 3), np.uint8)
    panorama[:, -400:] = patch
    near, far = Region(190.25, 200.5, side, 0.4), Region(32_790.25, 200.5, side, 0.4)
    if side == 700:  # beyond the patch the panorama goes on in black, as the patch's surroundings do
        patch = np.pad(patch, ((0, 0), (600, 0), (0, 0)))
        near = Region(790.25, 200.5, side, 0.4)
    np.testing.assert_array_equal(sample(panorama, far, 64), sample(patch, near, 64))


def test_beyond_the_photo_is_black():
    assert sample(np.full((50, 50, 3), 255, np.uint8), Region(500, 500, 40), 16).max() == 0


def test_warping_a_mask_by_identity_changes_nothing():
    values = np.random.default_rng(0).random((20, 30), dtype=np.float32)
    np.testing.assert_allclose(warp_soft(values, np.eye(2, 3), 30, 20), values, atol=1e-6)


def test_left_right_swaps_names():
    swapped = [LANDMARKS[i].replace("left", "L").replace("right", "left").replace("L", "right") for i in LEFT_RIGHT]
    assert swapped == list(LANDMARKS)


def test_decoding_turns_world_landmarks_with_the_region():
    ld, world = np.zeros((39, 5)), np.zeros((39, 3))
    world[5] = 0, -1, 0.5  # up in the region
    quarter = Region(100, 100, 50, np.pi / 2)  # the region's up is the photo's right
    run = decode((ld.ravel(), world.ravel(), np.zeros((256, 256, 1)), np.ones(1)), quarter, False)
    np.testing.assert_allclose(run.world[5], [1, 0, 0.5], atol=1e-9)


def test_the_second_region_stands_on_the_auxiliary_landmarks():
    ld = np.zeros((39, 5))
    ld[33, :2], ld[34, :2] = (128, 128), (128, 64)  # straight above, a quarter of the region's side away
    outputs = ld.ravel(), np.zeros(117), np.zeros((256, 256, 1)), np.ones(1)
    run = decode(outputs, Region(300, 200, 100, 0.3), False)
    again = run.next_region()
    np.testing.assert_allclose([again.cx, again.cy, again.side, again.angle], [300, 200, 62.5, 0.3], atol=1e-9)


def test_a_box_cut_by_the_lower_border_is_continued_downwards():
    cut = first_region(np.array([100, 100, 300, 400.0]), 400)
    whole = first_region(np.array([100, 100, 300, 400.0]), 600)
    assert whole == box_region(np.array([100, 100, 300, 400.0]))
    assert cut.cy > whole.cy
    assert cut.side > whole.side
    assert cut.cy - cut.side / 2 / 1.25 == pytest.approx(100)


@pytest.fixture(scope="module")
def network() -> BlazePose:
    return BlazePose("full")


def test_a_mirrored_run_of_the_mirror_image_is_the_run(network):
    image = pixels("scikit-image-0.26.0__astronaut.png")
    r = Region(220, 260, 500)
    mirror = Region(image.shape[1] - r.cx, r.cy, r.side)
    plain, mirrored = network.run([(image, r, False), (np.ascontiguousarray(image[:, ::-1]), mirror, True)])
    width = image.shape[1]
    np.testing.assert_allclose(width - mirrored.points[:, 0], plain.points[list(LEFT_RIGHT), 0], atol=0.1)
    np.testing.assert_allclose(mirrored.world, plain.world[list(LEFT_RIGHT)] * [-1, 1, 1], atol=1e-3)


def test_company_in_a_batch_does_not_change_a_result(network):
    image = pixels("scikit-image-0.26.0__astronaut.png")
    job, other = (image, Region(200, 400, 900), False), (image, Region(250, 250, 300), False)
    alone, together = network.run([job])[0], network.run([other, job])[1]
    np.testing.assert_allclose(together.world, alone.world, atol=1e-4)


def test_landmarks_of_a_portrait_lie_where_they_should(network):
    image = pixels("scikit-image-0.26.0__astronaut.png")
    (run,) = network.run([(image, first_region(np.array([9, 12, 367, 512.0]), 512), False)])
    nose, left, right = run.points[0], run.points[11], run.points[12]
    assert np.linalg.norm(nose - [223, 112]) < 25
    assert left[0] > nose[0] > right[0]


@given(st.floats(-3, 3))
def test_a_mirrored_run_gives_the_world_landmarks_of_the_unmirrored_picture(angle):
    """In x, y and z: what the network says of the mirror image of a body is decoded to that of the body."""
    rng = np.random.default_rng(3)
    metres, points = rng.normal(size=(39, 3)), np.zeros((39, 5))
    mirror = metres.copy()
    mirror[:33] = mirror[list(LEFT_RIGHT)] * [-1, 1, 1]
    mask, flag, region = np.zeros((256, 256, 1)), np.ones(1), Region(100, 100, 50, angle)
    plain = decode((points.ravel(), metres.ravel(), mask, flag), region, False)
    back = decode((points.ravel(), mirror.ravel(), mask, flag), region, True)
    np.testing.assert_allclose(back.world, plain.world, atol=1e-9)
