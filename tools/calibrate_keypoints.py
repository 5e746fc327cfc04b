"""Make ``phq/pose/keypoint_table.json``: where each network's keypoints appear on a body, by the side it is seen from.

    python tools/calibrate_keypoints.py TRUTH_DIR [--every 3]

TRUTH_DIR as for ``tools/calibrate_landmarks.py``. The table that ships was made from every third of 2,027 renders of
384², none of which is used to report an error anywhere.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from calibrate_landmarks import Person as TruePerson

from phq.detect.blazepose import LEFT_RIGHT
from phq.detect.centerface import FACE_FOUND
from phq.evaluate.truth import seen_people
from phq.people.person import Person, known
from phq.pose.evidence import COCO, FACE_POINTS, SURE_KEYPOINT
from phq.pose.keypoints import HEAD_KEYPOINTS, view_terms

ROBUST = 0.03
"""Metres from which a keypoint loses weight: the network looked at something else."""
STAGES = ("read", "detect", "keypoints", "pose", "face")
Seen = Callable[[Person, int], "np.ndarray | None"]


def gather(folder: Path, every: int) -> list[tuple[TruePerson, Person]]:
    """(truth, what the networks saw) of main persons."""
    return [(TruePerson(truth, person.runs), person) for truth, person in seen_people(folder, STAGES, every)]


def blazepose(person: Person, landmark: int) -> np.ndarray | None:
    """(2,) photo pixels."""
    return known(person.keypoints).keypoints_2d[landmark]


def movenet(person: Person, landmark: int) -> np.ndarray | None:
    """(2,) photo pixels; None if it is not sure."""
    *place, score = person.box.coco_keypoints[COCO[landmark]]
    return np.array(place) if score > SURE_KEYPOINT else None


def centerface(person: Person, landmark: int) -> np.ndarray | None:
    """(2,) photo pixels; None if no face was found."""
    found = person.face is not None and person.face.score >= FACE_FOUND
    return person.face.points[FACE_POINTS.index(landmark)] if found and person.face else None


NETWORKS: dict[str, tuple[tuple[int, ...], Seen]] = {
    "blazepose": (tuple(range(13)), blazepose),
    "movenet": (tuple(i for i in COCO if i < 13), movenet),
    "centerface": (tuple(sorted(FACE_POINTS)), centerface),
}


def place_mark(people: list[tuple[TruePerson, Person]], landmark: int, seen: Seen) -> tuple[np.ndarray, np.ndarray]:
    """(3 terms, 3) place by reweighted least squares over views from all sides, and (3 terms,) its spread."""
    part = "head" if landmark < HEAD_KEYPOINTS else "torso"
    rows, want, terms = [], [], []
    for truth, person in people:
        pixel = seen(person, landmark)
        if pixel is not None:
            scale, shift, joint = truth.ideal_placement()
            rotation = truth.rotation[part]
            term = view_terms(np.arctan2(-rotation[2, 0], -rotation[2, 2]))
            rows.append(np.einsum("t,ij->itj", term, rotation[:2]).reshape(2, 9))
            want.append((pixel - shift) / scale - (joint[:2] if part == "head" else 0.0))
            terms.append(term)
    a, b, weight = np.concatenate(rows), np.concatenate(want), np.ones(2 * len(rows))
    for _ in range(20):
        solved = np.linalg.lstsq(a * weight[:, None], b * weight, rcond=None)[0]
        error = np.linalg.norm((a @ solved - b).reshape(-1, 2), axis=1)
        weight = np.repeat(1 / np.sqrt(1 + (error / ROBUST) ** 2), 2)
    return solved.reshape(3, 3), spread_by_view(np.array(terms), error)


def spread_by_view(terms: np.ndarray, error: np.ndarray) -> np.ndarray:
    """(3,) terms of the median error at front, side and back; a view that hardly occurs has its neighbour's."""
    cosine = terms[:, 1]
    front, side, back = (error[m] for m in (cosine > 0.5, np.abs(cosine) <= 0.5, cosine < -0.5))
    middle = np.median(side if len(side) > 20 else error)
    ends = [float(np.median(e)) if len(e) > 20 else middle for e in (front, back)]
    return np.array([middle, (ends[0] - ends[1]) / 2, (ends[0] + ends[1]) / 2 - middle])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--every", type=int, default=3)
    options = parser.parse_args()
    people = gather(options.truth, options.every)
    networks = {}
    for name, (landmarks, seen) in NETWORKS.items():
        solved = [place_mark(people, landmark, seen) for landmark in landmarks]
        places, spread = np.stack([s[0] for s in solved]), np.stack([s[1] for s in solved])
        mirror = [landmarks.index(LEFT_RIGHT[i]) for i in landmarks]
        networks[name] = {
            "landmarks": landmarks,
            "places": ((places + places[mirror] * [-1, 1, 1]) / 2).round(4).tolist(),
            "spread": ((spread + spread[mirror]) / 2).round(4).tolist(),
        }
    table = {"made_by": f"tools/calibrate_keypoints.py, {len(people)} rendered people", "networks": networks}
    target = Path(__file__).parents[1] / "phq" / "pose" / "keypoint_table.json"
    target.write_text(json.dumps(table) + "\n", encoding="utf-8")
    print(f"{target}: {len(people)} people")


if __name__ == "__main__":
    main()
