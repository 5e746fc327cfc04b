"""The crop reads the photo where its affine says, once, and never changes the photo's own pixels."""

from __future__ import annotations

import numpy as np
import pytest
from bundled_photos import pixels
from hypothesis import given, settings
from hypothesis import strategies as st

from phq.align.crop import CropBox, crop_box, cut
from phq.align.padding import is_padding, padding_fraction, soften_padding
from phq.camera.convention import VISIBLE_HEIGHT, camera_from_torso, project
from phq.people.person import TorsoFit
from phq.photos.region import apply_affine, invert_affine
from phq.pose import template


def ramp(width: int, height: int) -> np.ndarray:
    """Red is the column, green the row."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([x, y, 0 * x], -1).astype(np.uint8)


@settings(max_examples=25, deadline=None)
@given(st.floats(20, 60), st.floats(20, 60), st.floats(30, 120), st.sampled_from([16, 40, 64]))
def test_every_stored_pixel_comes_from_where_the_affine_says(x0, y0, side, size):
    box = CropBox(x0, y0, side)
    got = cut(ramp(240, 200), box, size)[..., :2].astype(float)
    centres = np.stack(np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5), -1)
    np.testing.assert_allclose(got, apply_affine(box.to_source(size), centres) - 0.5, atol=0.51)


def test_a_crop_at_full_size_is_the_photo():
    photo = pixels("scikit-image-0.26.0__astronaut.png")
    np.testing.assert_array_equal(cut(photo, CropBox(100, 50, 256), 256), photo[50:306, 100:356])


def test_shrinking_does_not_alias():
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 255
    small = cut(stripes, CropBox(0, 0, 400), 50)[5:-5, 5:-5]
    assert np.abs(small.astype(int) - 127).max() <= 2


def test_crop_of_the_mirror_image_is_the_mirrored_crop():
    photo = pixels("scikit-image-0.26.0__astronaut.png")
    width = photo.shape[1]
    box, mirrored = CropBox(60.25, -40.5, 300.5), CropBox(width - 60.25 - 300.5, -40.5, 300.5)
    a, b = cut(photo, box, 128), cut(np.ascontiguousarray(photo[:, ::-1]), mirrored, 128)[:, ::-1]
    assert np.abs(a.astype(int) - b.astype(int)).max() <= 1


@given(st.floats(-80, 60), st.floats(-80, 60), st.floats(90, 200))
def test_padding_fraction_is_the_area_of_the_padding_mask(x0, y0, side):
    part = CropBox(x0, y0, side).photo_part(100, 80, 200)
    assert padding_fraction(part, 200) == pytest.approx(is_padding(part, 200).mean(), abs=0.011)


def test_padding_leaves_the_photo_alone_and_fades_away_from_it():
    photo = pixels("scikit-image-0.26.0__astronaut.png")
    box = CropBox(-200, 100, 400)
    crop = cut(photo, box, 200)
    part = box.photo_part(512, 512, 200)
    assert part.tolist() == [100, 0, 200, 200]
    np.testing.assert_array_equal(crop[:, 104:], cut(photo, CropBox(0, 100, 400), 200)[:, 4:100])
    median = np.median(crop[:, 100:], axis=(0, 1))
    far, near = (np.abs(crop[:, c].astype(float) - median).mean() for c in (0, 99))
    assert far < 0.05 * near


def test_a_crop_inside_the_photo_has_no_padding():
    crop = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    assert soften_padding(crop, np.array([0, 0, 32, 32.0])) is crop
    assert padding_fraction(np.array([0, 0, 32, 32.0]), 32) == 0


@pytest.mark.parametrize("corner", [(-500, 0), (600, 0), (0, -500), (0, 600)])
def test_a_crop_that_misses_the_photo_is_an_error(corner):
    with pytest.raises(ValueError, match="outside"):
        cut(pixels("scikit-image-0.26.0__camera.png"), CropBox(*corner, 50), 32)


@pytest.mark.parametrize("yaw", [0, 60, 120, 180, -90])
def test_neck_lands_where_the_template_projects(yaw):
    c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    torso = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T @ np.diag([1.0, -1, -1])
    fit = TorsoFit(torso, torso, np.array([700.0, 500.0]), 900.0, 0.0, {})
    camera = camera_from_torso(torso)
    box = crop_box(fit, camera)
    to_crop = invert_affine(box.to_source(512))
    neck = apply_affine(to_crop, fit.neck_px)
    np.testing.assert_allclose(neck, project(np.zeros(3), camera, 512), atol=1e-6)
    np.testing.assert_allclose(neck, [256.0, 336.1], atol=0.1)
    assert box.side == pytest.approx(900 * VISIBLE_HEIGHT)
    # weak perspective of the photo against the camera at 2.7 m: the head's top may differ by a few pixels
    top = apply_affine(to_crop, fit.neck_px + 900 * (torso @ template.points(("head_top",))[0])[:2])
    np.testing.assert_allclose(top, project(template.points(("head_top",))[0], camera, 512), atol=12)
