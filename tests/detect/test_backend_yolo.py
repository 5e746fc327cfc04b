"""Networks of ultralytics as detector, skeleton network and mask network: what is made of their results."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from phq.detect.backends.yolo import package
from phq.detect.backends.yolo.decode import best_mask, candidates
from phq.detect.backends.yolo.detector import YoloDetector, YoloSkeleton
from phq.detect.backends.yolo.mask import YoloMask
from phq.detect.backends.yolo.network import Network, batches, person_class
from phq.detect.candidates import Candidates
from phq.errors import WeightError


def result(boxes: Any, scores: Any, keypoints: Any = None, masks: Any = None) -> SimpleNamespace:
    """As ultralytics gives it."""
    found = SimpleNamespace(xyxy=np.array(boxes, np.float32).reshape(-1, 4), conf=np.array(scores, np.float32))
    points = SimpleNamespace(data=np.array(keypoints, np.float32)) if keypoints is not None else None
    shown = SimpleNamespace(data=masks) if masks is not None else None
    return SimpleNamespace(boxes=found, keypoints=points, masks=shown)


class WhitePeople:
    """Stands in for a network: a person is a white rectangle at least a tenth as wide as the picture."""

    def __init__(self, keypoints: bool = False) -> None:
        self.keypoints, self.shapes = keypoints, []

    def look(self, pictures: list[np.ndarray], score: float, **options: Any) -> list[SimpleNamespace]:
        self.shapes.append([picture.shape[:2] for picture in pictures])
        return [self.see(picture) for picture in pictures]

    def see(self, picture: np.ndarray) -> SimpleNamespace:
        rows, columns = np.nonzero(picture[..., 0] == 255)
        if not len(rows) or np.ptp(columns) < 0.1 * picture.shape[1]:
            return result([], [], np.zeros((0, 17, 3)) if self.keypoints else None)
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        points = np.full((1, 17, 3), [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, 0.9])
        return result([box], [0.8], points if self.keypoints else None)


def photo(width: int, height: int, box: tuple[int, int, int, int]) -> np.ndarray:
    picture = np.zeros((height, width, 3), np.uint8)
    picture[box[1] : box[3], box[0] : box[2]] = 255
    return picture


def standing_in(cls: type, network: Any) -> Any:
    made = object.__new__(cls)
    made.network = network
    return made


def test_boxes_keep_their_scores_and_come_best_first() -> None:
    seen = candidates(result([[0, 0, 10, 20], [30, 0, 50, 40]], [0.2, 0.9]))
    assert seen.boxes.tolist() == [[30, 0, 50, 40], [0, 0, 10, 20]]
    assert seen.scores == pytest.approx([0.9, 0.2])
    assert not seen.keypoints.any()
    assert len(candidates(result([], []))) == 0


def test_keypoints_stay_with_their_person() -> None:
    points = np.zeros((2, 17, 3))
    points[0], points[1] = [5, 6, 0.5], [40, 20, 0.7]
    points[1, 3] = 0, 0, 0.3  # moved to the corner by the package, as one it does not believe in
    seen = candidates(result([[0, 0, 10, 20], [30, 0, 50, 40]], [0.2, 0.9], points))
    assert seen.keypoints[0, 0] == pytest.approx([40, 20, 0.7])
    assert seen.keypoints[1, 0] == pytest.approx([5, 6, 0.5])
    assert seen.keypoints[0, 3, 2] == 0


@pytest.mark.parametrize("shape", [(1, 17, 2), (1, 21, 3)])
def test_other_keypoints_than_those_of_coco_are_left_out(shape: tuple[int, ...]) -> None:
    assert not candidates(result([[0, 0, 10, 20]], [0.9], np.ones(shape))).keypoints.any()


def test_the_mask_is_of_the_person_whom_the_hint_shows() -> None:
    left, right = np.zeros((2, 20, 20), np.float32)
    left[:, :9], right[:, 12:] = 1, 1
    hint = np.zeros((20, 20), np.float32)
    hint[2:, 11:] = 0.8
    mask = best_mask(result([[0, 0, 9, 20], [12, 0, 20, 20]], [0.9, 0.3], masks=np.stack([left, right])), hint)
    assert mask is not None
    assert mask.dtype == np.float32
    np.testing.assert_array_equal(mask, right)
    assert best_mask(result([[0, 0, 9, 20]], [0.9], masks=left[None]), hint) is None
    assert best_mask(result([], [], masks=None), hint) is None


def test_where_no_mask_agrees_the_hint_stands() -> None:
    nobody = SimpleNamespace(look=lambda pictures, score, **options: [result([], [])])
    hint = np.random.default_rng(0).random((32, 32), np.float32)
    crop = np.zeros((32, 32, 3), np.uint8)
    np.testing.assert_array_equal(standing_in(YoloMask, nobody).segment(crop, hint), hint)


def test_masks_of_another_size_are_no_masks_of_this_picture() -> None:
    with pytest.raises(ValueError, match="expected"):
        best_mask(result([[0, 0, 9, 20]], [0.9], masks=np.ones((1, 10, 10))), np.ones((20, 20), np.float32))


def test_a_person_too_small_in_the_photo_is_found_in_a_tile_where_he_is() -> None:
    small = (1300, 700, 1430, 1000)
    seen = standing_in(YoloDetector, WhitePeople()).detect([photo(1600, 1200, small)], 0.25, True)[0]
    assert seen.boxes.tolist() == [list(map(float, small))]
    assert len(standing_in(YoloDetector, WhitePeople()).detect([photo(1600, 1200, small)], 0.25, False)[0]) == 0


def test_a_person_cut_by_tiles_is_one_person() -> None:
    wide = (500, 200, 1100, 1000)
    seen = standing_in(YoloDetector, WhitePeople()).detect([photo(1600, 1200, wide)], 0.25, True)[0]
    assert seen.boxes.tolist() == [list(map(float, wide))]


def test_a_batch_gives_what_each_photo_gives_alone() -> None:
    photos = [
        photo(300, 400, (20, 30, 200, 390)),
        photo(1600, 1200, (1300, 700, 1430, 1000)),
        photo(300, 400, (0, 0, 0, 0)),
        photo(1200, 1600, (500, 200, 1100, 1000)),
    ]
    network = WhitePeople(keypoints=True)
    together = standing_in(YoloDetector, network).detect(photos, 0.25, True)
    assert [len(shapes) for shapes in network.shapes] == [4, 8]
    for pixels, seen in zip(photos, together, strict=True):
        alone = standing_in(YoloDetector, WhitePeople(keypoints=True)).detect([pixels], 0.25, True)[0]
        np.testing.assert_array_equal(seen.boxes, alone.boxes)
        np.testing.assert_array_equal(seen.keypoints, alone.keypoints)
    assert together[1].keypoints[0, 0] == pytest.approx([1365, 850, 0.9])


def test_the_skeleton_network_looks_at_the_tiles_that_hold_an_open_box() -> None:
    small = (1300, 700, 1430, 1000)
    pixels = photo(1600, 1200, small)
    network = WhitePeople(keypoints=True)
    skeleton = standing_in(YoloSkeleton, network)
    nobody = Candidates.of(np.zeros((0, 4)), np.zeros(0))
    assert len(skeleton.find(pixels, nobody, (0.25, 0.25), True)) == 0
    boxes = Candidates.of([small], [0.9])
    assert len(skeleton.find(pixels, boxes, (0.25, 0.25), False)) == 0
    seen = skeleton.find(pixels, boxes, (0.25, 0.25), True)
    assert seen.boxes.tolist() == [list(map(float, small))]
    assert seen.keypoints[0, 0] == pytest.approx([1365, 850, 0.9])
    assert len(network.shapes[-1]) == 1


def test_pictures_of_one_shape_run_together_up_to_a_limit() -> None:
    shapes = [(4, 6), (6, 4), (4, 6), (4, 6), (6, 4)]
    assert list(batches(shapes, 2)) == [[0, 2], [3], [1, 4]]
    assert list(batches(shapes, 1)) == [[0], [2], [3], [1], [4]]
    assert list(batches([], 2)) == []


@pytest.mark.parametrize(("device", "calls"), [("cpu", [1, 1, 1, 1]), ("cuda:0", [3, 1])])
def test_results_come_in_the_order_of_the_pictures(device: str, calls: list[int], monkeypatch: Any) -> None:
    made_of = []

    def predict(self: Network, bgr: list[np.ndarray], score: float, options: Any) -> list[Any]:
        made_of.append(len(bgr))
        return [SimpleNamespace(cpu=pixels[0, 0].tolist) for pixels in bgr]

    monkeypatch.setattr(Network, "_predict", predict)
    network = object.__new__(Network)
    network.device = device
    sizes = [(4, 6), (4, 6), (6, 4), (4, 6)]
    pictures = [np.full((*size, 3), [number, 10, 20], np.uint8) for number, size in enumerate(sizes)]
    assert network.look(pictures, 0.1) == [[20, 10, number] for number in range(4)], "blue first, as it was trained"
    assert made_of == calls


def test_a_network_that_knows_no_people_is_refused() -> None:
    assert person_class({0: "cat", 7: "Person"}, Path("a.pt")) == 7
    with pytest.raises(WeightError, match="no class 'person'; it knows cat, dog"):
        person_class({0: "cat", 1: "dog"}, Path("a.pt"))


def test_the_environment_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOLO_OFFLINE", "mine")
    monkeypatch.delenv(package.FOLDER, raising=False)
    before, opening = dict(os.environ), Image.open
    with package.quietly():
        folder = Path(os.environ[package.FOLDER])
        assert os.environ["YOLO_OFFLINE"] == "true"
        assert folder.is_dir()
        Image.open = None  # type: ignore[assignment]
    assert dict(os.environ) == before
    assert Image.open is opening
    assert not folder.exists()
