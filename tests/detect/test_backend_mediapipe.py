"""MediaPipe's Pose Landmarker as detector, skeleton and landmarks.

What runs it needs the package and a ``.task`` file: in ``PHQ_TASK_FILE`` (tools/make_pose_task.py makes one), or pulled
with ``phq weights pull mediapipe-pose-full``.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phq.detect.backends.mediapipe import task_file
from phq.detect.backends.mediapipe.decode import box_of, centre_of, keypoints_of, score_of
from phq.detect.backends.mediapipe.landmarks import landmarks_of, no_person
from phq.detect.backends.mediapipe.region_task import points_answer
from phq.detect.backends.mediapipe.runtime import Pose
from phq.detect.backends.mediapipe.task_file import MEMBERS, task_path
from phq.detect.backends.offers import open_backend, weights_of
from phq.detect.blazepose import LEFT_RIGHT, SIDE, BlazePose
from phq.detect.body_region import box_region
from phq.detect.boxes import iou
from phq.detect.candidates import Candidates
from phq.errors import MissingExtraError, WeightError
from phq.people.person import AUX_SCALE
from phq.photos.region import Region, apply_affine, invert_affine
from phq.weights.catalogue import remote

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"
REGION = Region(300.0, 200.0, 128.0, 0.4)


def pose(seed: int = 0) -> Pose:
    """Somebody without sense or shape."""
    rng = np.random.default_rng(seed)
    world = rng.normal(0, 0.4, (33, 3))
    points = SIDE / 2 + 60 * world[:, :2]
    return Pose(points, world, rng.random(33), rng.random(33), rng.random((SIDE, SIDE)).astype(np.float32))


def mirror_image(seen: Pose) -> Pose:
    """The same in a mirror."""
    swap = list(LEFT_RIGHT)
    points = np.column_stack([SIDE - seen.points[swap, 0], seen.points[swap, 1]])
    return Pose(
        points, seen.world[swap] * [-1, 1, 1], seen.visibility[swap], seen.presence[swap], seen.mask[:, ::-1].copy()
    )


def test_coco_keypoints_are_the_subjects_own_left_and_right() -> None:
    seen = pose()
    keypoints = keypoints_of(seen)
    for coco, landmark in {0: 0, 3: 7, 5: 11, 6: 12, 9: 15, 12: 24, 16: 28}.items():
        assert keypoints[coco, :2] == pytest.approx(seen.points[landmark])
        assert keypoints[coco, 2] == pytest.approx(seen.visibility[landmark] * seen.presence[landmark])


def test_a_box_holds_the_person_and_not_the_specks_of_the_mask() -> None:
    mask = np.zeros((100, 200), np.float32)
    mask[20:80, 30:70] = 1
    mask[5:8, 180:183] = 1  # a speck
    points, visibility = np.full((33, 2), 50.0), np.zeros(33)
    points[15], visibility[15] = (90, 40), 0.9  # a hand that the mask lost
    points[27], visibility[27] = (50, 140), 0.9  # a foot beyond the photo
    points[28], visibility[28] = (150, 90), 0.1  # nobody has seen this one
    assert box_of(Pose(points, np.zeros((33, 3)), visibility, np.ones(33), mask)) == pytest.approx([30, 20, 90, 80])


def test_a_person_without_head_and_shoulders_has_a_low_score() -> None:
    scores = []
    for visibility in (np.ones(33), np.r_[np.zeros(13), np.ones(20)]):
        scores.append(score_of(replace(pose(), visibility=visibility, presence=np.ones(33))))
    assert scores == [1.0, 0.0]


@given(turn=st.floats(-3.1, 3.1))
def test_the_next_region_turns_with_the_person(turn: float) -> None:
    upright = pose(3).points - pose(3).points[23:25].mean(0)
    upright[11:13] -= upright[11:13].mean(0) + [0, 70]  # shoulders straight above the hips
    cos, sin = np.cos(turn), np.sin(turn)
    points = upright @ np.array([[cos, sin], [-sin, cos]]) + [500, 400]
    region = landmarks_at(points).next_region()
    assert (region.cx, region.cy) == pytest.approx((500, 400))
    assert region.angle == pytest.approx(turn)
    reach = np.abs(apply_affine(invert_affine(region.to_photo(2)), points) - 1).max()
    assert reach <= 1  # the whole person lies in it


def landmarks_at(points: np.ndarray) -> object:
    there = no_person(REGION)
    there.points, there.centre = points, centre_of(points)
    return there


def test_what_was_run_on_the_mirror_image_is_mirrored_back() -> None:
    seen = pose(1)
    plain, back = landmarks_of(seen, REGION, False), landmarks_of(mirror_image(seen), REGION, True)
    for name in ("points", "world", "visibility", "centre", "mask"):
        assert getattr(back, name) == pytest.approx(getattr(plain, name)), name
    assert back.presence == pytest.approx(plain.presence)


@given(angle=st.floats(-3.1, 3.1))
def test_metres_stand_upright_like_the_photo_whatever_the_region(angle: float) -> None:
    region = Region(300, 200, 128, angle)
    seen = landmarks_of(pose(2), region, False)
    flat = (seen.points - [300, 200]) / (60 * region.side / SIDE)  # this pose was drawn straight from its metres
    assert flat == pytest.approx(seen.world[:, :2], abs=1e-9)


def test_a_region_without_anybody_says_so_and_is_looked_at_again() -> None:
    nothing = no_person(REGION)
    again = nothing.next_region()
    assert nothing.presence == 0
    assert not nothing.mask.any()
    assert (again.cx, again.cy, again.side, again.angle) == pytest.approx((300, 200, 128, 0.4))


def test_the_stand_in_detector_answers_with_the_whole_picture() -> None:
    answer = points_answer(2254, 12)[0]
    anchor = np.array([4, 4]) / 224  # MediaPipe adds the centre of the cell, 8 pixels wide, to every point
    hips, above = answer[0, 4:6] / 224 + anchor, answer[0, 6:8] / 224 + anchor
    assert hips == pytest.approx([0.5, 0.5])
    assert above[0] == pytest.approx(0.5)
    assert AUX_SCALE * (hips[1] - above[1]) == pytest.approx(1)
    assert not answer[1:].any()


def test_a_file_that_is_no_pose_landmarker_is_refused(tmp_path: Path) -> None:
    text, other = tmp_path / "text.task", tmp_path / "other.task"
    text.write_text("no zip")
    with ZipFile(other, "w") as bundle:
        bundle.writestr("hand_detector.tflite", b"")
    with pytest.raises(WeightError, match=r"text\.task is no \.task file of a Pose Landmarker"):
        task_path(str(text))
    with pytest.raises(WeightError, match=r"it lacks pose_detector\.tflite, pose_landmarks_detector\.tflite"):
        task_path(str(other))
    with pytest.raises(WeightError, match="it is none of mediapipe-pose-full, "):
        task_path(str(tmp_path / "missing.task"))


def test_weights_that_are_not_pulled_say_which_command_brings_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHQ_CACHE", str(tmp_path))
    for word, name in (("", "mediapipe-pose-full"), ("mediapipe-pose-heavy", "mediapipe-pose-heavy")):
        with pytest.raises(WeightError, match=f"phq weights pull {name}"):
            task_path(word)
        assert remote(name).licence == "Apache-2.0"


@pytest.mark.parametrize("place", ["detector", "skeleton", "landmarks"])
def test_without_the_package_the_extra_is_named(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = tmp_path / "some.task"
    with ZipFile(task, "w") as bundle:
        for member in MEMBERS:
            bundle.writestr(member, b"")
    monkeypatch.setattr(task_file, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    for attempt in (weights_of, open_backend):
        with pytest.raises(MissingExtraError, match=r"pip install 'phq\[mediapipe\]'"):
            attempt(place, f"mediapipe:{task}")


def test_importing_the_modules_does_not_load_mediapipe() -> None:
    modules = "people, landmarks, region_task"
    code = f"import sys; from phq.detect.backends.mediapipe import {modules}; assert 'mediapipe' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture(scope="module")
def word() -> str:
    """``mediapipe:FILE``, where package and file are there."""
    if find_spec("mediapipe") is None:
        pytest.skip("the package mediapipe is not installed: pip install 'phq[mediapipe]'")
    try:
        ctypes.CDLL("libEGL.so.1")
    except OSError as error:
        pytest.skip(f"{error}: MediaPipe's library needs it (Debian: libegl1, libgles2)")
    return f"mediapipe:{task_path(str(TASK))}"


def photo(name: str) -> np.ndarray:
    """RGB pixels of an example."""
    (path,) = PHOTOS.glob(f"*{name}*")
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


TASK = Path(__file__).parents[1] / "data" / "pose_landmarker_full.task"
PEOPLE = {
    "cam1_f000": (241, 321, 563, 1183),
    "cam3_f000": (472, 417, 806, 1346),
    "cam4_f000": (158, 452, 672, 1456),
    "demo_f100": (909, 530, 1139, 934),
    "__obama.": (48, 15, 841, 1137),
    "astronaut": (9, 12, 367, 512),
}
"""Somebody in the photo, pixels."""


@pytest.fixture(scope="module")
def ours() -> BlazePose:
    """The same network on ONNX Runtime."""
    return BlazePose("full")


def test_landmarks_are_those_of_the_same_network_on_onnx_runtime(word: str, ours: BlazePose) -> None:
    theirs = open_backend("landmarks", word)
    for name, box in PEOPLE.items():
        pixels = photo(name)
        first = box_region(np.array(box, float))
        for region in (first, ours.run([(pixels, first, False)])[0].next_region()):
            jobs = [(pixels, region, mirrored) for mirrored in (False, True)]
            for seen, known in zip(theirs.run(jobs), ours.run(jobs), strict=True):
                apart = np.linalg.norm(seen.points - known.points, axis=1) / region.side * SIDE
                assert np.median(apart) < 6, name  # MediaPipe moves them by what it draws from the heatmaps
                assert apart.max() < 20, name
                assert np.abs(seen.world - known.world).max() < 0.001, name
                assert np.abs(seen.visibility - known.visibility).max() < 0.01, name
                assert np.abs(seen.mask - known.mask).mean() < 0.001, name
                assert seen.presence > 0.5, name
                away = np.linalg.norm(seen.centre - known.centre, axis=1) / region.side
                assert (away < 0.12).all(), name  # the next region is much the same


def test_a_region_of_sky_holds_nobody(word: str) -> None:
    noise = np.full((400, 400, 3), 200, np.uint8)
    (seen,) = open_backend("landmarks", word).run([(noise, Region(200, 200, 300), False)])
    assert seen.presence == 0


def test_the_detector_finds_people_with_keypoints_in_their_boxes(word: str) -> None:
    detector = open_backend("detector", word)
    for name, box in PEOPLE.items():
        (found,) = detector.detect([photo(name)], detector.threshold, True)
        overlap = iou(np.array([box], float), found.boxes)[0]
        best = int(np.argmax(overlap))
        assert overlap[best] > 0.6, name
        assert found.scores[best] > detector.threshold, name
        x0, y0, x1, y1 = found.boxes[best]
        x, y, sure = found.keypoints[best].T
        assert (sure > 0.4).sum() >= 5, name
        held = (x > x0 - 5) & (x < x1 + 5) & (y > y0 - 5) & (y < y1 + 5)
        assert held[sure > 0.5].all(), name


def test_two_people_are_two_and_the_same_every_time(word: str) -> None:
    both = photo("demo_f100")
    pixels = np.hstack([both[480:980, 850:1230], both[30:530, 450:830]])
    boxes = Candidates.of([(59, 50, 289, 454), (477, 41, 657, 425)], [0.9, 0.9])
    runs = [open_backend("skeleton", word).find(pixels, boxes, (0.4, 0.4), True) for _ in range(2)]
    assert (runs[0].scores > 0.4).sum() == 2
    for name in ("boxes", "scores", "keypoints"):
        assert np.array_equal(getattr(runs[0], name), getattr(runs[1], name))


def test_weights_tell_bytes_and_licence(word: str) -> None:
    (weight,) = weights_of("landmarks", word)
    assert (len(weight.sha256), weight.licence) == (64, "Apache-2.0")


def test_networks_that_cannot_be_read_are_one_sentence(
    word: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "broken.task"
    with ZipFile(path, "w") as bundle:
        for member in sorted(MEMBERS):
            bundle.writestr(member, b"no network" * 100)
    for place in ("detector", "landmarks"):
        with pytest.raises(WeightError, match=r"broken\.task"):
            open_backend(place, f"mediapipe:{path}")
    assert capfd.readouterr() == ("", "")


OPEN = """
import sys
from phq.detect.backends.offers import open_backend
from phq.errors import WeightError
try:
    open_backend("detector", sys.argv[1])
