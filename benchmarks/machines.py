"""Which parts of a dataset differ between machines: one build under each set of processor features.

    python benchmarks/machines.py WORK [--photos examples/photos] [--cli cli.py] [--size 256] [--only NAME …]
        [--emulate 'qemu-x86_64 -cpu Nehalem']

Libraries choose their kernels by the processor's features; environment variables make all but ONNX Runtime choose as on
an older processor. Every build has one worker and is compared with one without such variables: files by their bytes,
pictures and columns by their largest difference. A build that is there is not made again. ``--emulate`` adds a build on
an emulated processor, the only way to steer ONNX Runtime's kernels too; it takes a minute or more a photo.

Prints a line an environment, then a line a column or picture that differs. Exits 1 if a file differs.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

_OPENCV = "AVX2,FP16,AVX512-SKX"
PROCESSORS: dict[str, dict[str, str]] = {
    "BLAS Nehalem": {"OPENBLAS_CORETYPE": "Nehalem"},
    "BLAS Sandybridge": {"OPENBLAS_CORETYPE": "Sandybridge"},
    "BLAS Haswell": {"OPENBLAS_CORETYPE": "Haswell"},
    "OpenCV no AVX2": {"OPENCV_CPU_DISABLE": _OPENCV},
    "OpenCV SSE3": {"OPENCV_CPU_DISABLE": f"SSE4.1,SSE4.2,AVX,{_OPENCV}"},
    "OpenCV without IPP": {"OPENCV_IPP": "disabled"},
    "numpy baseline": {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"},
    "glibc no FMA": {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA,-FMA4,-AVX2"},
}
"""Variables by the processor, or the library on a processor, that they stand for."""
PROCESSORS["all of them"] = {
    name: value
    for kind in ("BLAS Nehalem", "OpenCV SSE3", "OpenCV without IPP", "numpy baseline", "glibc no FMA")
    for name, value in PROCESSORS[kind].items()
}
REFERENCE, EMULATED = "as it is", "emulated"
TOLD_BY_A_RUN = {"run.json", ".phq-inputs.parquet"}
"""Files that tell of one run on one machine."""


def build(asked: argparse.Namespace, name: str) -> Path:
    """Build under an environment, unless it was done before; the folder."""
    out: Path = asked.work / name.replace(" ", "-")
    if not (out / "manifest.parquet").exists():
        before = shlex.split(asked.emulate) if name == EMULATED else []
        command = [*before, sys.executable, asked.cli, "build", asked.photos, out, "--size", asked.size, "--workers", 1]
        variables = {"PYTHONPATH": str(asked.cli.resolve().parent), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [str(word) for word in command],
            env=os.environ | variables | PROCESSORS.get(name, {}), capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            sys.exit(f"{name}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return out


def files(folder: Path) -> dict[str, str]:
    """sha256 by path of every file that does not tell of a run."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in TOLD_BY_A_RUN]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def pictures(folder: Path) -> dict[str, bytes]:
    """Bytes of every JPEG and mask by name."""
    found = {}
    for shard in sorted(folder.glob("*/*.tar")):
        with tarfile.open(shard) as archive:
            found.update((m.name, archive.extractfile(m).read()) for m in archive if not m.name.endswith("json"))  # type: ignore[union-attr]
    return found


def apart(one: Any, other: Any) -> tuple[float, bool]:
    """Largest difference of two values, with whether they are numbers; infinite if they cannot be compared."""
    try:
        a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
    except (ValueError, TypeError):
        return (0.0 if one == other else np.inf), False
    if a.shape != b.shape:
        return np.inf, True
    return float(np.max(np.abs(a - b), initial=0)), True


def people(folder: Path, table: str) -> dict[tuple[str, int], dict[str, Any]]:
    """Rows of a table by photo and number of the person."""
    rows = pq.read_table(folder / table).to_pylist()
    return {(row["source_path"], row["person_index"]): row for row in rows}


def column_differences(before: Path, after: Path) -> Iterator[str]:
    """A line for each column of both tables that differs; nothing of where members are in their shards."""
    for table in ("manifest.parquet", "rejects.parquet"):
        one, other = people(before, table), people(after, table)
        if one.keys() != other.keys():
            yield f"{table}: {len(one.keys() ^ other.keys())} people are in one dataset alone"
        both = sorted(one.keys() & other.keys())
        for name in one[both[0]] if both else ():
            if name == "shard" or (name.endswith(("_offset", "_size")) and name != "image_size"):
                continue
            differences = [apart(one[who][name], other[who][name]) for who in both]
            if count := sum(value > 0 for value, _ in differences):
                most = max(differences)
                by = f", by {most[0]:.2g}" if most[1] else ""
                yield f"{table.partition('.')[0]} {name}: {count} of {len(both)}{by}"


def picture_differences(before: Path, after: Path) -> Iterator[str]:
    """A line for JPEGs and one for masks that differ."""
    names = [{who: row["key"] for who, row in people(side, "manifest.parquet").items()} for side in (before, after)]
    one, other = pictures(before), pictures(after)
    for ending in ("jpg", "mask.png"):
        pairs = [
            (one[f"{names[0][who]}.{ending}"], other[f"{names[1][who]}.{ending}"])
            for who in names[0]
            if who in names[1]
        ]
        if differ := [pair for pair in pairs if pair[0] != pair[1]]:
            levels = max(apart(*(np.asarray(Image.open(io.BytesIO(side))) for side in pair))[0] for pair in differ)
            yield f"{ending}: {len(differ)} of {len(pairs)}, by {levels:.0f} levels of 255"


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--photos", type=Path, default=Path("examples/photos"))
    parser.add_argument("--cli", type=Path, default=Path("cli.py"))
    parser.add_argument("--size", default="256")
    parser.add_argument("--only", nargs="*", default=list(PROCESSORS), choices=PROCESSORS)
    parser.add_argument("--emulate", help="command that runs a program on another processor")
    asked = parser.parse_args()
    reference = build(asked, REFERENCE)
    expected, worst = files(reference), 0
    for name in [*asked.only, *([EMULATED] if asked.emulate else [])]:
        out = build(asked, name)
        found = files(out)
        differ = [path for path in expected.keys() | found.keys() if expected.get(path) != found.get(path)]
        worst = max(worst, len(differ))
        print(f"{name}: {len(differ)} of {len(expected)} files differ", flush=True)
        for line in (*column_differences(reference, out), *picture_differences(reference, out)):
            print(f"    {line}", flush=True)
    sys.exit(bool(worst))


if __name__ == "__main__":
    main()
