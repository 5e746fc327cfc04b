"""The sample body and head networks are installed as a package is, checked, and used in a build."""

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

from phq.dataset.reader import Dataset

ROOT = Path(__file__).parents[2]
BUILDING = """
import sys
from phq.cli import main
from phq.detect.backends.conformance import complaints
from phq.detect.backends.offers import open_backend
for slot in ("body", "headpose"):
    print(slot, list(complaints(slot, open_backend(slot, "sample"), [], "")))
main()
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What the command prints, and a dataset of one photo by both networks."""
    pytest.importorskip("setuptools")
    pytest.importorskip("pip")
    folder = tmp_path_factory.mktemp("plugin")
    source, target, photos = folder / "source", folder / "site", folder / "photos"
    shutil.copytree(ROOT / "examples" / "body", source)
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, "--target", target, source], check=True)
    photos.mkdir()
    shutil.copy(FOLDER / "scikit-image-0.26.0__astronaut.png", photos)
    words = ["build", str(photos), str(folder / "out"), "--preset", "everything", "--size", "128"]
    words += ["--executor", "inline", "--set", "models.body=sample", "--set", "models.headpose=sample"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(target), str(ROOT)])}
    call = [sys.executable, "-c", BUILDING, *words]
    done = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, folder / "out"


def test_both_keep_to_their_protocols(built: tuple[str, Path]) -> None:
    assert "body []" in built[0]
    assert "headpose []" in built[0]


def test_a_body_of_another_package_makes_the_labels(built: tuple[str, Path]) -> None:
    run = json.loads((built[1] / "run.json").read_text())
    models = run["config"]["models"]
    assert (models["body"], models["headpose"]) == ("sample", "sample")
    assert "sample-body" in json.dumps(run["weights"])
    (item,) = Dataset(built[1], rejects=True)
    row = item.row
    assert row["orientation_sigma_deg"] == 25.0
    assert abs(row["camera_yaw_deg"]) < 90  # a front, by a network that is not good
    assert 0 < row["reprojection_error"] < 2
    pose = np.reshape(row["smpl_pose"], (24, 3))
    assert np.abs(pose[15]).max() > 0
    np.testing.assert_array_equal(pose[[3, 6, 9]], 0)  # it has no spine
