"""Where networks run; other devices than the CPU are played by a list of providers."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import onnxruntime
import pytest

from phq.errors import ConfigError, WeightError
from phq.weights import devices
from phq.weights.devices import CPU, Device, chosen_device, open_session, parse, use_device

ORDINARY = ["AzureExecutionProvider", CPU]
CUDA = ["TensorrtExecutionProvider", "CUDAExecutionProvider", CPU]


class Session:
    """Takes the place of ONNX Runtime's; providers that do not start are left out, as there."""

    starting: tuple[str, ...] = ()
    opened: list[list[Any]]

    def __init__(self, _path: str, _options: Any, providers: list[Any]) -> None:
        self.opened.append(providers)
        names = [p if isinstance(p, str) else p[0] for p in providers]
        self.running = [name for name in names if name == CPU or name in self.starting]

    def get_providers(self) -> list[str]:
        return self.running


@pytest.fixture(autouse=True)
def session(monkeypatch: pytest.MonkeyPatch) -> type[Session]:
    monkeypatch.setenv(devices.VARIABLE, "cpu")
    return type("Recording", (Session,), {"opened": []})


def play(monkeypatch: pytest.MonkeyPatch, session: type[Session], offered: list[str], *starting: str) -> None:
    session.starting = starting
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: offered)
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None, raising=False)


@pytest.mark.parametrize(
    ("text", "device"),
    [("auto", None), ("cpu", Device("cpu")), ("cuda", Device("cuda")), ("CUDA:3 ", Device("cuda", 3)),
     ("tensorrt:1", Device("tensorrt", 1)), ("directml:0", Device("directml"))],
)  # fmt: skip
def test_texts_that_name_a_device(text: str, device: Device | None) -> None:
    assert parse(text) == device
    assert device is None or parse(str(device)) == device


@pytest.mark.parametrize("text", ["", "gpu", "cuda:", "cuda:-1", "cuda:a", "cpu:0", "auto:1", "cuda:0:1"])
def test_texts_that_name_none(text: str) -> None:
    with pytest.raises(ConfigError, match="there are auto, cpu and cuda:N"):
        parse(text)


def test_cuda_without_its_package_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ORDINARY)
    with pytest.raises(WeightError, match=r"--device cuda:0 needs the package onnxruntime-gpu .*offers Azure, CPU\)"):
        use_device("cuda:0")
    with pytest.raises(WeightError, match="onnxruntime-directml"):
        use_device("directml")
    assert chosen_device() == Device("cpu"), "a device that failed is not kept"


def test_cuda_that_does_not_start_is_not_taken_for_cuda(
    monkeypatch: pytest.MonkeyPatch, session: type[Session]
) -> None:
    play(monkeypatch, session, CUDA)
    with pytest.raises(WeightError, match=r"CUDA device 7 does not start.*--device cpu"):
        use_device("cuda:7")


def test_cuda_is_used_by_every_session_and_inherited(monkeypatch: pytest.MonkeyPatch, session: type[Session]) -> None:
    play(monkeypatch, session, CUDA, "CUDAExecutionProvider")
    assert use_device("cuda:1").startswith("networks run on CUDA device 1; what it cannot run")
    open_session("nanodet")
    assert session.opened[-1] == [("CUDAExecutionProvider", {"device_id": "1"}), CPU]
    code = "from phq.weights.devices import chosen_device; print(chosen_device())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "cuda:1\n"


def test_tensorrt_leaves_the_rest_to_cuda(monkeypatch: pytest.MonkeyPatch, session: type[Session]) -> None:
    play(monkeypatch, session, CUDA, "TensorrtExecutionProvider", "CUDAExecutionProvider")
    use_device("tensorrt:0")
    assert [p[0] for p in session.opened[-1][:2]] == ["TensorrtExecutionProvider", "CUDAExecutionProvider"]


@pytest.mark.parametrize(
    ("offered", "starting", "device"),
    [
        (ORDINARY, (), "cpu"),
        (CUDA, (), "cpu"),
        (CUDA, ("CUDAExecutionProvider",), "cuda:0"),
        (["CoreMLExecutionProvider", CPU], ("CoreMLExecutionProvider",), "coreml:0"),
        (["DmlExecutionProvider", CPU], ("DmlExecutionProvider",), "directml:0"),
    ],
)
def test_auto_takes_what_works(
    monkeypatch: pytest.MonkeyPatch, session: type[Session], offered: list[str], starting: tuple[str, ...], device: str
) -> None:
    play(monkeypatch, session, offered, *starting)
    line = use_device("auto")
    assert os.environ[devices.VARIABLE] == device
    assert ("offers nothing else that works here" in line) == (device == "cpu")


def test_the_variable_alone_chooses_too(monkeypatch: pytest.MonkeyPatch, session: type[Session]) -> None:
    play(monkeypatch, session, CUDA, "CUDAExecutionProvider")
    monkeypatch.setenv(devices.VARIABLE, "auto")
    assert chosen_device() == Device("cuda")
    monkeypatch.setenv(devices.VARIABLE, "gpu")
    with pytest.raises(ConfigError, match="gpu"):
        open_session("nanodet")


def test_the_cpu_is_the_default_and_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(devices.VARIABLE)
    assert use_device("cpu") == "networks run on the CPU"
    image = np.random.default_rng(0).random((1, 256, 256, 3), np.float32)
    session = open_session("blazepose-full")
    assert session.get_providers() == [CPU]
    plain = onnxruntime.SessionOptions()
    plain.intra_op_num_threads = plain.inter_op_num_threads = 1
    path = session._model_path
    twin = onnxruntime.InferenceSession(path, plain, providers=[CPU])
    name = session.get_inputs()[0].name
    for mine, theirs in zip(session.run(None, {name: image}), twin.run(None, {name: image}), strict=True):
        assert mine.tobytes() == theirs.tobytes()


def test_a_file_that_is_no_network_is_told(tmp_path: Any) -> None:
    (tmp_path / "x.onnx").write_bytes(b"nothing")
    with pytest.raises(WeightError, match=r"cannot open x\.onnx on the CPU"):
        devices.open_onnx(tmp_path / "x.onnx")
