"""Several packages write the module cv2; what does not go together is told with the command that mends it."""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError

import cv2
import pytest
from typer.testing import CliRunner

from phq.cli import app
from phq.system import opencv


def have(monkeypatch: pytest.MonkeyPatch, packages: dict[str, str], module: bool = True) -> None:
    """Let these packages be installed, and no others."""

    def version(name: str) -> str:
        if name in packages:
            return packages[name]
        raise PackageNotFoundError(name)

    monkeypatch.setattr(opencv, "version", version)
    origin = "cv2/__init__.py" if module else None
    monkeypatch.setattr(opencv, "find_spec", lambda name: ModuleSpec(name, None, origin=origin))


def test_here_cv2_is_the_version_that_is_told() -> None:
    assert opencv.trouble() is None
    (told,) = set(opencv.installed().values())
    assert told.startswith(cv2.__version__)
    assert "pip install" not in CliRunner().invoke(app, ["--version"]).output


@pytest.mark.parametrize(
    "packages",
    [
        {"opencv-python": "4.14.0.94"},
        {"opencv-python-headless": "4.10.0.84"},
        {"opencv-python": "4.14.0.94", "opencv-contrib-python": "4.14.0.94"},
    ],
)
def test_one_version_is_well_however_many_packages_carry_it(
    packages: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    have(monkeypatch, packages)
    assert opencv.trouble() is None


@pytest.mark.parametrize(
    ("packages", "pins"),
    [
        (
            {"opencv-python": "4.12.0.88", "opencv-contrib-python": "4.14.0.94"},
            "opencv-python==4.12.0.88 opencv-contrib-python==4.12.0.88",
        ),
        (
            {"opencv-python": "4.14.0.94", "opencv-contrib-python": "5.0.0.93"},
            "opencv-python==4.14.0.94 opencv-contrib-python==4.14.0.94",
        ),
        (
            {"opencv-contrib-python": "4.9.0.80", "opencv-python-headless": "4.10.0.84"},
            "opencv-contrib-python==4.10.0.84 opencv-python-headless==4.10.0.84",
        ),
        ({"opencv-python-headless": "5.0.0.93"}, "'opencv-python-headless<5'"),
    ],
)
def test_two_versions_are_told_with_the_command_for_one(
    packages: dict[str, str], pins: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    have(monkeypatch, packages)
    told = opencv.trouble()
    assert told is not None
    assert told.endswith(f"python -m pip install --force-reinstall --no-deps {pins}")
    for name, version in packages.items():
        assert f"{name} {version}" in told


def test_a_module_that_comes_another_way_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, {})
    assert opencv.trouble() is None
    have(monkeypatch, {}, module=False)
    assert "opencv-python<5" in (opencv.trouble() or "")


def test_a_module_that_went_with_another_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, {"opencv-contrib-python": "4.14.0.94"}, module=False)
    assert "opencv-contrib-python==4.14.0.94" in (opencv.trouble() or "")


def test_the_command_says_so_at_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, {"opencv-python": "4.14.0.94", "opencv-contrib-python": "5.0.0.93"})
    run = CliRunner().invoke(app, ["build", "no-such-folder", "out"])
    assert "phq: the module cv2 (OpenCV) is written by opencv-python 4.14.0.94, opencv-contrib-python 5.0.0.93" in (
        run.output
    )
    assert "pip install --force-reinstall" in CliRunner().invoke(app, ["--version"]).output
