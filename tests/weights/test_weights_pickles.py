"""PyTorch's files are opened without running what they contain."""

from __future__ import annotations

import io
import os
import pickle
import sys
import types
import zipfile
from collections.abc import Callable
from pathlib import Path, PosixPath
from typing import Any

import pytest

from phq.errors import WeightError

torch = pytest.importorskip("torch")
from phq.weights.pickles import Skeleton, read_torch  # noqa: E402


class Hostile:
    """Pickles as a call."""

    def __init__(self, call: Callable[..., Any], *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call, self.arguments


@pytest.fixture
def saved_class(monkeypatch: pytest.MonkeyPatch) -> type:
    """A network class of a package that is there when it is saved, as ultralytics is."""
    net = type("DetectionModel", (torch.nn.Module,), {"__module__": "ultralytics.nn.tasks"})
    for name in ("ultralytics", "ultralytics.nn", "ultralytics.nn.tasks"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["ultralytics.nn.tasks"].DetectionModel = net  # type: ignore[attr-defined]
    return net


def network(saved_class: type) -> Any:
    net = saved_class()
    net.model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.SiLU()).half()
    net.register_buffer("anchors", torch.ones(2), persistent=False)
    net.names = {0: "person"}
    return net


def test_plain_tensors_come_back(tmp_path: Path) -> None:
    torch.save({"a": torch.arange(3), "epoch": 4}, tmp_path / "w.pt")
    assert read_torch(tmp_path / "w.pt")["a"].tolist() == [0, 1, 2]


def test_a_whole_network_is_read_without_its_classes(
    tmp_path: Path, saved_class: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, path = network(saved_class), tmp_path / "yolo.pt"
    torch.save({"model": net, "train_args": {"save_dir": PosixPath("runs/a")}}, path)
    for name in ("ultralytics", "ultralytics.nn", "ultralytics.nn.tasks"):
        monkeypatch.setitem(sys.modules, name, None)  # type: ignore[arg-type] - it cannot even be imported
    content = read_torch(path)
    assert isinstance(content["model"], Skeleton)
    assert content["model"].names == {0: "person"}
    tensors, expected = content["model"].tensors(), net.state_dict()
    assert list(tensors) == list(expected)
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)


@pytest.mark.parametrize("where", ["alone", "beside", "inside"])
def test_a_hostile_file_is_refused_and_not_run(tmp_path: Path, saved_class: type, where: str) -> None:
    attack, path = Hostile(os.system, f"touch {tmp_path / 'harm'}"), tmp_path / "yolo.pt"
    net = network(saved_class)
    net.hidden = attack if where == "inside" else None
    torch.save({"alone": attack, "beside": {"model": net, "note": [attack]}, "inside": {"model": net}}[where], path)
    named = rf"yolo\.pt is refused: its pickle asks for '{os.system.__module__}\.system'"
    with pytest.raises(WeightError, match=named):
        read_torch(path)
    assert not (tmp_path / "harm").exists()
    torch.load(path, weights_only=False)
    assert (tmp_path / "harm").exists(), "the attack is a real one"


@pytest.mark.parametrize("call", [torch.hub.load, torch.load, torch.nn.init.constant_, io.open, eval])
def test_functions_of_permitted_packages_are_refused_too(tmp_path: Path, call: Callable[..., Any]) -> None:
    torch.save([Hostile(call, "x")], tmp_path / "w.pt")
    with pytest.raises(WeightError, match="refused"):
        read_torch(tmp_path / "w.pt")


def test_a_network_class_is_not_called(tmp_path: Path, saved_class: type) -> None:
    for arguments in ((), ({"activation": "__import__('os').abort()"},)):
        torch.save([Hostile(saved_class, *arguments)], tmp_path / "w.pt")
        with pytest.raises(WeightError, match=r"refused: it calls ultralytics\.nn\.tasks\.DetectionModel"):
            read_torch(tmp_path / "w.pt")


def test_a_network_may_hold_a_method_of_another_class(tmp_path: Path, saved_class: type) -> None:
    """As -pose and -seg weights do: ``self.detect = Detect.forward``, which pickles as a getattr."""
    saved_class.forward = lambda self, x: x  # type: ignore[attr-defined]
    saved_class.forward.__qualname__ = "DetectionModel.forward"
    saved_class.forward.__module__ = "ultralytics.nn.tasks"
    net = network(saved_class)
    net.detect = saved_class.forward  # type: ignore[attr-defined]
    torch.save({"model": net}, tmp_path / "w.pt")
    assert "builtins.getattr" in torch.serialization.get_unsafe_globals_in_checkpoint(tmp_path / "w.pt")
    content = read_torch(tmp_path / "w.pt")["model"]
    assert list(content.tensors()) == list(net.state_dict())
    assert not callable(content.detect)


@pytest.mark.parametrize(
    ("owner", "name"),
    [("class", "__subclasses__"), ("class", "__init__"), ("class", "_apply"), (torch.Size, "forward"), ([], "append")],
)
def test_nothing_else_is_had_by_getattr(tmp_path: Path, saved_class: type, owner: Any, name: str) -> None:
    torch.save([Hostile(getattr, saved_class if owner == "class" else owner, name)], tmp_path / "w.pt")
    with pytest.raises(WeightError, match=r"w\.pt is refused: it asks for"):
        read_torch(tmp_path / "w.pt")


def test_a_method_is_not_called(tmp_path: Path, saved_class: type) -> None:
    method = b"cbuiltins\ngetattr\n(cultralytics.nn.tasks\nDetectionModel\nX\x07\x00\x00\x00forwardtR"
    path = rewritten(tmp_path / "w.pt", b"\x80\x02" + method + b".")
    assert not callable(read_torch(path))
    with pytest.raises(WeightError, match=r"w\.pt"):
        read_torch(rewritten(path, b"\x80\x02" + method + b")R."))


def test_numbers_of_numpy_beside_the_weights_do_no_harm(tmp_path: Path) -> None:
    import numpy as np

    content = {"weight": torch.arange(3), "fitness": np.float64(0.5), "epochs": np.int64(3), "kind": np.dtype("f4")}
    torch.save(content, tmp_path / "w.pt")
    assert read_torch(tmp_path / "w.pt")["weight"].tolist() == [0, 1, 2]


def rewritten(path: Path, code: bytes) -> Path:
    """A file of torch.save whose pickle is other code."""
    buffer = io.BytesIO()
    torch.save([1], buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            target.writestr(name, code if name.endswith("data.pkl") else source.read(name))
    return path


@pytest.mark.parametrize(
    "code",
    [
        b"\x80\x02ctorch.nn.modules.linear\nLinear\n}X\x01\x00\x00\x00aK\x01sb.",  # sets an attribute of the class
        b"\x80\x02cos\nsystem\n.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
        b"\x80\x02X\x02\x00\x00\x00osq\x00X\x06\x00\x00\x00system\x93.",
        b"\x80\x02(ios\nsystem\n.",
        b"\x80\x02}",
        b"",
    ],
)
def test_bent_pickles_are_refused(tmp_path: Path, code: bytes) -> None:
    with pytest.raises(WeightError, match=r"w\.pt"):
        read_torch(rewritten(tmp_path / "w.pt", code))


def test_files_of_other_formats(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save([torch.ones(1)], path)
    whole = path.read_bytes()
    for content in (b"", b"text", whole[:200], pickle.dumps({"a": 1}), pickle.dumps(Hostile(os.abort))):
        path.write_bytes(content)
        with pytest.raises(WeightError, match=r"w\.pt cannot be read as weights of PyTorch"):
            read_torch(path)
    with pytest.raises(WeightError, match="cannot be read"):
        read_torch(tmp_path / "nothing.pt")


def test_a_network_that_holds_itself(tmp_path: Path, saved_class: type) -> None:
    net = network(saved_class)
    net._modules["again"] = net
    torch.save(net, tmp_path / "w.pt")
    with pytest.raises(WeightError, match="crooked"):
        read_torch(tmp_path / "w.pt").tensors()
