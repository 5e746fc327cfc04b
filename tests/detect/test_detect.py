"""People are found from every side; two detectors' boxes become one box a person."""

from __future__ import annotations

import numpy as np
import pytest
from bundled_photos import BACK, PEOPLE, pixels
from hypothesis import given
from hypothesis import strategies as st

from phq.config.build import Detect, Models
from phq.detect import movenet, nanodet, tiles
from phq.detect.boxes import covered, holds_middle, iou, nms, paired_iou
from phq.detect.candidates import Candidates, united
from phq.detect.fuse import fuse
from phq.stages.detect_people import DetectPeople

EMPTY = Candidates.of(np.zeros((0, 4)), np.zeros(0))
THRESHOLDS = 0.4, 0.25
corner = st.floats(0, 100)
box = st.tuples(corner, corner, corner, corner).map(
    lambda b: np.array([min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]) + 1, max(b[1], b[3]) + 1])
)


@pytest.fixture(scope="module")
def detector() -> DetectPeople:
    stage = DetectPeople(Detect(), Models())
    stage.setup()
    return stage


def slow_iou(a: np.ndarray, b: np.ndarray) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    total = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / total


@given(st.lists(box, min_size=1, max_size=5), st.lists(box, min_size=1, max_size=5))
def test_iou_equals_its_slow_twin(first, second):
    got = iou(np.array(first), np.array(second))
    np.testing.assert_allclose(got, [[slow_iou(a, b) for b in second] for a in first], atol=1e-9)
    np.testing.assert_array_equal(paired_iou(np.array(first), np.array(second)[:1]), got[:, 0])


@given(st.lists(st.tuples(box, st.floats(0.1, 1)), min_size=1, max_size=8))
def test_nms_keeps_the_best_and_no_two_alike(candidates):
    boxes, scores = np.array([b for b, _ in candidates]), np.array([s for _, s in candidates])
    kept = nms(boxes, scores, 0.5)
    assert scores[kept[0]] == scores.max()
    overlap = iou(boxes[kept], boxes[kept]) - np.eye(len(kept))
    assert (overlap <= 0.5).all()


def test_covered_is_the_share_of_the_first_box():
    assert covered(np.array([[0, 0, 2, 2.0]]), np.array([[1, 0, 9, 9.0]]))[0, 0] == pytest.approx(0.5)


def test_nanodet_decodes_a_planted_box():
    scores, sides = np.zeros((26 * 26, 1)), np.zeros((26 * 26, 44))
    cell = 5 * 26 + 7  # row 5, column 7 at stride 16: centre (120, 88)
    scores[cell, 0] = 0.9
    for side, bin_ in enumerate((2, 3, 4, 5)):
        sides[cell, side * 11 + bin_] = 50.0
    boxes, found = nanodet.decode_level(scores, sides, 16, 0.4)
    np.testing.assert_allclose(boxes, [[120 - 32, 88 - 48, 120 + 64, 88 + 80]])
    assert found.tolist() == [0.9]


def test_movenet_decodes_to_photo_pixels():
    output = np.zeros((6, 56))
    output[0, :3] = 0.5, 0.25, 0.9  # y, x, score of the nose
    output[0, 51:] = 0.1, 0.2, 0.3, 0.4, 0.8
    boxes, scores, keypoints = movenet.decode(output, (192, 384), 0.5)
    np.testing.assert_allclose(keypoints[0, 0], [0.25 * 768, 0.5 * 384, 0.9])
    np.testing.assert_allclose(boxes[0], [0.2 * 768, 0.1 * 384, 0.4 * 768, 0.3 * 384])
    assert scores[0] == 0.8


@pytest.mark.parametrize("shape", [(100, 300), (1000, 700), (4000, 1200)])
def test_movenet_input_keeps_the_aspect_and_is_padded_to_32(shape):
    canvas, scale = movenet.to_input(np.full((*shape, 3), 255, np.uint8), 384)
    assert canvas.shape[2] % 32 == canvas.shape[3] % 32 == 0
    assert max(canvas.shape) == 384
    assert scale == pytest.approx(384 / max(shape))
    assert canvas[0, :, 0, 0] == pytest.approx([1.0] * 3, abs=1e-4)
    assert (canvas > 0.99).sum() == 3 * round(shape[0] * scale) * round(shape[1] * scale)  # black beyond the picture
    assert set(np.unique(canvas.round(3))) <= {-1, 1}


