"""Real people with pseudo-labels: photos in which they are seen whole, cut to headshots and half bodies.

    python photos.py OUT.npz FOLDER LIST.txt [--cuts 3] [--seed 1] [--save DIR] [--hide-faces]

LIST.txt has the first 20 digits of the sha256 and the path of each picture in FOLDER; `--save` keeps
the cut photos and their truth.json, for `phq build` and
`phq evaluate pose`. Of a person who is
seen down to the hips the landmark network knows the torso; where its three runs, MoveNet's left and right and the face
detector do not contradict each other, the closed-form fit is the label, its torso freed of what the network flattens.
The photo is then cut below the neck, at the sides and above the head, and the landmark network runs anew on every cut.
With ``--hide-faces`` every cut's face is pixelated before any network sees it, as in published recordings.
Arrays as `prepare.py` writes them, and: label_sigma (N, 2) spread of the label of torso and head in degrees, NaN where
there is none; face (N, 2) score of the face detector and whether MoveNet has left and right as on a front (NaN:
unseen); cut (N,) metres from the neck to the photo's lower edge.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from augment import pixelated
from prepare import add_person, photo_of, record, shaken

from phq.config.build import Detect, Models
from phq.people.person import Person, Photo
from phq.photos.decode import decode
from phq.pose.closed_form import unflattened
from phq.pose.evidence import WHOLE_FLAT_DEG
from phq.pose.orient.angles import angles_of
from phq.pose.orient.crop import orientation_region
from phq.pose.orient.fuse import blazepose_angles, evidence_of
from phq.quality import flip
from phq.stages.detect_people import DetectPeople
from phq.stages.find_face import FindFace
from phq.stages.find_landmarks import FindLandmarks
from phq.stages.fit_body import StartBody
from phq.system.arrays import Floats

RUNS_AGREE, HEADS_AGREE = 30.0, 40.0
"""Degrees between the landmark network's runs up to which torso and head are taken for known."""
SURE_FACE, NO_FACE = 0.7, 0.15
FRONT, BACK = 40.0, 130.0
"""A head turned less than FRONT has a face, one turned more than BACK has none."""
SMALLEST_PX_PER_METRE = 70.0
"""A head of about 20 px."""
HIDDEN = 0.3
"""Metres round the skull that a hidden face takes at the median."""
SIGMA_TORSO, SIGMA_HEAD, STRETCHED = 8.0, 10.0, 15.0
STRETCHED_SOURCES = ("people_mix",)
"""Squeezed and widened again by a guess: yaw is about right only."""


class Annotator:
    """The stages that a label needs, in order."""

    def __init__(self) -> None:
        self.detect, self.landmarks = DetectPeople(Detect(), Models()), FindLandmarks()
        self.start, self.face = StartBody(), FindFace()
        for stage in (self.detect, self.landmarks, self.start, self.face):
            stage.setup()

    def people(self, photo: Photo) -> list[Person]:
        """Everybody in a photo."""
        self.detect.process([photo])
        self.look(photo)
        return [p for p in photo.people if p.rejected is None and p.start is not None]

    def look(self, photo: Photo) -> None:
        """Landmarks, start and face of the photo's people."""
        for stage in (self.landmarks, self.start, self.face):
            stage.process([photo])


def order_of(person: Person) -> bool | None:
    """Whether MoveNet has the shoulders as on a front; None if it did not see both."""
    front, known = flip.shoulder_order(np.asarray(person.box.coco_keypoints).reshape(1, -1))
    return bool(front[0]) if known[0] else None


def spread_of(yaws: Floats) -> float:
    """Largest difference of some yaws, degrees."""
    return float(np.abs((yaws[:, None] - yaws[None] + 180) % 360 - 180).max())


def label_of(person: Person, stretched: bool) -> tuple[Floats, Floats] | None:
    """Rotations (2, 3, 3) of torso and head and their spread (2,) in degrees (NaN: unknown); None for no label."""
    start = person.start
    assert start is not None
    evidence = evidence_of(person, start)
    points = np.median([run.points for run in person.runs], axis=0)
    hips, box = points[[23, 24]], person.box.edges
    whole = (hips[:, 1] < min(box[3], 0.97 * person.photo.pixels.shape[0])).all()
    angles = blazepose_angles(evidence)
    torso, head = angles[0, 0, 0], angles[0, 1, 0]
    order, face = order_of(person), person.face.score if person.face is not None else 0.0
    inside = evidence[72:105]
    if not whole or not inside[[11, 12, 23, 24]].all() or evidence[138] < 0.8 or start.residual > 0.35:
        return None
    if start.px_per_metre < SMALLEST_PX_PER_METRE or spread_of(angles[1:, 0, 0]) > RUNS_AGREE:
        return None
    if order is not None and abs(np.cos(np.radians(torso))) > 0.5 and order != bool(np.cos(np.radians(torso)) > 0):
        return None
    if (face > SURE_FACE and abs(head) > BACK) or (face < NO_FACE and abs(head) < FRONT):
        return None
    if abs((torso - head + 180) % 360 - 180) > 95:
        return None
    sigma = np.array([SIGMA_TORSO, SIGMA_HEAD if spread_of(angles[1:, 1, 0]) < HEADS_AGREE else np.nan])
    labels = np.stack([unflattened(start.torso_to_cam, WHOLE_FLAT_DEG), start.head_to_cam])
    return labels, np.maximum(sigma, STRETCHED) if stretched else sigma


