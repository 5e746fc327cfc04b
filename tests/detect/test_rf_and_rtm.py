"""RF-DETR, RTMDet, DEIMv2 and RTMPose: from pulled weights to people, on networks that find colours (tests/data)."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from bundled_photos import pixels
from tiny_networks import BLUE, DATA, DEIMV2, GREEN, RED, RTMDET, RTMW, scene, sha256

from phq.building.build import build
from phq.building.executors.choice import Engine, Execution
from phq.config.build import load_config
from phq.dataset.reader import Dataset
from phq.detect.backends import rfdetr
from phq.detect.backends.files import input_size
from phq.detect.backends.offers import open_backend, weights_of
from phq.detect.candidates import Candidates
from phq.errors import WeightError
from phq.stages.detect_people import DetectPeople
from phq.stages.pipeline import foreign, weights_used

DETECTORS = ("rfdetr", RTMDET, DEIMV2)
SKELETONS = ("rtmpose", RTMW)
BOX = (120, 40, 260, 420)


@pytest.mark.parametrize("word", DETECTORS)
def test_a_planted_person_is_found_where_he_is(pulled: None, word: str) -> None:
    detector = open_backend("detector", word)
    picture = scene(640, 480, (RED, BOX), (GREEN, (400, 100, 600, 300)))
    (found,) = detector.detect([picture], detector.threshold, False)
    assert len(found) == 1  # what is green is something else
    np.testing.assert_allclose(found.boxes[0], BOX, atol=2)
    assert found.scores[0] > 0.99
    (nobody,) = detector.detect([scene(640, 480, (BLUE, BOX))], detector.threshold, False)
    assert len(nobody) == 0


@pytest.mark.parametrize("word", DETECTORS)
def test_colours_reach_a_detector_as_it_was_trained(pulled: None, word: str) -> None:
    """The score of the networks here is a known function of the red they see."""
    detector = open_backend("detector", word)
    for red in (140, 150, 165):
        (found,) = detector.detect([scene(400, 400, ((red, 0, 0), (50, 50, 350, 350)))], 0.3, False)
        assert found.scores[0] == pytest.approx(1 / (1 + np.exp(-20 * (red / 255 - 0.5))), abs=1e-3)


@pytest.mark.parametrize("word", DETECTORS)
def test_somebody_small_in_a_large_photo_is_measured_in_its_tile(pulled: None, word: str) -> None:
    detector = open_backend("detector", word)
    box = (2040, 1500, 2052, 1530)
    (found,) = detector.detect([scene(2400, 1800, (RED, box))], detector.threshold, True)
    np.testing.assert_allclose(found.boxes[0], box, atol=3)
    assert len(found) == 1


@pytest.mark.parametrize("word", SKELETONS)
@pytest.mark.parametrize("box", [(100, 100, 300, 500), (50, 250, 550, 350), (-100, -50, 240, 300)])
def test_keypoints_come_back_to_the_photo(pulled: None, word: str, box: tuple[int, ...]) -> None:
    """Tall, wide and over the edge; whatever the number of keypoints, 17 are COCO's."""
    skeleton = open_backend("skeleton", word)
    places = {RED: (150, 270), GREEN: (200, 290), BLUE: (120, 260)}
    picture = scene(700, 600, *((c, (x - 4, y - 4, x + 5, y + 5)) for c, (x, y) in places.items()))
    found = skeleton.find(picture, Candidates.of([box], [0.9]), (0.4, 0.5), False)
    assert found.keypoints.shape == (1, 17, 3)
    np.testing.assert_array_equal(found.boxes[0], box)
    for k, place in zip((0, 1, 3), places.values(), strict=True):  # the first pixel of a spot answers
        np.testing.assert_allclose(found.keypoints[0, k, :2], place, atol=6)
    np.testing.assert_array_equal(found.keypoints[0, [2, 4, 5]], found.keypoints[0, [1, 3, 0]])
    assert found.scores[0] == pytest.approx(found.keypoints[0, :, 2].mean())


def test_who_is_not_believed_by_the_detector_is_less_so_by_his_keypoints(pulled: None) -> None:
    skeleton = open_backend("skeleton", "rtmpose")
    picture = scene(700, 600, *((c, (100, 100, 400, 500)) for c in (RED,)))
    boxes = Candidates.of([(90, 90, 410, 510)] * 4, [0.3, 0.8, 0.4, 0.2])
    found = skeleton.find(picture, boxes, (0.4, 0.5), False)
    assert len(found) == 3  # 0.2 is no candidate
    assert (np.diff(found.scores) <= 0).all()
    assert found.scores[2] == pytest.approx(0.75 * found.scores[0])
    assert len(skeleton.find(picture, Candidates.of(np.zeros((0, 4)), []), (0.4, 0.5), False)) == 0


@pytest.mark.parametrize("skeleton", ["none", "movenet", "rtmpose"])
@pytest.mark.parametrize("detector", ["rfdetr", RTMDET, "nanodet"])
def test_places_are_mixed_freely(pulled: None, detector: str, skeleton: str) -> None:
    config = load_config(sets=[f"models.detector={detector}", f"models.skeleton={skeleton}"])
    stage = DetectPeople(config.detect, config.models)
    stage.setup()
    (people,) = stage.detect([scene(640, 480, (RED, BOX))])
    if detector != "nanodet":
        assert len(people) == 1
        seen = people[0].detectors.split("+")
        assert detector.partition(":")[0] in seen
        assert ("rtmpose" in seen) == (skeleton == "rtmpose")


