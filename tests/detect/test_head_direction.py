"""DEIMv2-Wholebody's head directions: from the rows of its output to the record, and what they weigh."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from bundled_photos import pixels
from onnx import TensorProto, helper, numpy_helper

from phq.building.build import build
from phq.building.executors.choice import Engine, Execution
from phq.dataset.reader import Dataset
from phq.detect.backends.deimv2 import DeimV2
from phq.detect.backends.trial import MIRRORED
from phq.detect.backends.trials import brought_back
from phq.detect.candidates import Candidates, united
from phq.detect.fuse import Detection, fuse
from phq.people.record import PersonBox
from phq.pose.orient.angles import rotation_of
from phq.pose.orient.fuse import fuse as fuse_orientation
from phq.pose.orient.head_direction import LEAST_SCORE, RATIO, direction_likelihood
from phq.schema import HEAD_DIRECTIONS

Rows = list[tuple[float, ...]]
"""Class, x0, y0, x1, y1 in fractions of the picture, score."""
BODY, HEAD, FRONT, BACK = 0, 7, 8, 12
PERSON: Rows = [(BODY, 0.2, 0.1, 0.8, 1.0, 0.9), (HEAD, 0.4, 0.12, 0.6, 0.35, 0.9)]


def network(path: Path, rows: Rows) -> Path:
    """A file of the family's layout that gives these rows for every picture."""
    stated = numpy_helper.from_array(np.array([rows], np.float32), "rows")
    nothing = numpy_helper.from_array(np.float32(0), "nothing")
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "nothing"], ["none"]),
        helper.make_node("Add", ["rows", "none"], ["label_xyxy_score"]),
    ]
    entry = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 64])
    out = helper.make_tensor_value_info("label_xyxy_score", TensorProto.FLOAT, [1, len(rows), 6])
    graph = helper.make_graph(nodes, "directions", [entry], [out], [stated, nothing])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def seen(tmp_path: Path, rows: Rows) -> Candidates:
    detector = DeimV2(str(network(tmp_path / "directions.onnx", rows)))
    (found,) = detector.detect([np.zeros((200, 100, 3), np.uint8)], 0.35, False)
    return found


@pytest.mark.parametrize("number", range(8))
def test_a_direction_belongs_to_the_body_that_its_head_is_of(number: int, tmp_path: Path) -> None:
    direction = (FRONT + number, 0.4, 0.12, 0.6, 0.35, 0.8)
    found = seen(tmp_path, [*PERSON, direction, (FRONT + (number + 4) % 8, 0.4, 0.12, 0.6, 0.35, 0.3)])
    np.testing.assert_allclose(found.facing, [[number, 0.8]], atol=1e-6)
    (person,) = fuse(found, united([]), (0.35, 0.5), 100, 200, ("deimv2", ""))
    part = person.part()
    assert (part.head_direction, part.detectors) == (HEAD_DIRECTIONS[number], "deimv2")
    assert part.head_direction_score == pytest.approx(0.8)
    mirrored = brought_back(found, MIRRORED, 100)
    assert HEAD_DIRECTIONS[int(mirrored.facing[0, 0])] == HEAD_DIRECTIONS[-number % 8]


def test_a_child_before_an_adult_keeps_its_own_direction(tmp_path: Path) -> None:
    rows: Rows = [
        (BODY, 0.1, 0.0, 0.9, 1.0, 0.9), (FRONT, 0.4, 0.02, 0.6, 0.2, 0.75),
        (BODY, 0.3, 0.5, 0.7, 1.0, 0.8), (BACK, 0.42, 0.51, 0.58, 0.68, 0.95),
    ]  # fmt: skip
    np.testing.assert_allclose(seen(tmp_path, rows).facing, [[0, 0.75], [4, 0.95]], atol=1e-6)


