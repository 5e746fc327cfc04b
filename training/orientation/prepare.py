"""Photos or renders to one npz: a crop of every person, its truth, and what BlazePose sees there.

    python prepare.py renders OUT.npz DIR [DIR ...] [--detect] [--like TRAIN.npz] [--degrade SEED]
    python prepare.py multiview OUT.npz FOLDER [--cut METRES]
    python prepare.py pseudo OUT.npz VIDEO [VIDEO ...]

`renders` reads NNNNN.jpg with NNNNN.json and masks/NNNNN.png; boxes are the true ones, shaken as a detector shakes
them, or with ``--detect`` the detectors' own; ``--degrade`` first makes small, blurred, noisy photos of them.
`multiview` reads cam*.mp4 and Calib.qca.txt, and keeps the largest person; ``--cut`` ends the photo so far below the
neck. `pseudo` reads every third frame of videos.
Arrays: images (N, 256, 256, 3) uint8, the run-time region times 1.6; masks (N, 256, 256); rotations (N, 2, 3, 3) of
torso and head (left, up, front) into a camera that looks straight at the part, level with the image (of `multiview`:
of the world into that camera); evidence, see `phq.orient.fuse.evidence_of`; scale (N,) photo pixels a template metre;
centre (N, 2) the neck in the photo; points (N, 33, 2) landmarks there; names; framing.
"""

from __future__ import annotations

import argparse
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from augment import colour

from phq.camera.convention import level_view
from phq.detect.boxes import iou
from phq.detect.stage import DetectPeople
from phq.evaluate.truth import JOINT_OF, PART_AXES
from phq.keypoints.region import Region, sample
from phq.keypoints.stage import FindLandmarks, box_of
from phq.orient.crop import orientation_region
from phq.orient.fuse import blazepose_angles, evidence_of
from phq.photos.decode import decode
from phq.pose.closed_form import fit_torso
from phq.work import Person, Photo

SIZE = 256
MARGIN = 1.6
HELD_BACK = 5
"""Every fifth person never trains the network; the fusion learns from them."""
DROPPED_MASK = 100
"""Fewer visible pixels than this is nobody."""


def truth_rotations(main: dict[str, Any]) -> np.ndarray:
    """(2, 3, 3) torso and head as their lines of sight see them."""
    joints = dict(zip(main["joints_names"], np.array(main["joints3d_cam"]), strict=True))
    return np.stack([level_view(joints[j]) @ np.array(main[p]["R_cam"]) @ PART_AXES for p, j in JOINT_OF.items()])


