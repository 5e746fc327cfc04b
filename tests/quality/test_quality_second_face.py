"""A second face inside one person's mask."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from head_crops import native, resized

from phq.detect.centerface import CenterFace, peaks
from phq.people.person import Faces
from phq.quality.second_face import faces_of, second_best, second_face

SIZE = 384
WHOLE = np.full((SIZE, SIZE), 255, np.uint8)


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return resized(native("face_recognition-1.3.0__obama.jpg"), SIZE)


@pytest.fixture(scope="module")
def other() -> np.ndarray:
    return resized(native("scikit-image-0.26.0__astronaut.png"), SIZE)


def beside(portrait: np.ndarray, other: np.ndarray, opacity: float) -> np.ndarray:
    """The other's head, so far visible, at the left border of the portrait."""
    head = cv2.resize(other[40:260, 90:290], (150, 165), interpolation=cv2.INTER_AREA)
    oval = np.zeros(head.shape[:2], np.float32)
    cv2.ellipse(oval, (75, 82), (68, 80), 0, 0, 360, opacity, -1)
    crop = portrait.astype(np.float32)
    crop[60:225, :150] += oval[..., None] * (head - crop[60:225, :150])
    return crop.round().astype(np.uint8)


def test_the_score_rises_as_somebody_else_comes_out(portrait: np.ndarray, other: np.ndarray) -> None:
    network = CenterFace()
    pictures = [beside(portrait, other, opacity) for opacity in (0, 0.4, 0.6, 0.8, 1)]
    scores = [second_face(faces_of(network, picture), WHOLE) for picture in pictures]
    assert scores == sorted(scores)
    assert scores[0] < 0.2 and scores[-1] > 0.5, scores
    mask = WHOLE.copy()
    mask[:, :150] = 0  # a mask that leaves somebody out knows of two people
    assert second_face(faces_of(network, pictures[-1]), mask) < 0.2


def test_no_face_and_one_face_say_nothing(portrait: np.ndarray) -> None:
    network = CenterFace()
    assert second_face(faces_of(network, np.full((SIZE, SIZE, 3), 90, np.uint8)), WHOLE) == 0
    assert second_face(faces_of(network, portrait), np.zeros_like(WHOLE)) == 0
    assert second_face(faces_of(network, resized(portrait, 200)), WHOLE[:200, :200]) < 0.2


def test_a_face_beyond_the_crop_does_not_count() -> None:
    faces = Faces(np.array([[9.0, 9, 29, 29], [-40, 5, -20, 25], [30, 30, 50, np.inf]]), np.array([0.9, 0.8, 0.7]))
    assert second_face(faces, np.full((40, 40), 255, np.uint8)) == 0
    assert second_face(faces.moved(np.array([[1.0, 0, 41], [0, 1, 0]])), np.full((80, 80), 255, np.uint8)) == 0.8


def test_boxes_of_one_face_are_one_face() -> None:
    first, shifted, beside = [0.1, 0.1, 0.4, 0.5], [0.12, 0.1, 0.42, 0.5], [0.35, 0.1, 0.65, 0.5]
    assert second_best(np.array([first, shifted, beside]), np.array([0.9, 0.8, 0.4])) == 0.4
    assert second_best(np.array([first, shifted]), np.array([0.9, 0.8])) == 0
    assert second_best(np.empty((0, 4)), np.empty(0)) == 0


def test_peaks_are_where_the_maps_say() -> None:
    heat = np.zeros((80, 80), np.float32)
    heat[20, 30], heat[60, 50] = 0.5, 0.9
    size, offset = np.zeros((2, 80, 80), np.float32), np.zeros((2, 80, 80), np.float32)
    size[:, 60, 50] = np.log([20, 10])
    offset[:, 60, 50] = 0.25, -0.5
    found = peaks(heat, size, offset)
    boxes, scores = found.boxes, found.scores
    assert scores.tolist() == pytest.approx([0.9, 0.5])
    assert boxes[0] * 80 == pytest.approx([50 - 5, 60.75 - 10, 50 + 5, 60.75 + 10])
    assert boxes[1] * 80 == pytest.approx([30, 20, 31, 21])
