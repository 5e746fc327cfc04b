"""Each extra alone: a fresh environment, what pip puts there, and whether it works.

    python benchmarks/extras.py                      the small ones
    python benchmarks/extras.py mediapipe yolo full  these
    python benchmarks/extras.py --python python3.13

For each extra ``pip install 'phq[EXTRA]'`` of this checkout into an environment of its own; then ``phq build`` of two
photos, the extra's own smoke, ``pip check``, and what ``import cv2`` gives. Needs a package index. With
``PHQ_TASK_FILE`` the extra mediapipe builds with that file. Environments are deleted; the largest is as large as torch.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PHOTOS = ("scikit-image-0.26.0__astronaut.png", "sports2d-0.8.34__demo_f130.jpg")
SMOKE = {
    "": "",
    "fid": "import torch_fidelity",
    "heif": (
        "from pathlib import Path; import pillow_heif; from PIL import Image; from phq.photos.decode import decode;"
        "pillow_heif.register_heif_opener(); Image.new('RGB', (640, 480)).save('a.heic');"
        "assert decode(Path('a.heic')).pixels.shape == (480, 640, 3)"
    ),
    "insightface": "import insightface.model_zoo",
    "headpose": "import h5py, onnx",
    "mediapipe": "from mediapipe.tasks.python import vision; import phq.detect.backends.mediapipe.people",
    "ray": "import ray.data; import phq.building.executors.ray_data",
    "remote": "import aiohttp, s3fs; from upath import UPath; UPath('memory://a').write_text('b')",
    "report": "from phq.cli import app; app(['report', 'out'])",
    "review": "import phq.view.review.app, phq.view.review.serving",
    "smplx": "import smplx; import phq.pose.smplx_package",
    "train": "import phq.generator.train.networks, phq.generator.use.meshing",
    "video": "import av; assert 'h264' in av.codecs_available",
    "viewer": "import viser; import phq.generator.use.viewing",
    "yolo": "import ultralytics; ultralytics.YOLO('yolo11n.yaml')",
    "full": "import insightface, mediapipe, smplx, torch_fidelity, ultralytics, viser",
}
"""What is run with each extra beside the build, in a folder of its own where ``out`` is the dataset."""
RUN_PHQ = "from phq.cli import main; main()"
WITHOUT_TORCH = "heif,insightface,mediapipe,remote,report,review,video"
SMOKE[WITHOUT_TORCH] = "import av, insightface, mediapipe, pillow_heif, s3fs"
SMALL = ("", "heif", "remote", "report", "review", "video", "mediapipe", "insightface", WITHOUT_TORCH)


@dataclass
class Row:
    """What became of one extra."""

    extra: str
    packages: int = 0
    """That pip installed, phq included."""
    megabytes: float = 0
    """Of the environment."""
    seconds: float = 0
    """That pip took."""
    cv2: str = ""
    smoke: str = "not installed"


def run(*command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command's end; its output is kept."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    parts = [str(part) for part in command]
    return subprocess.run(parts, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def tried(extra: str, python: str, folder: Path) -> Row:
    """One extra in one environment below `folder`."""
    row, env = Row(extra), folder / "env"
    run(python, "-m", "venv", env)
    own = next(path for path in (env / "bin" / "python", env / "Scripts" / "python.exe") if path.exists())
    start = time.monotonic()
    installed = run(own, "-m", "pip", "install", "--no-cache-dir", f"{ROOT}[{extra}]" if extra else ROOT)
    row.seconds = time.monotonic() - start
    if installed.returncode:
        row.smoke = _last_line(installed.stderr)
        return row
    listed = json.loads(run(own, "-m", "pip", "list", "--format", "json").stdout)
    row.packages = len([package for package in listed if package["name"] not in ("pip", "setuptools")])
    row.megabytes = sum(path.lstat().st_size for path in env.rglob("*") if path.is_file()) / 1e6
    row.cv2 = run(own, "-c", "import cv2; print(cv2.__version__)").stdout.strip() or "not importable"
    row.smoke = "; ".join(_faults(own, extra, folder)) or "passes"
    return row


def _faults(python: Path, extra: str, folder: Path) -> Iterator[str]:
    """A sentence for each thing that does not work."""
    photos = folder / "photos"
    photos.mkdir()
    for name in PHOTOS:
        shutil.copy(ROOT / "examples" / "photos" / name, photos)
    words = []
    if ("mediapipe" in extra or extra == "full") and "PHQ_TASK_FILE" in os.environ:
        word = f"mediapipe:{os.environ['PHQ_TASK_FILE']}"
        words = [f"--set=models.{place}={word}" for place in ("detector", "skeleton", "landmarks")]
    steps = {
        "build": ("-c", RUN_PHQ, "build", "photos", "out", "--size", "128", "--workers", "1", *words),
        "smoke": ("-c", SMOKE[extra]),
        "pip check": ("-m", "pip", "check"),
    }
    for step, command in steps.items():
        done = run(python, *command, cwd=folder)
        if done.returncode:
            yield f"{step}: {_last_line(done.stderr + done.stdout)}"
    told = run(python, "-c", "from phq.system.opencv import trouble; print(trouble() or '')", cwd=folder).stdout.strip()
    if told:
        yield told


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "failed")


def main() -> None:
    """Print a line for each extra as soon as it is known; exit code 1 if one does not work."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("extras", nargs="*", default=SMALL, help=f"of {', '.join(filter(None, SMOKE))}")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the environments")
    parser.add_argument("--scratch", type=Path, help="folder for the environments")
    options = parser.parse_args()
    print("| extra | packages | MB | seconds | cv2 | smoke |\n|---|---|---|---|---|---|")
    rows = []
    for extra in options.extras:
        with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
            row = tried(extra, options.python, Path(folder))
        rows.append(row)
        columns = (row.extra or "none", row.packages, f"{row.megabytes:.0f}", f"{row.seconds:.0f}", row.cv2, row.smoke)
        print("| " + " | ".join(map(str, columns)) + " |", flush=True)
    sys.exit(any(row.smoke != "passes" for row in rows))


if __name__ == "__main__":
    main()