def shaken(box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A box as a detector gives it: every edge off by a few percent."""
    reach = np.tile(box[2:] - box[:2], 2)
    return box + rng.normal(0, 0.03, 4) * reach


def degraded(pixels: np.ndarray, truth: dict[str, Any], seed: int) -> tuple[np.ndarray, float]:
    """The photo as a bad, distant camera takes it (heads of 20 to 120 px), and how much smaller it became."""
    rng = np.random.default_rng([seed, *truth["seed"]])
    main = truth["people"][0]
    chin_to_crown = np.array(main["face_points"]["crown"]["uv"]) - main["joints2d"][main["joints_names"].index("neck")]
    head = max(float(np.linalg.norm(chin_to_crown)), 20.0)
    shrink = min(1.0, float(np.exp(rng.uniform(np.log(20), np.log(120)))) / head)
    small = cv2.resize(colour(rng, pixels), None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), float(rng.uniform(0.1, 1.2)))
    noisy = np.clip(small + rng.normal(0, rng.uniform(0, 14), small.shape), 0, 255).astype(np.uint8)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 95))]
    return cv2.imdecode(cv2.imencode(".jpg", noisy, quality)[1], cv2.IMREAD_COLOR), shrink


def photo_of(path: Path, pixels: np.ndarray) -> Photo:
    """A decoded photo without people."""
    return Photo(path, path.name, pixels, {"image_height": pixels.shape[0], "image_width": pixels.shape[1]})


def add_person(photo: Photo, box: np.ndarray) -> None:
    """The photo's only person is in `box`."""
    fields = dict(zip(("box_x0", "box_y0", "box_x1", "box_y1"), map(float, box), strict=True))
    photo.people = [Person(photo, 0, fields)]


def record(person: Person, mask: np.ndarray | None = None) -> dict[str, Any]:
    """Crop and evidence of a person that has landmarks."""
    fit = fit_torso(person.runs, box_of(person))
    region = orientation_region(fit)
    wide = Region(region.cx, region.cy, region.side * MARGIN)
    assert person.photo.pixels is not None
    grey = np.zeros(person.photo.pixels.shape[:2], np.uint8) if mask is None else mask
    return {
        "images": sample(person.photo.pixels, wide, SIZE),
        "masks": sample(np.repeat(grey[..., None], 3, 2), wide, SIZE)[..., 0],
        "evidence": evidence_of(person, fit),
        "scale": fit.px_per_metre,
        "centre": fit.neck_px,
        "points": np.median([run.points for run in person.runs], axis=0),
    }


def renders(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every render of some folders."""
    detect, landmarks = DetectPeople(0.4, 0.25, True), FindLandmarks(fast=False)
    landmarks.setup()
    if options.detect:
        detect.setup()
    rows = []
    wanted = set(np.load(options.like)["names"][::HELD_BACK]) if options.like else None
    for path in sorted(p for folder in options.folders for p in folder.glob("*.json")):
        if wanted is not None and f"{path.parent.name}/{path.stem}" not in wanted:
            continue
        truth = json.loads(path.read_text())
        main = truth["people"][0]
        if main["mask_pixels"] < DROPPED_MASK:
            continue
        pixels, shrink = decode(path.with_suffix(".jpg")).pixels, 1.0
        if options.degrade is not None:
            pixels, shrink = degraded(pixels, truth, options.degrade)
        photo = photo_of(path, pixels)
        box = np.array(main["bbox_visible_xyxy"], float) * shrink
        if options.detect:
            detect.process([photo])
            overlaps = [float(iou(box[None], box_of(p)[None])[0, 0]) for p in photo.people]
            if max(overlaps, default=0) < 0.4:
                print("missed", path.name, flush=True)
                continue
            photo.people = [photo.people[int(np.argmax(overlaps))]]
        else:
            add_person(photo, shaken(box, np.random.default_rng(truth["seed"])))
        landmarks.process([photo])
        person = photo.people[0]
        if person.rejected is not None:
            continue
        seen = cv2.imread(str(path.parent / truth["mask"]), cv2.IMREAD_GRAYSCALE)
        mask = np.where(seen == main["mask_value"], 255, 0).astype(np.uint8)
        row = record(person, cv2.resize(mask, pixels.shape[1::-1]))
        name = f"{path.parent.name}/{path.stem}"
        rows.append({**row, "rotations": truth_rotations(main), "names": name, "framing": truth["framing"]})
        if len(rows) % 100 == 0:
            print(len(rows), flush=True)
    return rows


def cameras(path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """(world-to-camera rotation, K) of every camera of a Qualisys file, whose rows are right, up, back of a camera."""
    found = []
    for camera in ET.parse(path).getroot().iter("camera"):
        transform, inner = camera.find("transform"), camera.find("intrinsic")
        assert transform is not None and inner is not None
        turn = np.array([[float(transform.attrib[f"r{i}{j}"]) for j in (1, 2, 3)] for i in (1, 2, 3)])
        fx, fy, cx, cy = (
            float(inner.attrib[k]) / 64 for k in ("focalLengthU", "focalLengthV", "centerPointU", "centerPointV")
        )
        found.append((np.diag([1.0, -1, -1]) @ turn, np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])))
    return found


def cut_photo(person: Person, metres: float) -> Photo:
    """The photo as a headshot would be: it ends so far below the neck."""
    fit, box = fit_torso(person.runs, box_of(person)), box_of(person)
    pixels = person.photo.pixels
    assert pixels is not None
    end = int(np.clip(fit.neck_px[1] + metres * fit.px_per_metre, box[1] + 32, len(pixels)))
    photo = photo_of(person.photo.path, np.ascontiguousarray(pixels[:end]))
    add_person(photo, np.minimum(box, [*box[:3], end]))
    return photo


def multiview(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every frame of calibrated videos; `rotations` leads from the world to the level view of the neck (twice)."""
    detect, landmarks = DetectPeople(0.4, 0.25, False), FindLandmarks(fast=False)
    detect.setup()
    landmarks.setup()
    rows = []
    folder = options.folders[0]
    for (turn, K), path in zip(cameras(folder / "Calib.qca.txt"), sorted(folder.glob("*.mp4")), strict=True):
        video, instant = cv2.VideoCapture(str(path)), 0
        while (frame := video.read())[0]:
            photo = photo_of(path, np.ascontiguousarray(frame[1][..., ::-1]))
            detect.process([photo])
            if photo.people:
                photo.people = [max(photo.people, key=lambda p: float(np.prod(box_of(p)[2:] - box_of(p)[:2])))]
                landmarks.process([photo])
                if options.cut is not None:
                    photo = cut_photo(photo.people[0], options.cut)
                    landmarks.process([photo])
                row = record(photo.people[0])
                view = level_view(np.linalg.solve(K, [*row["centre"], 1])) @ turn
                name = f"{path.stem}/{instant:03d}"
                rows.append({**row, "rotations": np.stack([view, view]), "names": name, "framing": "full"})
            instant += 1
        print(path.name, instant, flush=True)
    return rows


def pseudo(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Real people in video frames, with the closed-form fit as truth where whole bodies are seen and the runs agree."""
    detect, landmarks = DetectPeople(0.4, 0.25, False), FindLandmarks(fast=False)
    detect.setup()
    landmarks.setup()
    rows = []
    for path in options.folders:
        video, instant = cv2.VideoCapture(str(path)), 0
        while (frame := video.read())[0]:
            instant += 1
            if instant % 3:
                continue
            photo = photo_of(path, np.ascontiguousarray(frame[1][..., ::-1]))
            detect.process([photo])
            landmarks.process([photo])
            for person in photo.people:
                row = record(person)
                inside, presence, residual = row["evidence"][72:105], row["evidence"][138], row["evidence"][141]
                runs = blazepose_angles(row["evidence"])[1:, 0, 0]
                spread = np.abs((runs[:, None] - runs[None] + 180) % 360 - 180).max()
                if inside[:25].all() and presence > 0.9 and residual < 0.25 and spread < 20:
                    truth = row["evidence"][:18].reshape(2, 3, 3)
                    name = f"{path.stem}/{instant:05d}.{person.index}"
                    rows.append({**row, "rotations": truth, "names": name, "framing": "full"})
    return rows


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["renders", "multiview", "pseudo"])
    parser.add_argument("out", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--detect", action="store_true")
    parser.add_argument("--like", type=Path, help="only the people that training on this npz holds back")
    parser.add_argument("--degrade", type=int)
    parser.add_argument("--cut", type=float)
    options = parser.parse_args()
    rows = {"renders": renders, "multiview": multiview, "pseudo": pseudo}[options.kind](options)
    np.savez(options.out, **{key: np.array([row[key] for row in rows]) for key in rows[0]})
    print(options.out, len(rows))


if __name__ == "__main__":
    main()
