"""What one person's networks see where others stand near."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from phq.config.build import load_config
from phq.detect.fuse import Detection
from phq.detect.neighbours import neighbours_of, own_pixels, views, without
from phq.people.person import Person, Photo
from phq.people.record import Source
from phq.stages.annotator import Annotator
from phq.system.arrays import Image

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"
LEFT, RIGHT = np.array([10.0, 20, 110, 190]), np.array([90.0, 10, 190, 200])


def noise(height: int = 200, width: int = 200) -> Image:
    return np.random.default_rng(3).integers(0, 255, (height, width, 3), dtype=np.uint8)


def photo_with(boxes: list[np.ndarray], width: int = 200) -> Photo:
    pixels = noise(200, width)
    photo = Photo(Path("x"), "x", pixels, Source("x", width, 200, False, 240.0))
    photo.people = [Person(photo, i, Detection(box).part()) for i, box in enumerate(boxes)]
    return photo


def test_own_half_of_the_overlap_stays_and_the_neighbour_becomes_blotches() -> None:
    pixels = noise()
    seen = without(pixels, LEFT, RIGHT[None])
    kept = (seen == pixels).all(2)
    assert kept[20:190, :100].all()  # the boxes are equally wide: the middle between them is x = 100
    assert kept[:10].all() and kept[:, 190:].all()
    assert not kept[30:180, 100:190].mean() > 0.01
    assert (
        np.abs(np.diff(seen[30:180, 100:190].astype(int), axis=1)).mean() < 8 < np.abs(np.diff(pixels, axis=1)).mean()
    )


def test_a_narrow_box_inside_a_wide_one_takes_nothing_of_its_middle() -> None:
    wide, narrow = np.array([0.0, 0, 200, 200]), np.array([80.0, 20, 120, 60])
    seen = without(noise(), wide, narrow[None])
    assert (seen == noise()).mean() > 0.97


def test_a_photo_is_shared_where_nobody_is_near_and_never_written_to() -> None:
    alone, far = np.array([0.0, 0, 50, 100]), np.array([400.0, 0, 450, 100])
    photo = photo_with([alone, far], 500)
    assert [len(neighbours_of(person)) for person in photo.people] == [0, 0]
    assert own_pixels(photo.people[0]) is photo.pixels
    crowd = photo_with([LEFT, RIGHT])
    before = crowd.pixels.copy() if crowd.pixels is not None else None
    assert own_pixels(crowd.people[0]) is not crowd.pixels
    np.testing.assert_array_equal(crowd.pixels, before)


def test_people_come_once_each_those_with_neighbours_one_by_one() -> None:
    single, crowd = photo_with([LEFT]), photo_with([LEFT, RIGHT])
    batches = list(views([*crowd.people, *single.people]))
    assert [[person for person, _ in batch] for batch in batches] == [
        single.people,
        [crowd.people[0]],
        [crowd.people[1]],
    ]


@pytest.fixture(scope="module")
def pair() -> Image:
    """A back view at the left, a front beside it."""
    back = cv2.imread(str(PHOTOS / "pose2sim-0.10.49__Single_cam4_f030.jpg"))[420:950, 170:920]
    front = cv2.imread(str(PHOTOS / "face_recognition-1.3.0__obama.jpg"))[:800]
    back = cv2.resize(back, (int(back.shape[1] * 640 / 530), 640))
    front = cv2.resize(front, (637, 560))[:, 60:600]
    canvas = np.full((640, back.shape[1] + int(0.65 * 540), 3), 90, np.uint8)
    canvas[:, : back.shape[1]] = back
    canvas[80:, -540:] = front
    return np.ascontiguousarray(canvas[..., ::-1])


def test_landmarks_face_and_mask_of_a_back_are_not_those_of_the_face_beside_it(pair: Image) -> None:
    """Without this both labels were the front's: it has the only face."""
    people = Annotator(load_config("everything")).annotate(pair)
    assert len(people) == 2
    assert [person.sample.face_found for person in people] == [False, True]
    for person in people:
        sample = person.sample
        nose = np.array(sample.keypoints_2d).reshape(33, 2)[0]
        assert sample.box_x0 < nose[0] < sample.box_x1
        y, x = np.nonzero(person.mask)
        affine = np.array(sample.crop_to_source).reshape(2, 3)
        in_photo = np.stack([x, y], 1) @ affine[:, :2].T + affine[:, 2]
        assert ((in_photo[:, 0] > sample.box_x0) & (in_photo[:, 0] < sample.box_x1)).mean() > 0.95
