"""One person's annotation from an array in memory."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from bundled_photos import pixels

from phq import Annotator
from phq.camera.angles import wrap_deg
from phq.config.build import load_config
from phq.errors import RejectError
from phq.quality.pixelation import PIXELATED


@pytest.fixture(scope="module")
def annotator() -> Annotator:
    return Annotator(load_config("everything", size=128))


def test_an_array_gives_record_image_and_mask(annotator):
    (person,) = annotator.annotate(pixels("scikit-image-0.26.0__astronaut.png"), name="astronaut")
    assert person.image.shape == (128, 128, 3)
    assert person.mask.shape == (128, 128)
    assert person.sample.source_path == "astronaut"
    assert abs(person.sample.camera_yaw_deg) < 25


def test_a_given_box_needs_no_detection(annotator):
    image = pixels("scikit-image-0.26.0__astronaut.png")
    (person,) = annotator.annotate(image, box=(9, 12, 367, 512))
    assert person.sample.detectors == "given"
    assert (person.sample.box_x0, person.sample.box_y1) == (9, 512)


@pytest.mark.parametrize("name", ["scikit-image-0.26.0__camera.png", "sports2d-0.8.34__demo_f130.jpg"])
def test_the_mirror_image_has_the_mirrored_yaw(annotator, name):
    image = pixels(name)
    plain = annotator.annotate(image)
    mirrored = annotator.annotate(np.ascontiguousarray(image[:, ::-1]))[::-1]
    yaws = [a.sample.head_yaw_deg for a in plain]
    assert any(abs(wrap_deg(yaws[0] + b.sample.head_yaw_deg)) < 25 for b in mirrored)


def test_nobody_is_an_error_with_the_reason(annotator):
    with pytest.raises(RejectError) as caught:
        annotator.annotate(np.full((200, 200, 3), 128, np.uint8))
    assert caught.value.reason == "no_person"


@pytest.mark.parametrize(
    "box", [(10, 10, 10, 50), (50, 50, 10, 10), (300, 0, 400, 90), (0, 0, float("nan"), 9), (0, 0, 9)]
)
def test_a_box_with_nothing_in_it_is_an_error(annotator, box):
    with pytest.raises(ValueError, match="expected a box"):
        annotator.annotate(np.zeros((200, 200, 3), np.uint8), box=box)


def test_a_person_at_the_end_of_a_panorama_is_found(annotator):
    """OpenCV's warps refuse pictures from 32,767 pixels a side, and squeezed to a square nobody is seen."""
    person = pixels("scikit-image-0.26.0__astronaut.png")
    height, width = person.shape[:2]
    alone = annotator.annotate(np.pad(person, ((80, 80), (80, 80), (0, 0)), constant_values=120))
    panorama = np.full((height + 160, 33_000, 3), 120, np.uint8)
    panorama[80 : 80 + height, -80 - width : -80] = person
    (there,) = annotator.annotate(panorama)
    assert abs(wrap_deg(there.sample.camera_yaw_deg - alone[0].sample.camera_yaw_deg)) < 10
    assert there.sample.box_x0 > 33_000 - 80 - width


@pytest.mark.parametrize("wrong", [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3)), np.zeros((5, 5, 4), np.uint8)])
def test_a_wrong_array_is_an_error(annotator, wrong):
    with pytest.raises(ValueError, match="uint8 RGB"):
        annotator.annotate(wrong)


def test_a_pixelated_face_is_recorded_and_says_front(annotator):
    """A network that looks for faces finds none there, and without one a front is doubted."""
    hidden = pixels("scikit-image-0.26.0__astronaut.png").copy()
    face = hidden[50:175, 165:280]
    cells = cv2.resize(face, (7, 8), interpolation=cv2.INTER_AREA)
    face[:] = cv2.resize(cells, face.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    sample = annotator.annotate(hidden)[0].sample
    assert sample.face_pixelation > PIXELATED
    assert not sample.face_found
    assert abs(sample.camera_yaw_deg) < 45
    assert sample.p_flip < 0.05


def test_where_a_face_is_found_nothing_is_pixelated(annotator):
    sample = annotator.annotate(pixels("scikit-image-0.26.0__astronaut.png"))[0].sample
    assert sample.face_found
    assert sample.face_pixelation == 0
