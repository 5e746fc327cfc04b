"""The sample plug-in is installed as a package is, listed, checked and used in a build."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bundled_photos import FOLDER

from phq.building.build import BuildResult
from phq.dataset.reader import Dataset

ROOT = Path(__file__).parents[2]
BUILDING = """
import sys
from phq.cli import main
from phq.detect.backends.report import checked, listing
print("\\n".join(listing()))
print("complaints:", list(checked("mask", "grabcut", sys.argv[2])))
main()
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the plug-in can be imported, and this one cannot."""
    pytest.importorskip("setuptools")
    pytest.importorskip("pip")
    folder = tmp_path_factory.mktemp("plugin")
    source, target = folder / "source", folder / "site"
    shutil.copytree(ROOT / "examples" / "plugin", source)  # a build leaves files beside its source
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, "--target", target, source], check=True)
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(target), str(ROOT)])}


def test_the_sample_plug_in_makes_the_masks_of_a_build(
    installed: dict[str, str], everything: BuildResult, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    names = ("scikit-image-0.26.0__astronaut.png", "pose2sim-0.10.49__Single_cam1_f000.jpg")
    for name in names:
        shutil.copy(FOLDER / name, photos)
    options = ["--preset", "everything", "--size", "256", "--executor", "inline", "--set", "models.mask=grabcut"]
    call = [sys.executable, "-c", BUILDING, "build", str(photos), str(tmp_path / "cut"), *options]
    done = subprocess.run(call, env=installed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "phq_grabcut:GrabCut" in done.stdout
    assert "complaints: []" in done.stdout
    assert json.loads((tmp_path / "cut" / "run.json").read_text())["config"]["models"]["mask"] == "grabcut"

    theirs, own = (masks(folder, names) for folder in (tmp_path / "cut", everything.out))
    assert theirs.keys() == own.keys()
    for key, mask in theirs.items():
        union, both = (mask | own[key]).sum(), (mask & own[key]).sum()
        assert 0.6 < both / union < 1  # the same person, cut out in another way


def masks(folder: Path, photos: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Masks of the people in these photos by key, true inside."""
    return {item.key: item.mask > 0 for item in Dataset(folder) if item.row["source_path"] in photos}
