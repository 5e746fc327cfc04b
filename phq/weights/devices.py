"""Where networks run: on the CPU, or on another device that ONNX Runtime offers."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phq.errors import ConfigError, WeightError
from phq.weights.embedded import checked_path

VARIABLE = "PHQ_DEVICE"
"""Environment variable with the device of this process; worker processes inherit it."""
CPU = "CPUExecutionProvider"


@dataclass(frozen=True)
class Kind:
    """A kind of device."""

    provider: str
    package: str
    """What has to be installed in place of onnxruntime."""
    called: str
    then: tuple[str, ...] = ()
    """Providers for what it cannot run, before the CPU."""


KINDS = {
    "cuda": Kind("CUDAExecutionProvider", "onnxruntime-gpu", "CUDA device"),
    "tensorrt": Kind(
        "TensorrtExecutionProvider", "onnxruntime-gpu and NVIDIA TensorRT", "TensorRT on CUDA device",
        ("CUDAExecutionProvider",),
    ),
    "directml": Kind("DmlExecutionProvider", "onnxruntime-directml", "DirectML device"),
    "coreml": Kind("CoreMLExecutionProvider", "onnxruntime for macOS", "Core ML device"),
}  # fmt: skip
AUTOMATIC = ("cuda", "directml", "coreml")
"""What ``auto`` tries, in order. TensorRT is not among them: it builds an engine of minutes for each network."""


@dataclass(frozen=True)
class Device:
    """A device by kind and number."""

    kind: str
    index: int = 0

    def __str__(self) -> str:
        return "cpu" if self.kind == "cpu" else f"{self.kind}:{self.index}"

    def providers(self) -> list[Any]:
        """ONNX Runtime's execution providers, the CPU last: it runs what the device cannot."""
        if self.kind == "cpu":
            return [CPU]
        kind = KINDS[self.kind]
        options = {} if self.kind == "coreml" else {"device_id": str(self.index)}
        return [(provider, options) for provider in (kind.provider, *kind.then)] + [CPU]


def parse(text: str) -> Device | None:
    """The device that a text names; None for ``auto``.

    Raises:
        ConfigError: it names none.
    """
    match = re.fullmatch(r"(auto|cpu)|(\w+?)(?::(\d+))?", text.strip().lower())
    if match and match[1]:
        return None if match[1] == "auto" else Device("cpu")
    if not match or match[2] not in KINDS:
        raise ConfigError(f"--device {text!r}: there are auto, cpu and {', '.join(f'{k}:N' for k in KINDS)}")
    return Device(match[2], int(match[3] or 0))


def use_device(text: str) -> str:
    """Let this process and the workers it starts run networks on a device; one line that says what runs where.

    A device other than the CPU is tried out on a small network first. ``auto`` takes the first that works.

    Raises:
        ConfigError: the text names no device.
        WeightError: ONNX Runtime has not that device, or cannot start it.
    """
    device = parse(text)
    chosen = device or next((d for d in map(Device, AUTOMATIC) if _works(d)), Device("cpu"))
    if device and device.kind != "cpu":
        _try(device)
    os.environ[VARIABLE] = str(chosen)
    if chosen.kind != "cpu":
        return f"networks run on {_called(chosen)}; what it cannot run, and all else, on the CPU"
    return "networks run on the CPU" + ("" if device else " (ONNX Runtime offers nothing else that works here)")


def chosen_device() -> Device:
    """The device of this process: ``PHQ_DEVICE``, or the CPU.

    Raises:
        ConfigError: ``PHQ_DEVICE`` names no device.
    """
    text = os.environ.get(VARIABLE, "cpu")
    return parse(text) or next((d for d in map(Device, AUTOMATIC) if _works(d)), Device("cpu"))


def open_onnx(path: Path, threads: int = 1, device: Device | None = None) -> Any:
    """ONNX Runtime session of a file.

    One thread by default: parallelism is by worker processes, so the same input gives the same bytes whatever
    the number of cores.

    Args:
        device: None for that of the process (`chosen_device`).

    Raises:
        WeightError: ONNX Runtime cannot read the file, or has not the device, or cannot start it.
    """
    import onnxruntime as ort  # heavy: only when a network is really run

    device = device or chosen_device()
    if device.kind != "cpu":
        _expect(device, ort)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # the exporters left batch-norm counters among the inputs; not the user's concern
    try:
        session = ort.InferenceSession(str(path), options, providers=device.providers())
    except Exception as error:
        raise WeightError(f"ONNX Runtime cannot open {path.name} on {_called(device)}: {error}") from error
    # A provider that does not start (no driver, no such card) is left out by ONNX Runtime without an error.
    if device.kind != "cpu" and KINDS[device.kind].provider not in session.get_providers():
        raise WeightError(
            f"{_called(device)} does not start: ONNX Runtime has its part for it, so look for the driver, its "
            "libraries (CUDA, cuDNN) and the number of the device; --device cpu runs without"
        )
    return session


def _expect(device: Device, ort: Any) -> None:
    kind = KINDS[device.kind]
    offered = ort.get_available_providers()
    if kind.provider not in offered:
        raise WeightError(
            f"--device {device} needs the package {kind.package} (in place of onnxruntime, which is installed here "
            f"and offers {', '.join(p.removesuffix('ExecutionProvider') for p in offered)})"
        )
    if device.kind in ("cuda", "tensorrt") and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()  # CUDA's libraries may be wheels, where the loader does not look


def _works(device: Device) -> bool:
    try:
        _try(device)
    except WeightError:
        return False
    return True


def _try(device: Device) -> None:
    open_onnx(checked_path("orientation"), device=device)


def _called(device: Device) -> str:
    return "the CPU" if device.kind == "cpu" else f"{KINDS[device.kind].called} {device.index}"


def open_session(name: str, threads: int = 1) -> Any:
    """ONNX Runtime session of an embedded network, on the process's device (see `open_onnx`).

    Raises:
        WeightError: see `phq.weights.embedded.checked_path` and `open_onnx`.
    """
    return open_onnx(checked_path(name), threads)
