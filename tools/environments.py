"""Tries phq as a new user would: fresh environments of several Pythons, with the lowest and the newest versions of each
dependency that pyproject.toml allows.

pip install uv
python tools/environments.py WORK
python tools/environments.py WORK --python 3.12 --versions lowest --extras report,hub --photos 3

Only wheels are installed: "lowest" is the lowest allowed version that has one for that Python. Each environment gets
the wheel of this checkout, then builds some of the bundled photos, verifies, decides, reports and publishes; a table
says what held. Exit code 1 if something did not. The environments stay in WORK; those that are there
are made anew. Only Pythons of this machine are used, those on the PATH.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
VERSIONS = {"lowest": "lowest-direct", "newest": "highest"}
"""Word of the table, and uv's for it."""
SHOWN = ("numpy", "opencv-python", "onnxruntime", "pyarrow", "pillow", "pydantic", "scipy", "typer", "duckdb")
"""Packages whose versions the table has."""
STEPS = {
    "build": "build {photos} {work}/set --size 128 --workers 1",
    "verify": "verify {work}/set --workers 1",
    "decide": "decide {work}/set --set blur.min=0.9",
    "report": "report {work}/set",
    "publish": "publish {work}/set --to {work}/copy --accept licences --quick --workers 1 --apply",
}
"""Commands that are run one after the other."""


@dataclass
class Row:
    """One line of the table."""

    python: str
    versions: str
    result: str = "ok"
    """``ok``, ``no such Python here``, or what failed and its last line."""
    packages: str = ""


def main() -> int:
    """Make and try each environment; the number of those that did not hold, at most 1."""
    options = _options()
    work = Path(options.work).resolve()
    work.mkdir(parents=True, exist_ok=True)
    wheel = _wheel(work)
    photos = _photos(work, options.photos)
    rows = []
    for python in options.python.split(","):
        for versions in options.versions.split(","):
            rows.append(_tried(Row(python, versions), work, wheel, photos, options.extras))
            print(_line(rows[-1]), file=sys.stderr, flush=True)
    print("| Python | versions | result | packages |\n|---|---|---|---|")
    print("\n".join(map(_line, rows)))
    return int(any(row.result not in ("ok", ABSENT) for row in rows))


ABSENT = "no such Python here"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", help="folder for the environments; not inside the repository")
    parser.add_argument("--python", default=",".join(PYTHONS), help="versions, separated by commas")
    parser.add_argument("--versions", default=",".join(VERSIONS), help="lowest, newest or both")
    parser.add_argument("--extras", default="report", help="extras to install, separated by commas")
    parser.add_argument("--photos", type=int, default=3, help="number of photos to build")
    return parser.parse_args()


def _uv(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "uv", "--no-python-downloads", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _wheel(work: Path) -> Path:
    source, folder = work / "source", work / "wheel"
    for old in (source, folder):
        shutil.rmtree(old, ignore_errors=True)
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):  # a copy, since setuptools leaves files where it builds
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, source / name)
    done = _uv("build", "--wheel", "--out-dir", folder, source)
    if done.returncode:
        raise SystemExit(done.stderr)
    return next(folder.glob("*.whl"))


def _photos(work: Path, count: int) -> Path:
    """A list of some of the bundled photos, evenly over their names."""
    every = sorted(path for path in (ROOT / "examples" / "photos").iterdir() if path.suffix in (".jpg", ".png"))
    taken = every[:: max(1, len(every) // count)][:count]
    path = work / "photos.txt"
    path.write_text("\n".join(map(str, taken)) + "\n", encoding="utf-8")
    return path


def _tried(row: Row, work: Path, wheel: Path, photos: Path, extras: str) -> Row:
    folder = work / f"{row.python}-{row.versions}"
    shutil.rmtree(folder, ignore_errors=True)
    done = _uv("venv", "--python", row.python, folder / "venv")
    if done.returncode:
        row.result = ABSENT
        return row
    inside = ("--python", folder / "venv" / "bin" / "python")
    asked = [word for extra in filter(None, extras.split(",")) for word in ("--extra", extra)]
    resolution = VERSIONS[row.versions]
    # the dependencies of this project are the direct ones; of the wheel alone they would not be
    how = ("--no-build", "--resolution", resolution)
    done = _uv("pip", "install", *how, "-r", ROOT / "pyproject.toml", *asked, *inside)
    done = done if done.returncode else _uv("pip", "install", "--no-deps", wheel, *inside)
    row.packages = _packages(inside)
    if done.returncode:
        row.result = f"install: {_last(done.stderr)}"
        return row
    for name, words in STEPS.items():
        command = [folder / "venv" / "bin" / "phq", *words.format(photos=photos, work=folder).split()]
        # not from the checkout, whose package would be imported in place of the wheel's
        run = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=_plain(), check=False)
        if run.returncode:
            row.result = f"{name}: {_last(run.stderr)}"
            break
    return row


def _plain() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


def _packages(inside: tuple[object, ...]) -> str:
    frozen = dict(line.split("==", 1) for line in _uv("pip", "freeze", *inside).stdout.splitlines() if "==" in line)
    return ", ".join(f"{name} {frozen[name]}" for name in SHOWN if name in frozen)


def _last(text: str) -> str:
    lines = [
        line.strip() for line in text.splitlines() if line.strip() and not line.startswith("phq: this is an error")
    ]
    return lines[-1] if lines else "no message"


def _line(row: Row) -> str:
    return f"| {row.python} | {row.versions} | {row.result.replace('|', '/')} | {row.packages} |"


if __name__ == "__main__":
    sys.exit(main())
