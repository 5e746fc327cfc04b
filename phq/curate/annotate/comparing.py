"""What two states of a dataset say differently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.spatial.transform import Rotation

from phq.camera.angles import apart_deg
from phq.dataset.reader import Dataset
from phq.system.arrays import Doubles

FLIP_DEG = 90.0
"""A torso that has turned by more was taken for the other side."""
STORED = "shard <> ''"
_LABELS = ("camera_yaw_deg", "head_yaw_deg", "smpl_pose", "cam2world", "intrinsics", "image_size")
_DECIDED = ("key", "decision", "reason")


@dataclass(frozen=True)
class Measure:
    """One way in which labels differ."""

    name: str
    text: str
    unit: str


MEASURES = (
    Measure("yaw", "camera yaw about the torso", "°"),
    Measure("head", "head yaw", "°"),
    Measure("pose", "joint that turned most", "°"),
    Measure("neck", "neck in the stored picture", " px"),
)


@dataclass(frozen=True)
class Comparison:
    """Two states, sample by sample; only stored samples that are kept in one of the states."""

    before: Dataset
    after: Dataset
    """The same samples in the same order."""
    changes: dict[str, Doubles]
    """(N,) absolute change of every sample, by the name of a measure."""
    kept: tuple[int, int]
    """Samples kept before and after."""
    left: Counter[str]
    """Samples that are not kept any more, by the reason."""
    entered: Counter[str]
    """Samples that are kept now, by the reason for which they were not."""

    @property
    def flips(self) -> int:
        """Samples whose torso has turned by more than `FLIP_DEG`."""
        return int((self.changes["yaw"] > FLIP_DEG).sum())

    def largest(self, most: int) -> list[int]:
        """Numbers of the samples whose torso or head has turned most, those that have turned at all."""
        turned = np.maximum(self.changes["yaw"], self.changes["head"])
        order = np.argsort(-turned, kind="stable")[:most]
        return [int(i) for i in order if turned[i] > 0]


def compare(dataset: str | Path, before: str | None, after: str | None) -> Comparison:
    """Compare two states, see `phq.dataset.overlays.names_up_to` for their names.

    Raises:
        InputError: no such dataset or state.
    """
    states = [Dataset(dataset, revision=state, rejects=True, where=STORED) for state in (before, after)]
    decisions = [state.columns(_DECIDED) for state in states]
    kept = [np.asarray(pc.equal(table["decision"], "kept")) for table in decisions]
    either = np.flatnonzero(kept[0] | kept[1])
    first, second = (state.select(either) for state in states)
    changes = _changes(first.columns(_LABELS), second.columns(_LABELS))
    left = Counter(decisions[1]["reason"].filter(pa.array(kept[0] & ~kept[1])).to_pylist())
    entered = Counter(decisions[0]["reason"].filter(pa.array(~kept[0] & kept[1])).to_pylist())
    return Comparison(first, second, changes, (int(kept[0].sum()), int(kept[1].sum())), left, entered)


def _changes(before: pa.Table, after: pa.Table) -> dict[str, Doubles]:
    necks = [_necks(table) for table in (before, after)]
    return {
        "yaw": _turn(before["camera_yaw_deg"], after["camera_yaw_deg"]),
        "head": _turn(before["head_yaw_deg"], after["head_yaw_deg"]),
        "pose": _largest_joint_turn(_matrix(before, "smpl_pose", 24, 3), _matrix(after, "smpl_pose", 24, 3)),
        "neck": np.linalg.norm(necks[1] - necks[0], axis=1),
    }


def _turn(before: pa.ChunkedArray, after: pa.ChunkedArray) -> Doubles:
    """(N,) angle between two directions in degrees, 0 to 180."""
    return apart_deg(after.to_numpy(), before.to_numpy())


def _matrix(table: pa.Table, name: str, *shape: int) -> Doubles:
    values: Any = pc.list_flatten(table[name])
    return np.array(values.to_numpy(), np.float64).reshape(-1, *shape)  # a copy: SciPy takes no read-only arrays


def _largest_joint_turn(before: Doubles, after: Doubles) -> Doubles:
    """(N,) degrees of the joint that turned most; (N, 24, 3) axis-angles, of which the root follows the camera."""
    if not len(before):
        return np.zeros(0)
    first, second = (Rotation.from_rotvec(pose[:, 1:].reshape(-1, 3)) for pose in (before, after))
    return np.asarray(np.degrees((first.inv() * second).magnitude()).reshape(len(before), -1).max(1))


def _necks(table: pa.Table) -> Doubles:
    """(N, 2) world origin in pixels of the stored picture."""
    cam2world, K = _matrix(table, "cam2world", 4, 4), _matrix(table, "intrinsics", 3, 3)
    in_camera = -np.einsum("nji,nj->ni", cam2world[:, :3, :3], cam2world[:, :3, 3])
    uvw = np.einsum("nij,nj->ni", K, in_camera)
    return np.asarray(uvw[:, :2] / uvw[:, 2:] * table["image_size"].to_numpy()[:, None])


def record(found: Comparison, before: str, after: str) -> dict[str, Any]:
    """The comparison as JSON has it; changes by the name of a measure, in degrees and pixels."""
    return {
        "before": before,
        "after": after,
        "samples": len(found.before),
        "changes": {name: _spread(change) for name, change in found.changes.items() if len(change)},
        "flips": found.flips,
        "kept": dict(zip(("before", "after"), found.kept, strict=True)),
        "left": dict(found.left),
        "entered": dict(found.entered),
    }


def _spread(change: Doubles) -> dict[str, float]:
    median, p90 = np.quantile(change, (0.5, 0.9)).tolist()
    return {"median": median, "p90": p90, "largest": float(change.max()), "changed": int(np.count_nonzero(change))}


def lines(found: Comparison, before: str, after: str) -> Iterator[str]:
    """The comparison as text."""
    n = len(found.before)
    yield f"{before} → {after}   {n} samples that are kept in either"
    yield f"{'':30}{'median':>10}{'p90':>10}{'largest':>10}{'changed':>10}"
    for measure in MEASURES if n else ():
        *sizes, changed = _spread(found.changes[measure.name]).values()
        numbers = "".join(f"{f'{size:.2f}{measure.unit}':>10}" for size in sizes)
        yield f"{measure.text:30}{numbers}{changed:10.0f}"
    yield f"flips (torso turned by more than {FLIP_DEG:g}°): {found.flips}"
    yield f"kept: {found.kept[0]} → {found.kept[1]}"
    for text, counts in (("left", found.left), ("entered", found.entered)):
        for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            yield f"  {count:6d}  {text:8} {reason}"