def cut_of(person: Person, rng: np.random.Generator, hidden: bool) -> tuple[Photo, float]:
    """The photo cut to a headshot or half body round the person, and the metres shown below the neck."""
    start, box, pixels = person.start, person.box.edges, person.photo.pixels
    assert start is not None and pixels is not None
    scale, neck = start.px_per_metre, start.neck_px
    below = float(np.exp(rng.uniform(np.log(0.14), np.log(0.75))))
    width = rng.uniform(0.22, 0.9, 2) * rng.uniform(0.8, 1.6)
    edges = [neck[0] - width[0] * scale, neck[1] - (0.3 + rng.uniform(0.02, 0.6)) * scale,
             neck[0] + width[1] * scale, neck[1] + below * scale]  # fmt: skip
    x0, y0 = (int(max(0, v)) for v in edges[:2])
    x1, y1 = (int(min(v, limit)) for v, limit in zip(edges[2:], pixels.shape[1::-1], strict=True))
    photo = photo_of(person.photo.path, pixels[y0:y1, x0:x1].copy())
    if hidden:
        skull = orientation_region(start).head
        pixelated(rng, photo.pixels, (skull.cx - x0, skull.cy - y0), HIDDEN * scale)
    offset, limits = np.array([x0, y0, x0, y0]), np.array([x1 - x0, y1 - y0] * 2)
    seen = np.clip(shaken(box, rng) - offset, 0, limits)
    add_person(photo, seen)
    cut = photo.people[0]
    cut.box = replace(cut.box, coco_keypoints=moved(person.box.coco_keypoints, offset[:2], limits[:2]).reshape(17, 3))
    return photo, below


def moved(keypoints: Any, offset: Floats, limits: Floats) -> Floats:
    """MoveNet's keypoints in the cut photo; what lies outside is not seen."""
    points = np.array(keypoints).reshape(17, 3).copy()
    points[:, :2] -= offset
    points[((points[:, :2] < 0) | (points[:, :2] > limits)).any(1), 2] = 0
    return points.ravel()


def row_of(person: Person, label: tuple[Floats, Floats], name: str, below: float) -> dict[str, Any]:
    """One sample."""
    order, face = order_of(person), person.face.score if person.face is not None else 0.0
    return record(person) | {
        "rotations": label[0], "label_sigma": label[1], "names": name, "cut": below,
        "face": [face, np.nan if order is None else float(order)], "framing": "full" if below > 1 else "cut",
    }  # fmt: skip


def saved(photo: Photo, label: tuple[Floats, Floats], name: str, folder: Path) -> dict[str, Any]:
    """Writes a cut photo; its truth as `phq evaluate pose` reads it."""
    file = name.replace("/", "-").replace("#", "-") + ".jpg"
    folder.mkdir(parents=True, exist_ok=True)
    assert photo.pixels is not None
    cv2.imwrite(str(folder / file), photo.pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    yaws = [float(angles_of(r)[0]) for r in label[0]]
    head = yaws[1] if np.isfinite(label[1][1]) else None
    return {"file": file, "set": name.split("/")[1], "person": name.split("/")[2], "torso_yaw_deg": yaws[0],
            "head_yaw_deg": head, "torso_tol_deg": label[1][0],
            "head_tol_deg": label[1][1] if head is not None else None,
            "camera_elevation_deg": None, "box": photo.people[0].box.edges.tolist(), "note": ""}  # fmt: skip


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("list", type=Path)
    parser.add_argument("--cuts", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--hide-faces", action="store_true")
    options = parser.parse_args()
    annotator, rows, truths = Annotator(), [], []
    files = [line.split() for line in options.list.read_text(encoding="utf-8").splitlines()]
    for number, (digest, file) in enumerate(files):
        path = options.folder / file
        if not hashlib.sha256(path.read_bytes()).hexdigest().startswith(digest):
            raise SystemExit(f"{file} is another file than the list names")
        photo = photo_of(path, decode(path).pixels)
        people = annotator.people(photo) if photo.rejected is None else []
        for person in people:
            label = label_of(person, any(s in file for s in STRETCHED_SOURCES))
            if label is None:
                continue
            name = f"{file}#{person.index}"
            rows.append(row_of(person, label, name, 9.0))
            for cut in range(options.cuts):
                rng = np.random.default_rng([options.seed, zlib.crc32(name.encode()), cut])
                part, below = cut_of(person, rng, options.hide_faces)
                annotator.look(part)
                if part.people[0].rejected is None and part.people[0].start is not None:
                    rows.append(row_of(part.people[0], label, f"{name}/{cut}", below))
                    if options.save:
                        truths.append(saved(part, label, f"{name}/{cut}", options.save))
        if number % 50 == 0:
            print(number, len(files), len(rows), flush=True)
    np.savez(options.out, **{key: np.array([row[key] for row in rows]) for key in rows[0]})
    if options.save:
        (options.save / "truth.json").write_text(json.dumps({"records": truths}, indent=0), encoding="utf-8")
    print(options.out, len(rows))


if __name__ == "__main__":
    main()
