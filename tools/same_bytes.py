"""Whether two versions of phq make the same bytes: datasets of photographs, of renders, extended and annotated again.

    python tools/same_bytes.py 'OLD/bin/python OLD/cli.py' 'NEW/bin/python NEW/cli.py' WORK --photos examples/photos
        [--renders BENCH/set]

Each command is one way to start phq. The datasets are made in WORK/before and WORK/after; one that is there is not made
again, so the older version is run once for many comparisons. Every file is compared but ``run.json``, which has times,
and the list of inputs beside it, which has those of files. Exits 1 and names the files if any differ.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

TOLD_BY_A_RUN = {"run.json", ".phq-inputs.parquet"}
"""Files that tell of one run on one machine."""
SIZE = "256"


def phq(command: str, *arguments: str | Path) -> str:
    """Run one command of a version of phq, with the folder of its ``cli.py`` first on the path; what it printed."""
    words = shlex.split(command)
    environment = os.environ | {"PYTHONPATH": str(Path(words[-1]).resolve().parent)}
    done = subprocess.run([*words, *map(str, arguments)], capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        sys.exit(
            f"{' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        )
    return done.stdout


def make(command: str, work: Path, photos: Path, renders: Path | None) -> None:
    """The datasets of one version, each made once."""
    made = {"photos": [photos], "everything": [photos, "--preset", "everything"]}
    if renders is not None:
        made["renders"] = [renders, "--preset", "everything"]
    for name, (source, *options) in made.items():
        if not (work / name).exists():
            phq(command, "build", source, work / name, "--size", SIZE, *options)
    extended(command, work / "extended", photos)


def extended(command: str, out: Path, photos: Path) -> None:
    """Half of the photos with their rejects, then all of them, then labelled and decided again."""
    if out.exists():
        return
    half = out.with_name("half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    names = sorted(path for path in photos.iterdir() if path.is_file())
    for path in names[::2]:
        shutil.copy2(path, half)
    phq(command, "build", half, out, "--size", SIZE, "--keep-rejects")
    for path in names[1::2]:
        shutil.copy2(path, half)
    phq(command, "build", half, out, "--size", SIZE, "--keep-rejects", "--extend")
    phq(command, "annotate", out, "--name", "again")
    phq(command, "decide", out, "--set", "blur.min=0.5", "--apply")
    option = "--revision" if "--revision" in phq(command, "bake", "--help") else "--overlay"  # an older version
    phq(command, "bake", out, out.with_name("baked"), option, "again")


def hashes(folder: Path) -> dict[str, str]:
    """sha256 by path of every file that does not tell of a run."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in TOLD_BY_A_RUN]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", help="command that starts the older version")
    parser.add_argument("after", help="command that starts the newer version")
    parser.add_argument("work", type=Path, help="folder for the datasets")
    parser.add_argument("--photos", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--renders", type=Path, help="folder of rendered people")
    asked = parser.parse_args()
    found = []
    for name, command in (("before", asked.before), ("after", asked.after)):
        make(command, asked.work / name, asked.photos, asked.renders)
        found.append(hashes(asked.work / name))
    before, after = found
    differ = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    print(f"{len(before)} files before, {len(after)} after, {len(differ)} differ", *differ, sep="\n")
    sys.exit(bool(differ))


if __name__ == "__main__":
    main()