except WeightError as error:
    assert "on its GPU (--device cuda:0; --device cpu runs without)" in str(error), error
"""


def test_a_gpu_that_does_not_start_is_said(word: str) -> None:
    # In a process of its own: a software OpenGL brings an LLVM, and triton's in the same process ends in a crash.
    run = subprocess.run([sys.executable, "-c", OPEN, word], env=os.environ | {"PHQ_DEVICE": "cuda:0"}, check=False)
    assert run.returncode == 0


def test_a_library_that_the_machine_lacks_is_named(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mediapipe.tasks.python.vision import PoseLandmarker

    def fail(options: object) -> None:
        raise OSError("libEGL.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(PoseLandmarker, "create_from_options", fail)
    with pytest.raises(WeightError, match=r"libEGL\.so\.1: .*: MediaPipe's library needs it"):
        open_backend("detector", word)


RUN = """
import os, sys, numpy as np
from phq.detect.backends.offers import open_backend
from phq.photos.region import Region
before = dict(os.environ)
picture = np.zeros((64, 64, 3), np.uint8)
open_backend("landmarks", sys.argv[1]).run([(picture, Region(32, 32, 64), False)])
detector = open_backend("detector", sys.argv[1])
detector.detect([picture], 0.4, True)
assert dict(os.environ) == before
del detector
"""


def test_it_is_quiet_and_tells_nobody(word: str) -> None:
    called = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: called.append(server.accept()), daemon=True).start()
        proxy = {"https_proxy": f"http://127.0.0.1:{server.getsockname()[1]}"}
        run = subprocess.run(
            [sys.executable, "-c", RUN, word], env=os.environ | proxy, capture_output=True, text=True, check=True
        )
        assert (run.stdout, run.stderr) == ("", "")
        assert not called  # MediaPipe's metrics would come this way