def test_a_photo_with_one_large_person_alone_is_seen_coarsely():
    large, part, beside = [10, 10, 90, 95], [30, 12, 60, 40], [70, 40, 130, 90]
    assert movenet.one_is_large(Candidates.of([large, part], [0.9, 0.3]), 100)
    assert not movenet.one_is_large(Candidates.of([large, beside], [0.9, 0.3]), 100)
    assert not movenet.one_is_large(Candidates.of([part], [0.9]), 100)
    assert not movenet.one_is_large(Candidates.of([], []), 100)


@pytest.mark.parametrize(
    ("size", "tiles", "sides"),
    [((90, 90), True, [256]), ((400, 1200), True, [256, 384]), ((400, 1200), False, [384])],
)
def test_tiles_and_photos_without_them_are_seen_finely(size, tiles, sides, monkeypatch):
    seen = []
    network = object.__new__(movenet.MoveNet)
    monkeypatch.setattr(network, "look", lambda _, side: (seen.append(side), united([]))[1], raising=False)
    box = [0, 0, 80, 85] if size == (90, 90) else [100, 10, 150, 120]
    network.find(np.zeros((*size, 3), np.uint8), Candidates.of([box], [0.9]), (0.4, 0.25), tiles)
    assert sorted(set(seen)) == sides


def test_tiles_cover_a_large_photo_and_overlap():
    rects = tiles.tile_rects(1500, 1200)
    seen = np.zeros((1200, 1500), int)
    for x0, y0, x1, y1 in rects:
        seen[y0:y1, x0:x1] += 1
    assert seen.min() >= 1
    assert seen[600, 750] == 4
    assert tiles.tile_rects(1100, 480) == []
    assert tiles.tile_rects(1920, 1080) == [(0, 0, 1152, 1080), (768, 0, 1920, 1080)]


@pytest.mark.parametrize(("width", "height"), [(9000, 1200), (1200, 9000), (2401, 1200)])
def test_tiles_of_a_panorama_are_never_much_longer_than_wide(width, height):
    rects = tiles.tile_rects(width, height)
    seen = np.zeros((height, width), int)
    for x0, y0, x1, y1 in rects:
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
        assert max(x1 - x0, y1 - y0) <= 2 * min(x1 - x0, y1 - y0)
        seen[y0:y1, x0:x1] += 1
    assert seen.min() >= 2  # whole across the strip, and in halves
    assert any(y1 - y0 == height and x1 - x0 < width for x0, y0, x1, y1 in rects) == (width > height)


def person(x0: float, score: float, keypoints: np.ndarray | None = None) -> Candidates:
    return Candidates.of([[x0, 10, x0 + 50, 150]], [score], keypoints)


def test_one_person_seen_by_both_is_one_detection():
    keypoints = np.zeros((1, 17, 3))
    keypoints[0, 0] = 40, 2, 0.9  # a sure nose above NanoDet's box
    (found,) = fuse(person(10, 0.7), person(12, 0.5, keypoints), THRESHOLDS, 200, 200)
    assert (found.detector_score, found.skeleton_score) == (0.7, 0.5)
    assert found.detectors == "movenet+nanodet"
    np.testing.assert_allclose(found.box, [10, 2, 60, 150])


def test_what_only_one_detector_sees_is_kept():
    found = fuse(person(10, 0.7), person(120, 0.3), THRESHOLDS, 200, 200)
    assert [f.detectors for f in found] == ["nanodet", "movenet"]


def test_two_half_beliefs_make_a_person_and_one_does_not():
    sure = Candidates.of([[120, 10, 170, 150]], [0.9])
    weak = Candidates.of([[120, 10, 170, 150], [10, 10, 60, 150]], [0.9, 0.22])
    assert len(fuse(weak, EMPTY, THRESHOLDS, 200, 200)) == len(fuse(sure, EMPTY, THRESHOLDS, 200, 200)) == 1
    assert len(fuse(weak, person(12, 0.15), THRESHOLDS, 200, 200)) == 2


def test_where_nobody_is_sure_the_best_guess_is_taken():
    both = Candidates.of([[10, 10, 60, 150], [120, 10, 170, 150]], [0.3, 0.35])
    assert [f.detector_score for f in fuse(both, EMPTY, THRESHOLDS, 200, 200)] == [0.35]
    assert fuse(Candidates.of([[10, 10, 60, 150]], [0.2]), EMPTY, THRESHOLDS, 200, 200) == []


