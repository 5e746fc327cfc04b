"""Photos or renders to one npz: crops of every person, the truth, and BlazePose's evidence.

    python prepare.py renders OUT.npz DIR [DIR ...] [--detect] [--below N] [--views N] [--spoil SEED --textures FOLDER]
    python prepare.py multiview OUT.npz FOLDER [--cut METRES]
    python prepare.py pseudo OUT.npz VIDEO [VIDEO ...]

`renders` reads NNNNN.jpg with NNNNN.json and masks/NNNNN.png, numbers below N; boxes are the true ones, shaken as a
detector shakes them, or with ``--detect`` the detectors' own; ``--spoil`` first makes bad photos of them. `multiview`
reads cam*.mp4 and Calib.qca.txt, and keeps the largest person; ``--cut`` ends the photo so far below the neck. `pseudo`
reads every third frame of videos.
Arrays: images (N, 256, 256, 3) uint8 and heads (N, 184, 184, 3), the run-time regions times 1.6 and 1.4; masks and
head_masks; rotations (N, 2, 3, 3) of torso and head (left, up, front) into a camera that looks straight at the part,
level with the image (of `multiview`: of the world into that camera); evidence, see `phq.pose.orient.fuse.evidence_of`;
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
from augment import load_textures
from evaluate import BODY_MARGIN, HEAD_MARGIN
from spoil import spoilt_photo

from phq.camera.convention import level_view
from phq.config.build import Detect, Models
from phq.detect.boxes import area, iou
from phq.detect.fuse import Detection
from phq.evaluate.truth import JOINT_OF, PART_AXES
from phq.people.person import Person, Photo
from phq.people.record import Source
from phq.photos.decode import decode
from phq.photos.region import Region, sample
from phq.pose.closed_form import fit_torso
from phq.pose.orient.crop import orientation_region
from phq.pose.orient.fuse import blazepose_angles, evidence_of
from phq.stages.detect_people import DetectPeople
from phq.stages.find_landmarks import FindLandmarks

SIZE, HEAD_SIZE = 256, 184
DROPPED_MASK = 100
"""Fewer visible pixels than this is nobody."""


def shaken(box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A box as a detector gives it: every edge off by a few percent."""
    reach = np.tile(box[2:] - box[:2], 2)
    return box + rng.normal(0, 0.03, 4) * reach


def photo_of(path: Path, pixels: np.ndarray) -> Photo:
    """A decoded photo without people."""
    return Photo(path, path.name, pixels, Source("", pixels.shape[1], pixels.shape[0]))


def add_person(photo: Photo, box: np.ndarray) -> None:
    """The photo's only person is in `box`."""
    photo.people = [Person(photo, 0, Detection(box).part())]


def widened(region: Region, margin: float) -> Region:
    """The same square with room round it for augmentation."""
    return Region(region.cx, region.cy, region.side * margin)


def record(person: Person, mask: np.ndarray | None = None) -> dict[str, Any]:
    """Crop and evidence of a person that has landmarks."""
    fit = fit_torso(person.runs, person.box.edges)
    regions = orientation_region(fit)
    wide, near = widened(regions.body, BODY_MARGIN), widened(regions.head, HEAD_MARGIN)
    assert person.photo.pixels is not None
    grey = np.zeros(person.photo.pixels.shape[:2], np.uint8) if mask is None else mask
    return {
        "heads": sample(person.photo.pixels, near, HEAD_SIZE),
        "head_masks": sample(np.repeat(grey[..., None], 3, 2), near, HEAD_SIZE)[..., 0],
        "images": sample(person.photo.pixels, wide, SIZE),
        "masks": sample(np.repeat(grey[..., None], 3, 2), wide, SIZE)[..., 0],
        "evidence": evidence_of(person, fit),
        "centre": fit.neck_px,
        "points": np.median([run.points for run in person.runs], axis=0),
    }


def truth_rotations(main: dict[str, Any], turn: np.ndarray) -> np.ndarray:
    """(2, 3, 3) torso and head as their lines of sight see them, the camera turned about its axis."""
    joints = dict(zip(main["joints_names"], np.array(main["joints3d_cam"]) @ turn.T, strict=True))
    return np.stack(
        [level_view(joints[j]) @ turn @ np.array(main[p]["R_cam"]) @ PART_AXES for p, j in JOINT_OF.items()]
    )


def renders(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every render of some folders."""
    detect, landmarks = DetectPeople(Detect(), Models()), FindLandmarks()
    landmarks.setup()
    if options.detect:
        detect.setup()
    textures = load_textures(options.textures) if options.textures else []
    rows = []
    for path in sorted(p for folder in options.folders for p in folder.glob("*.json")):
        if not path.with_suffix(".jpg").exists() or int(path.stem) >= options.below:
            continue
        truth = json.loads(path.read_text())
        main = truth["people"][0]
        if main["mask_pixels"] < DROPPED_MASK:
            continue
        pixels, turn = decode(path.with_suffix(".jpg")).pixels, np.eye(3)
        seen = cv2.imread(str(path.parent / truth["mask"]), cv2.IMREAD_GRAYSCALE)
        mask = cv2.resize(np.where(seen == main["mask_value"], 255, 0).astype(np.uint8), pixels.shape[1::-1])
        box = np.array(main["bbox_visible_xyxy"], float)
        if options.spoil is not None:
            rng = np.random.default_rng([options.spoil, *truth["seed"]])
            pixels, mask, turn = spoilt_photo(pixels, mask, truth, rng, textures)
            ys, xs = np.nonzero(mask > 127)
            if len(ys) < DROPPED_MASK:
                continue
            box = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], float)
        photo = photo_of(path, pixels)
        if options.detect:
            detect.process([photo])
            overlaps = [float(iou(box[None], p.box.edges[None])[0, 0]) for p in photo.people]
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
        row = record(person, mask)
        person, view = divmod(int(path.stem), options.views)
        name = f"{path.parent.name}/{person:05d}" + (f".{view}" if options.views > 1 else "")
        rows.append({**row, "rotations": truth_rotations(main, turn), "names": name, "framing": truth["framing"]})
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
    fit, box = fit_torso(person.runs, person.box.edges), person.box.edges
    pixels = person.photo.pixels
    assert pixels is not None
    end = int(np.clip(fit.neck_px[1] + metres * fit.px_per_metre, box[1] + 32, len(pixels)))
    photo = photo_of(person.photo.path, np.ascontiguousarray(pixels[:end]))
    add_person(photo, np.minimum(box, [*box[:3], end]))
    return photo


def multiview(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every frame of calibrated videos; `rotations` leads from the world to the level view of the neck (twice)."""
    detect, landmarks = DetectPeople(Detect(tiles=False), Models()), FindLandmarks()
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
                photo.people = [max(photo.people, key=lambda p: float(area(p.box.edges)))]
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
    detect, landmarks = DetectPeople(Detect(tiles=False), Models()), FindLandmarks()
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
    parser.add_argument("--spoil", type=int)
    parser.add_argument("--textures", type=Path)
    parser.add_argument("--views", type=int, default=1, help="pictures of each rendered person")
    parser.add_argument("--below", type=int, default=10**9)
    parser.add_argument("--cut", type=float)
    options = parser.parse_args()
    rows = {"renders": renders, "multiview": multiview, "pseudo": pseudo}[options.kind](options)
    np.savez(options.out, **{key: np.array([row[key] for row in rows]) for key in rows[0]})
    print(options.out, len(rows))


if __name__ == "__main__":
    main()
