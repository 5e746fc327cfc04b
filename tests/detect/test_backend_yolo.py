"""Networks of ultralytics as detector, skeleton network and mask network."""

from __future__ import annotations

import importlib.util
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from phq import build
from phq.config.build import load_config
from phq.detect.backends.offers import backend_class, weights_of
from phq.detect.backends.yolo import package
from phq.detect.backends.yolo.decode import best_mask, candidates
from phq.detect.backends.yolo.detector import WEAK, YoloDetector, YoloSkeleton
from phq.detect.backends.yolo.mask import YoloMask
from phq.detect.backends.yolo.network import LICENCE, Network, batches, person_class, torch_device
from phq.detect.candidates import Candidates
from phq.errors import InputError, MissingExtraError, WeightError
from phq.stages.pipeline import weights_used
from phq.weights.embedded import registry
from phq.weights.licences import notices

needs_ultralytics = pytest.mark.skipif(
    importlib.util.find_spec("ultralytics") is None, reason="ultralytics is not installed: pip install 'phq[yolo]'"
)
PLACES = ("detector", "skeleton", "mask")
FAMILIES = ("yolo11n", "yolo26n")
"""The second does without non-maximum suppression."""


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


# what the network gives


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


# photos, tiles, batches


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


# what is said


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if ultralytics were here."""
    monkeypatch.setattr(package, "find_spec", lambda name: name)


@pytest.mark.parametrize("place", PLACES)
def test_without_the_package_the_extra_is_named(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "find_spec", lambda name: None)
    for use in (weights_of, lambda place, word: backend_class(place, "yolo")("")):
        with pytest.raises(MissingExtraError, match=r"'ultralytics': pip install 'phq\[yolo\]'"):
            use(place, "yolo")


@pytest.mark.parametrize(("place", "name"), [*zip(PLACES, ("yolo11n", "yolo11n-pose", "yolo11n-seg"), strict=True)])
def test_weights_that_are_not_pulled_say_how(
    place: str, name: str, installed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHQ_CACHE", str(tmp_path))
    with pytest.raises(WeightError, match=f"phq weights pull {name}$"):
        weights_of(place, "yolo")
    with pytest.raises(WeightError, match=r"phq weights pull yolo26s$"):
        weights_of(place, "yolo:yolo26s")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("yolo12n", "there are no weights 'yolo12n': did you mean"),
        ("rfdetr-nano", r"rfdetr-nano \(person boxes\) are not of ultralytics"),
        ("nowhere/best.pt", "there is no file nowhere/best.pt"),
        ("best.onnx", r"best.onnx: yolo takes weights of PyTorch \(.pt\), no exported networks"),
        ("folder/best", "folder/best: yolo takes weights"),
    ],
)
def test_other_words_are_refused_with_a_reason(word: str, said: str, installed: None) -> None:
    with pytest.raises(WeightError, match=said):
        weights_of("detector", f"yolo:{word}")


def test_a_file_of_the_users_is_named_without_its_folder_and_held_to_its_bytes(installed: None, tmp_path: Path) -> None:
    path = tmp_path / "mine.pt"
    path.write_bytes(b"weights")
    config = load_config(sets=[f"models.detector=yolo:{path}"])
    weight = weights_used(config)[0]
    assert (weight.name, weight.file, weight.size, weight.licence) == ("mine", "mine.pt", 7, LICENCE)
    assert str(tmp_path) not in str(weight)
    path.write_bytes(b"changed")
    assert weights_used(config)[0].sha256 != weight.sha256


def test_a_licence_that_asks_for_more_than_a_name_is_said(installed: None, tmp_path: Path) -> None:
    path = tmp_path / "mine.pt"
    path.write_bytes(b"weights")
    used = weights_used(load_config(sets=[f"models.detector=yolo:{path}"]))
    assert list(notices(used)) == [f"licence of mine (person boxes): {LICENCE}"]
    assert list(notices(registry().values())) == []


def test_a_build_says_the_licence_before_it_begins(
    installed: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.pt"
    path.write_bytes(b"weights")
    for quiet, said in ((False, f"licence of mine (person boxes): {LICENCE}\n"), (True, "")):
        with pytest.raises(InputError):
            build(tmp_path / "nothing", tmp_path / "out", sets=[f"models.detector=yolo:{path}"], quiet=quiet)
        assert capsys.readouterr().err == said


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


# the package itself


def made(folder: Path, kind: str) -> Path:
    """Weights that nobody trained, of a network that sees people everywhere; they are its second class."""
    import torch

    torch.manual_seed(0)
    path = folder / f"{kind}.pt"
    model = package.yolo_class()(f"{kind}.yaml")
    model.model.names = model.model.names | {0: "bicycle", 1: "person"}
    head = model.model.model[-1]
    if model.task == "pose":
        model.model.kpt_shape = [17, 3]
    if model.task != "detect":
        head.detect = type(head).forward  # as the published ones hold a method
    with torch.no_grad():
        for branch in (*head.cv3, *getattr(head, "one2one_cv3", ())):
            branch[-1].bias[:2] = torch.tensor([4.0, 6.0])
    model.ckpt = {"train_args": {"task": model.task}}
    model.save(path)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("weights")
    kinds = [family + kind for family in FAMILIES for kind in ("", "-pose", "-seg")]
    return {kind: made(folder, kind) for kind in kinds}


@needs_ultralytics
@pytest.mark.parametrize("family", FAMILIES)
def test_a_network_runs_and_its_people_do_not_depend_on_their_neighbours(family: str, weights: dict[str, Path]) -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, size, np.uint8) for size in ((90, 120, 3), (120, 90, 3), (90, 120, 3))]
    detector = YoloDetector(str(weights[family]))
    together = detector.detect(pictures, 0.25, True)
    again = YoloDetector(str(weights[family]))
    for pixels, seen in zip(pictures, together, strict=True):
        assert len(seen) > 0
        assert (seen.scores >= WEAK).all()
        alone = again.detect([pixels], 0.25, True)[0]
        np.testing.assert_array_equal(seen.boxes, alone.boxes)
        np.testing.assert_array_equal(seen.scores, alone.scores)
        assert (seen.boxes[:, 2] <= pixels.shape[1]).all()
        assert (seen.boxes[:, 3] <= pixels.shape[0]).all()


@needs_ultralytics
@pytest.mark.parametrize("family", FAMILIES)
def test_poses_have_keypoints_as_skeleton_and_as_detector(family: str, weights: dict[str, Path]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (120, 120, 3), np.uint8)
    skeleton = YoloSkeleton(str(weights[f"{family}-pose"]))
    seen = skeleton.find(pixels, Candidates.of(np.zeros((0, 4)), np.zeros(0)), (0.25, 0.25), True)
    assert seen.keypoints.shape == (len(seen), 17, 3)
    assert seen.keypoints.any()
    boxes = YoloDetector(str(weights[f"{family}-pose"])).detect([pixels], 0.25, True)[0]
    np.testing.assert_array_equal(boxes.keypoints, seen.keypoints)
    with pytest.raises(WeightError, match="trained for 'detect'; needed here: pose"):
        YoloSkeleton(str(weights[family]))


@needs_ultralytics
@pytest.mark.parametrize("family", FAMILIES)
def test_masks_have_the_size_of_the_crop(family: str, weights: dict[str, Path]) -> None:
    crop = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    network = YoloMask(str(weights[f"{family}-seg"]))
    hint = np.random.default_rng(1).random((96, 96), np.float32)
    assert network.segment(crop, hint).shape == (96, 96)
    masks = network.network.look([crop], WEAK, retina_masks=True)[0].masks
    assert masks is not None
    largest = np.asarray(masks.data)[np.asarray(masks.data).sum((1, 2)).argmax()].astype(np.float32)
    assert set(np.unique(network.segment(crop, largest))) <= {0, 1}


@needs_ultralytics
def test_a_hostile_file_is_refused_before_the_package_opens_it(weights: dict[str, Path], tmp_path: Path) -> None:
    done = tmp_path / "done"

    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(done),)

    path = tmp_path / "hostile.pt"
    with zipfile.ZipFile(weights["yolo11n"]) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            target.writestr(name, pickle.dumps(Hostile()) if name.endswith("data.pkl") else source.read(name))
    with pytest.raises(WeightError, match="refused"):
        YoloDetector(str(path))
    assert not done.exists()


@needs_ultralytics
@pytest.mark.parametrize("content", [b"", b"no weights at all", None])
def test_a_file_of_something_else_is_named(content: bytes | None, tmp_path: Path) -> None:
    import torch

    path = tmp_path / "other.pt"
    if content is None:
        torch.save({"weight": torch.zeros(3)}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(WeightError, match=r"other.pt"):
        YoloDetector(str(path))


@needs_ultralytics
def test_a_device_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("PHQ_DEVICE", "cuda:1")
    with pytest.raises(WeightError, match="PyTorch sees 1 CUDA devices"):
        torch_device()
    monkeypatch.setenv("PHQ_DEVICE", "cuda:0")
    assert torch_device() == "cuda:0"
    monkeypatch.setenv("PHQ_DEVICE", "cpu")
    assert torch_device() == "cpu"


ALONE = """
import os, sys
folder = sys.argv[2]
heard = []
def hear(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system"):
        heard.append((event, str(arguments)))
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        heard.append((event, str(arguments)))
sys.addaudithook(hear)
import numpy as np, torch
heard.clear()
torch.set_num_threads(2)
from PIL import Image
opening = Image.open
from phq.detect.backends.yolo.detector import YoloDetector
YoloDetector(sys.argv[1]).detect([np.zeros((64, 64, 3), np.uint8)], 0.25, True)
assert Image.open is opening
assert torch.get_num_threads() == 2
inside = [what for what in heard if "phq-yolo-" in what[1] or os.devnull in what[1]]
assert heard == inside, heard
assert str(np.array([1.0])) == "[1.]"
"""


@needs_ultralytics
def test_it_is_quiet_connects_to_nothing_and_leaves_nothing(weights: dict[str, Path], tmp_path: Path) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    own = {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "TMPDIR": str(here), "PYTHONDONTWRITEBYTECODE": "1"}
    environment = {**os.environ, **own, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", ALONE, str(weights["yolo11n"]), str(home)]
    done = subprocess.run(command, env=environment, cwd=here, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    assert list(home.rglob("*")) == []
    assert list(here.rglob("*")) == []
