"""Errors of torso and head yaw: BlazePose in closed form, the network, both fused.

python evaluate.py ORIENTATION.onnx --bench BENCH.npz --multiview MULTIVIEW.npz --calibration Calib.qca.txt
    [--cut CUT.npz] [--people PHOTOS.npz ...]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from phq.pose.orient.angles import angles_of
from phq.pose.orient.decode import decode
from phq.pose.orient.fuse import fuse
from phq.pose.orient.net import BODY_SIDE, HEAD_SIDE, both_ways

BODY_MARGIN, HEAD_MARGIN = 1.6, 1.4
"""Stored crops are so much wider than the run-time regions."""


def centre_crops(images: np.ndarray, size: int, margin: float) -> np.ndarray:
    """(N, size, size, 3) uint8: the run-time region of stored crops."""
    stored = images.shape[1]
    zoom = size / stored * margin
    shift = size / 2 - 0.5 - zoom * (stored / 2 - 0.5)
    affine = np.array([[zoom, 0, shift], [0, zoom, shift]])
    return np.stack([cv2.warpAffine(image, affine, (size, size)) for image in images])


def wrap(degrees: np.ndarray) -> np.ndarray:
    """Into [−180, 180)."""
    return (degrees + 180) % 360 - 180


def row(name: str, off: np.ndarray) -> str:
    """Median, p90 and flips of torso and head."""
    off = np.abs(off)
    cells = [f"{np.median(o):5.1f} {np.percentile(o, 90):6.1f} {100 * (o > 90).mean():5.1f}%" for o in off.T]
    return f"{name:28s} n={len(off):4d} | " + " | ".join(cells)


def true_yaw(rotations: np.ndarray) -> np.ndarray:
    """(N, 2)."""
    return np.array([[angles_of(r)[0] for r in pair] for pair in rotations])


def open_network(path: Path) -> onnxruntime.InferenceSession:
    """Session on the CPU."""
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def outputs(path: Path, data: dict[str, np.ndarray]) -> np.ndarray:
    """(N, 2, 3, 56) outputs for the crops of an npz, see `phq.pose.orient.net.OrientationNet.run`."""
    body, head = (
        centre_crops(data[kind], side, margin)
        for kind, side, margin in (("images", BODY_SIDE, BODY_MARGIN), ("heads", HEAD_SIDE, HEAD_MARGIN))
    )
    network, pieces = open_network(path), np.array_split(np.arange(len(body)), len(body) // 16 + 1)
    return np.concatenate([both_ways(network, body[piece], head[piece]) for piece in pieces])


def answers(raw: np.ndarray, evidence: np.ndarray) -> dict[str, np.ndarray]:
    """(N, 2, 7) of every method; the closed form has angles only."""
    closed = np.array([[angles_of(r) for r in pair] for pair in evidence[:, :18].reshape(-1, 2, 3, 3)])
    fused = np.array([fuse(r, e) for r, e in zip(raw, evidence, strict=True)])
    return {"closed form": closed, "net": np.array([decode(r[:, 0].mean(0)) for r in raw]), "fused": fused}


def bench_report(data: dict[str, np.ndarray], methods: dict[str, np.ndarray]) -> None:
    """By part of the bench, framing and head yaw."""
    true = true_yaw(data["rotations"])
    number = np.array([int(n.split("/")[1]) for n in data["names"]])
    groups = {"all": number >= 0, "tuning part": number % 3 != 0, "held-back third": number % 3 == 0}
    for f in ("headshot", "half", "full"):
        groups[f] = data["framing"] == f
        groups[f + " (held back)"] = groups[f] & (number % 3 == 0)
    sector = np.rint(true[:, 1] / 45).astype(int) * 45
    for s in (0, 45, 90, 135, 180):
        groups[f"head yaw ±{s}"] = np.abs(sector) == s
    for group, keep in groups.items():
        for method, yaw in methods.items():
            print(row(f"{group}: {method}", wrap(yaw[:, :, 0] - true)[keep]))
    tilt = np.array([[angles_of(r)[1:] for r in pair] for pair in data["rotations"]])
    for method, angles in methods.items():
        off = np.abs(wrap(angles[:, :, 1:3] - tilt))
        torso, head = np.median(off, 0)
        print(f"{method}: pitch, roll median: torso {torso.round(1)}, head {head.round(1)}")
        if angles.shape[2] > 3:
            z = np.abs(wrap(angles[:, :, 0] - true)) / angles[:, :, 3]
            flips = (np.abs(wrap(angles[:, :, 0] - true)) > 90).mean(0)
            print(
                f"  within 1 sigma {(z < 1).mean(0).round(2)}, 2 sigma {(z < 2).mean(0).round(2)};"
                f" p_flip says {angles[:, :, 6].mean(0).round(3)}, flips {flips.round(3)}"
            )


def multiview_pairs(data: dict[str, np.ndarray], yaw: np.ndarray, sights: np.ndarray) -> np.ndarray:
    """(P, 2) errors of relative yaw between cameras at the same instant."""
    instants: dict[str, list[int]] = {}
    for i, name in enumerate(data["names"]):
        instants.setdefault(name.split("/")[1], []).append(i)
    pairs = [(i, j) for group in instants.values() for k, i in enumerate(group) for j in group[k + 1 :]]
    off = [yaw[i] - yaw[j] - (sights[i] - sights[j]) for i, j in pairs]
    return wrap(np.array(off))


def multiview_report(data: dict[str, np.ndarray], methods: dict[str, np.ndarray], true: np.ndarray) -> None:
    """Torso yaw against the triangulated torso, by camera; relative yaw between cameras."""
    camera = -data["rotations"][:, 0, 2]
    sights = np.degrees(np.arctan2(camera[:, 1], camera[:, 0]))
    number = np.array([int(n[3:5]) for n in data["names"]])
    for method, angles in methods.items():
        off = np.abs(wrap(angles[:, 0, 0] - true[:, 0]))
        for label, keep in [("all cameras", number > 0), *((f"camera {k}", number == k) for k in (1, 2, 3, 4))]:
            o = off[keep]
            flips = 100 * (o > 90).mean()
            print(f"{label}: {method:12s} torso {np.median(o):5.1f} {np.percentile(o, 90):6.1f} {flips:5.1f}%")
        relative = multiview_pairs(data, angles[:, :, 0], np.stack([sights, sights], 1))
        print(row(f"relative yaw: {method}", relative))


def people_report(data: dict[str, np.ndarray], methods: dict[str, np.ndarray]) -> None:
    """Real people with pseudo-labels in cut photos, by the side of them that is seen and by how much is left."""
    true, side = true_yaw(data["rotations"]), np.abs(true_yaw(data["rotations"])[:, 0])
    cut, known = data["cut"], np.isfinite(data["label_sigma"])
    groups = {
        "all cut": cut < 1, "front": (cut < 1) & (side <= 45), "side": (cut < 1) & (side > 45) & (side <= 135),
        "back": (cut < 1) & (side > 135), "headshots": cut < 0.35, "headshots, back": (cut < 0.35) & (side > 135),
    }  # fmt: skip
    for group, keep in groups.items():
        for method, yaw in methods.items():
            off = np.where(known, np.abs(wrap(yaw[:, :, 0] - true)), np.nan)[keep]
            flips = [100 * np.mean(o[np.isfinite(o)] > 90) for o in off.T]
            middle, most = np.nanmedian(off, 0), np.nanpercentile(off, 90, axis=0)
            cells = [f"{m:5.1f} {p:6.1f} {f:5.1f}%" for m, p, f in zip(middle, most, flips, strict=True)]
            print(f"{group + ': ' + method:28s} n={len(off):4d} | " + " | ".join(cells))
    fused, off = methods["fused"][cut < 1], np.abs(wrap(methods["fused"][:, :, 0] - true))[cut < 1]
    for low, high in ((0, 0.003), (0.003, 0.01), (0.01, 0.03), (0.03, 0.1), (0.1, 0.3), (0.3, 1)):
        here = (fused[:, 0, 6] >= low) & (fused[:, 0, 6] < high)
        if here.any():
            stated, found = fused[here, 0, 6].mean(), (off[here, 0] > 90).mean()
            print(f"  p_flip {low}..{high}: n={here.sum()} stated {stated:.4f} found {found:.4f}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path)
    parser.add_argument("--bench", type=Path)
    parser.add_argument("--multiview", type=Path)
    parser.add_argument("--calibration", type=Path)
    parser.add_argument("--cut", type=Path, help="the same videos, prepared with --cut")
    parser.add_argument("--people", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    for path in options.people:
        data = dict(np.load(path))
        print(path.name)
        people_report(data, answers(outputs(options.network, data), data["evidence"]))
    if options.bench:
        data = dict(np.load(options.bench))
        bench_report(data, answers(outputs(options.network, data), data["evidence"]))
    if options.multiview:
        from triangulate import torso_truth  # imports prepare, which needs the detectors

        data = dict(np.load(options.multiview))
        true = torso_truth(data, options.calibration)
        multiview_report(data, answers(outputs(options.network, data), data["evidence"]), true)
        if options.cut:
            place = {name: i for i, name in enumerate(data["names"])}
            data = dict(np.load(options.cut))
            methods = answers(outputs(options.network, data), data["evidence"])
            print("photos cut below the neck")
            multiview_report(data, methods, true[[place[name] for name in data["names"]]])


if __name__ == "__main__":
    main()