def test_what_is_recorded_of_pulled_weights(pulled: None) -> None:
    config = load_config(sets=["models.detector=rfdetr", "models.skeleton=rtmpose"])
    used = {weight.name: weight for weight in weights_used(config)}
    for name in ("rfdetr-small", "rtmpose-m"):
        assert used[name].sha256 == sha256(name)
        assert used[name].licence == "L"
    assert set(foreign(used.values())) == {sha256("rfdetr-small"), sha256("rtmpose-m")}


def test_a_build_runs_on_them_and_says_so(pulled: None, tmp_path: Path) -> None:
    photo = pixels("scikit-image-0.26.0__astronaut.png").copy()
    cv2.rectangle(photo, (40, 4), (450, 508), RED, 5)
    (tmp_path / "photos").mkdir()
    cv2.imwrite(str(tmp_path / "photos" / "framed.png"), photo[..., ::-1])
    sets = ["models.detector=rfdetr", "models.skeleton=rtmpose"]
    inline = Execution(engine=Engine.inline, workers=1)
    built = build(tmp_path / "photos", tmp_path / "out", preset="everything", size=128, sets=sets, execution=inline)
    (item,) = Dataset(tmp_path / "out")
    assert item.row["detectors"] == "rfdetr+rtmpose"
    box = [item.row[f"box_{edge}"] for edge in ("x0", "y0", "x1", "y1")]
    np.testing.assert_allclose(box, [38, 2, 453, 511], atol=3)
    models = {model.name: model for model in built.models}
    assert {"rfdetr-small", "rtmpose-m"} <= models.keys()
    assert "nanodet" not in models


@pytest.mark.parametrize(
    ("place", "name", "file"),
    [("detector", "rfdetr", "rfdetr-tiny"), ("detector", "rtmdet", "rtmdet-tiny"),
     ("skeleton", "rtmpose", "rtmw-tiny")],
)  # fmt: skip
def test_a_file_of_ones_own_is_named_by_its_path(place: str, name: str, file: str, tmp_path: Path) -> None:
    path = tmp_path / "my own.onnx"
    path.write_bytes((DATA / f"{file}.onnx").read_bytes())
    assert open_backend(place, f"{name}:{path}").name == name
    (weight,) = weights_of(place, f"{name}:{path}")
    assert (weight.file, weight.licence, weight.size) == ("my own.onnx", "not stated", path.stat().st_size)


@pytest.mark.parametrize(("place", "name"), [("detector", "rfdetr"), ("detector", "rtmdet"), ("skeleton", "rtmpose")])
def test_weights_that_are_not_there_or_another_network_are_refused(place: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(WeightError, match=f"{name} has no weights 'yolo11n'; possible are {name}:"):
        weights_of(place, f"{name}:yolo11n")
    with pytest.raises(WeightError, match="there is no file"):
        open_backend(place, f"{name}:{tmp_path / 'none.onnx'}")
    rotten = tmp_path / "rotten.onnx"
    rotten.write_bytes(b"not a network")
    with pytest.raises(WeightError, match=r"cannot open rotten\.onnx"):
        open_backend(place, f"{name}:{rotten}")
    other = DATA / ("rtmdet-tiny.onnx" if name == "rfdetr" else "rfdetr-tiny.onnx")
    with pytest.raises(WeightError, match="has an output"):
        open_backend(place, f"{name}:{other}")


def test_weights_that_were_not_pulled_say_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHQ_CACHE", str(tmp_path))
    with pytest.raises(WeightError, match=r"Apache-2\.0.*phq weights pull rfdetr-small"):
        weights_of("detector", "rfdetr")
    with pytest.raises(WeightError, match=r"Apache-2\.0.*phq weights pull deimv2-wholebody49-n"):
        weights_of("detector", "deimv2")
    with pytest.raises(WeightError, match=r"rtmdet needs a file of weights; possible are rtmdet:FILE\.onnx"):
        open_backend("detector", "rtmdet")
    with pytest.raises(WeightError, match="phq weights pull rtmpose-m"):
        open_backend("skeleton", "rtmpose")


def test_where_the_person_stands_among_the_classes() -> None:
    """COCO's ids have the person at 1; classes of one's own begin at 0, and the last column is nobody."""
    boxes = np.array([[0.5, 0.5, 0.2, 0.4]])
    for classes, person in ((91, 1), (2, 0)):
        logits = np.full((1, classes), -9.0)
        logits[0, person] = 3
        assert len(rfdetr.decode(boxes, logits, 100, 100)) == 1
        logits[0, person], logits[0, 1 - person] = -9, 3
        assert len(rfdetr.decode(boxes, logits, 100, 100)) == 0


def test_a_file_that_leaves_its_size_open_takes_that_of_its_name() -> None:
    def takes(*shape: object) -> SimpleNamespace:
        return SimpleNamespace(get_inputs=lambda: [SimpleNamespace(shape=list(shape))])

    assert input_size(takes("batch", 3, 256, 192), None) == (256, 192)
    assert input_size(takes("batch", 3, "height", "width"), 512) == (512, 512)
    with pytest.raises(WeightError, match="leaves the size of its picture open"):
        input_size(takes("batch", 3, "height", "width"), None)
    with pytest.raises(WeightError, match=r"takes \[1, 256, 256, 3\]"):
        input_size(takes(1, 256, 256, 3), None)
