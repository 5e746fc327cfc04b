"""Networks of ultralytics, run by the package itself."""

from __future__ import annotations

import importlib.util
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from phq.detect.backends.yolo import package
from phq.detect.backends.yolo.detector import WEAK, YoloDetector, YoloSkeleton
from phq.detect.backends.yolo.mask import YoloMask
from phq.detect.backends.yolo.network import torch_device
from phq.detect.candidates import Candidates
from phq.errors import WeightError

needs_ultralytics = pytest.mark.skipif(
    importlib.util.find_spec("ultralytics") is None, reason="ultralytics is not installed: pip install 'phq[yolo]'"
)
FAMILIES = ("yolo11n", "yolo26n")
"""The second does without non-maximum suppression."""


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