def test_a_prominent_box_in_the_middle_is_not_lost_to_a_surer_person_at_the_edge():
    at_the_edge, behind, small = [0, 40, 20, 100], [30, 20, 80, 100], [45, 45, 60, 60]
    one = fuse(Candidates.of([at_the_edge, behind], [0.9, 0.25]), EMPTY, THRESHOLDS, 100, 100)
    assert [person.box.tolist() for person in one] == [at_the_edge, behind]
    for box, score in ((behind, 0.24), (small, 0.39), ([0, 20, 45, 100], 0.39)):  # too weak, too small, off the middle
        assert len(fuse(Candidates.of([at_the_edge, box], [0.9, score]), EMPTY, THRESHOLDS, 100, 100)) == 1
    central = [20, 10, 85, 100]
    assert len(fuse(Candidates.of([central, [35, 0, 90, 30]], [0.9, 0.39]), EMPTY, THRESHOLDS, 100, 100)) == 1


def test_a_box_holds_the_middle_if_half_of_the_middle_is_in_it():
    boxes = np.array([[0, 0, 100, 200], [50, 0, 100, 200], [51, 0, 100, 200], [0, 0, 100, 60.0]])
    assert holds_middle(boxes, 100, 200).tolist() == [True, True, False, False]


def test_a_wide_look_lends_its_score_to_the_box_of_a_closer_one():
    close = Candidates.of([[0, 0, 50, 100], [100, 0, 150, 100]], [0.3, 0.2])
    wide = Candidates.of([[5, 5, 40, 80], [105, 5, 140, 80]], [0.5, 0.5])
    both = nanodet.confirmed(close, wide, 0.25)
    assert both.boxes.tolist() == [[0, 0, 50, 100], [100, 0, 150, 100], [105, 5, 140, 80]]  # the second was too weak
    assert both.scores.tolist() == [0.5, 0.2, 0.5]


@pytest.mark.parametrize("sure_at_the_edge", [True, False])
def test_wide_looks_are_taken_only_where_the_middle_is_unexplained(monkeypatch, sure_at_the_edge):
    network = nanodet.NanoDet()
    edge, middle, small = [0, 0, 30, 90], [20, 10, 90, 100], [0, 80, 10, 95]
    looks = []

    def look(_, margin=0.0):
        looks.append(margin)
        if not margin:
            return Candidates.of([edge if sure_at_the_edge else middle], [0.8])
        return Candidates.of([middle, small], [0.5, 0.5])

    monkeypatch.setattr(network, "_look", look)
    (found,) = network.detect([np.zeros((100, 100, 3), np.uint8)], 0.4, False)
    if sure_at_the_edge:
        assert looks == [0, 0.75, 1.5]
        assert sorted(found.boxes.tolist()) == [edge, middle]  # what is beside the middle came from no closer look
    else:
        assert (looks, found.boxes.tolist()) == ([0], [middle])


def test_a_box_without_a_skeleton_of_its_own_is_worth_another_look():
    places = [[0, 0, 100, 300], [400, 0, 440, 120], [20, 50, 60, 150], [30, 60, 70, 160]]
    boxes = Candidates.of(places, [0.8, 0.2, 0.3, 0.7])
    skeletons = Candidates.of([[5, 0, 105, 300]], [0.6])
    # the first is the skeleton's; the third lies in it and is nobody by itself; the last lies in it and may be a child
    assert np.array_equal(movenet.unexplained(boxes, skeletons, 0.4), boxes.boxes[[1, 3]])
    assert len(movenet.unexplained(boxes, EMPTY, 0.4)) == 4


def test_only_tiles_worth_it_are_looked_at():
    photo = np.zeros((1200, 1600, 3), np.uint8)
    looked: list[tuple[int, ...]] = []

    def look(part: np.ndarray) -> Candidates:
        looked.append(part.shape)
        return Candidates.of([[10, 10, 20, 20]], [0.5])

    inside, cut = tiles.look_at_tiles(photo, look, lambda tile: tile[0] > 0 and tile[1] == 0)
    assert len(looked) == 1
    assert len(inside) == 0
    left = tiles.tile_rects(1600, 1200)[1][0]
    assert cut.boxes.tolist() == [[left + 10, 10, left + 20, 20]]


@pytest.mark.parametrize("score", [0.5, 0.3])
def test_a_tile_that_a_believed_person_fills_is_left_out(score):
    looked = []

    def look(part: np.ndarray) -> Candidates:
        looked.append(part.shape)
        return EMPTY

    whole = Candidates.of([[0, 0, 1100, 1080]], [score])
    tiles.look_closer(np.zeros((1080, 1920, 3), np.uint8), whole, look, 0.4, 0.5)
    assert len(looked) == (1 if score >= 0.4 else 2)