@pytest.mark.parametrize(
    "row",
    [(FRONT, 0.4, 0.7, 0.6, 0.9, 0.9), (FRONT, 0.75, 0.12, 0.95, 0.35, 0.9), (FRONT, 0.4, 0.12, 0.6, 0.35, 0.1)],
    ids=["a head at the feet", "a head beside the body", "a weak one"],
)
def test_a_head_of_nobody_says_nothing(row: tuple[float, ...], tmp_path: Path) -> None:
    found = seen(tmp_path, [*PERSON, row])
    assert not found.facing.any()
    (person,) = fuse(found, united([]), (0.35, 0.5), 100, 200)
    assert (person.part().head_direction, person.part().head_direction_score) == ("", 0.0)


def box_facing(direction: str, score: float) -> PersonBox:
    return replace(Detection(np.array([0.0, 0.0, 1.0, 1.0])).part(), head_direction=direction,
                   head_direction_score=score)  # fmt: skip


def test_the_likelihood_is_by_the_distance_from_the_front_and_gated_by_the_score() -> None:
    sure = {name: direction_likelihood(box_facing(name, LEAST_SCORE)) for name in HEAD_DIRECTIONS}
    front_to_back = {name: likelihood[:, 0] / likelihood[:, 12] for name, likelihood in sure.items()}
    torso, head = front_to_back["front"]
    assert head == pytest.approx(RATIO)
    assert 1 < torso < head  # a torso may be turned under its head
    np.testing.assert_allclose(front_to_back["back"], 1 / front_to_back["front"])
    np.testing.assert_allclose(sure["left-side"], 1, atol=1e-12)
    for half in ("front", "side", "back"):
        np.testing.assert_allclose(sure[f"left-{half}"], sure[f"right-{half}"], atol=1e-12)
    assert (direction_likelihood(box_facing("front", LEAST_SCORE - 0.01)) == 1).all()
    assert (direction_likelihood(box_facing("", 0.0)) == 1).all()


def test_a_doubtful_person_is_turned_and_a_sure_one_is_not() -> None:
    """A network that is torn between front and back or sure of the front, and landmarks that see a side."""

    def head_of(lead: float, direction: str) -> np.ndarray:
        raw = np.zeros((2, 3, 2, 28))
        raw[..., 0], raw[..., 12] = 8.0 + lead, 8.0
        evidence = np.zeros(143)
        evidence[:72] = np.tile(rotation_of(np.array([90.0, 0.0, 0.0])), (8, 1, 1)).ravel()
        return fuse_orientation(raw.reshape(2, 3, 56), evidence, direction_likelihood(box_facing(direction, 0.9)))[1]

    assert abs(head_of(0.0, "front")[0]) < 90 < abs(head_of(0.0, "back")[0])
    assert head_of(0.0, "front")[6] == pytest.approx(head_of(0.0, "back")[6])
    assert head_of(0.5, "right-front")[6] < head_of(0.5, "right-side")[6] < head_of(0.5, "right-back")[6]
    assert abs(head_of(6.0, "back")[0]) < 90


def test_the_direction_is_stored_with_its_score_and_weighs_against_a_flip(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    picture = pixels("scikit-image-0.26.0__astronaut.png")
    cv2.imwrite(str(tmp_path / "photos" / "a.png"), picture[..., ::-1])
    doubts = {}
    for kind in (FRONT, BACK):
        rows: Rows = [(BODY, 0.1, 0.02, 0.9, 1.0, 0.9), (kind, 0.35, 0.05, 0.6, 0.5, 0.85)]
        sets = [f"models.detector=deimv2:{network(tmp_path / f'{kind}.onnx', rows)}", "models.skeleton=none"]
        inline, out = Execution(engine=Engine.inline, workers=1), tmp_path / str(kind)
        build(tmp_path / "photos", out, preset="everything", size=128, sets=sets, execution=inline)
        (item,) = Dataset(out)
        assert (item.row["head_direction"], item.row["detectors"]) == (HEAD_DIRECTIONS[kind - FRONT], "deimv2")
        assert item.row["head_direction_score"] == pytest.approx(0.85, abs=1e-5)
        assert abs(item.row["head_yaw_deg"]) < 45  # a sure front stays one
        doubts[kind] = item.row["orientation_p_flip"]
    assert doubts[BACK] > doubts[FRONT]