@pytest.mark.parametrize(("height", "looks"), [(300, 2), (900, 1)])
def test_a_tile_is_not_looked_at_for_somebody_large(height, looks):
    looked = []

    def look(part: np.ndarray) -> Candidates:
        looked.append(part.shape)
        return EMPTY

    boxes = Candidates.of([[10, 10, 200, 10 + height]], [0.9])
    movenet.look_where_unexplained(np.zeros((1080, 1920, 3), np.uint8), look, boxes, THRESHOLDS, 0.5)
    assert len(looked) == looks


def test_a_margin_is_grey_and_boxes_come_back_without_it():
    shown, first, side = nanodet.to_input(np.full((300, 900, 3), 255, np.uint8), 0.75)
    assert (first, side) == (125, 166)
    inside = shown[0, 0, first : first + side, first : first + side]
    assert inside.min() == shown.max(axis=(0, 2, 3))[0]
    assert len(np.unique(shown[0, 0])) == 2  # the rest is one grey

    photo = pixels("scikit-image-0.26.0__astronaut.png")
    plain, framed = nanodet.NanoDet()._look(photo), nanodet.NanoDet()._look(photo, 0.25)
    assert iou(plain.boxes[:1], framed.boxes[:1])[0, 0] > 0.8


def test_half_a_person_in_a_tile_speaks_for_the_whole_person():
    whole = Candidates.of([[0, 0, 100, 200]], [0.3])
    half = Candidates.of([[0, 100, 100, 200]], [0.8])
    together = whole.with_parts(half, 0.4)
    assert (len(together), together.scores[0]) == (1, 0.8)
    alone = Candidates.of([[300, 0, 400, 200]], [0.3]).with_parts(half, 0.4)
    assert sorted(alone.scores) == [0.3, 0.8]


def test_a_box_that_ends_inside_the_photo_at_its_tile_is_cut():
    boxes = np.array([[10, 10, 500, 300.0], [10, 10, 400, 300.0], [-3, 5, 300, 300.0]])
    assert tiles.cut_by_tile(boxes, (0, 0, 505, 600), 1000, 600).tolist() == [True, False, False]


def test_a_box_that_frames_surer_people_is_a_group():
    two = [[10, 20, 60, 150], [120, 10, 170, 150]]
    group, scores = [[8, 8, 172, 150]], [0.7, 0.6]
    found = fuse(Candidates.of(two + group, [*scores, 0.5]), EMPTY, THRESHOLDS, 200, 200)
    assert [f.detector_score for f in found] == scores
    one_is_less_sure = Candidates.of([two[0], *group], [0.7, 0.65])
    assert len(fuse(one_is_less_sure, EMPTY, THRESHOLDS, 200, 200)) == 2


def test_a_large_person_before_two_small_ones_is_no_group():
    near, far = [[10, 10, 150, 190]], [[20, 60, 50, 120], [60, 60, 90, 120]]
    assert len(fuse(Candidates.of(near + far, [0.5, 0.7, 0.6]), EMPTY, THRESHOLDS, 200, 200)) == 3


def test_a_part_inside_a_surer_person_is_dropped():
    both = Candidates.of([[10, 10, 100, 190.0], [20, 20, 60, 80.0]], [0.8, 0.5])
    assert len(fuse(both, EMPTY, THRESHOLDS, 200, 200)) == 1


def test_people_are_numbered_left_to_right_and_boxes_end_at_the_photo():
    both = Candidates.of([[120, -5, 260, 150.0], [5, 10, 60, 150.0]], [0.9, 0.5])
    found = fuse(both, EMPTY, THRESHOLDS, 200, 200)
    assert [f.box[0] for f in found] == [5, 120]
    assert found[1].box.tolist() == [120, 0, 200, 150]


@pytest.mark.parametrize("name", [n for n, view in PEOPLE.items() if view == BACK])
def test_a_person_seen_from_behind_is_found(detector, name):
    assert detector.detect([pixels(name)])[0]


def test_several_people_in_one_photo(detector):
    # the man on the treadmill and the woman behind him
    assert len(detector.detect([pixels("pose2sim-0.10.49__Single_cam1_f000.jpg")])[0]) == 2


@pytest.mark.parametrize("picture", ["grey", "gradient"])
def test_nobody_in_a_picture_of_nothing(detector, picture):
    ramp = np.linspace(0, 255, 400, dtype=np.uint8)
    made = {
        "grey": np.full((300, 400, 3), 128, np.uint8),
        "gradient": np.repeat(np.tile(ramp, (300, 1))[..., None], 3, 2),
    }
    assert detector.detect([made[picture]]) == [[]]
