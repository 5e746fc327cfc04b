"""What each part of the evidence buys: the table in docs/accuracy.md.

    python benchmarks/ablation.py TRUTH_DIR [TRUTH_DIR ...] [--every N]

Networks run once over the rendered people of each folder (NNNNN.jpg with NNNNN.json); then every variant places the
same people again from what they saw, with one part taken away. Errors are those of `phq evaluate pose`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from phq.align.crop import crop_box
from phq.camera.angles import wrap_deg
from phq.evaluate.pose import person_errors, summary
from phq.evaluate.truth import Truth, seen_people
from phq.people.person import Person, TorsoFit, known
from phq.pose.closed_form import fit_torso, split_neck_head
from phq.pose.evidence import is_cut, observe, to_fit
from phq.pose.optimise import Observation, optimise
from phq.stages.orient_people import belief_of_landmarks
from phq.stages.place_camera import PlaceCamera

SIZE = 512
NETWORKS = ("read", "detect", "keypoints", "pose", "face", "orient")
Pair = tuple[Truth, Person]
Variant = Callable[[Person], TorsoFit]


def started(person: Person) -> tuple[TorsoFit, Any]:
    """Start and belief, which every person here has."""
    assert person.start is not None
    assert person.belief is not None
    return person.start, person.belief


def raw(person: Person) -> TorsoFit:
    """The first run alone: its shoulder and hip lines and its spine, its ears and nose."""
    start, _ = started(person)
    world = person.runs[0].world
    left = world[11] - world[12] + world[23] - world[24]
    up = world[[11, 12]].mean(0) - world[[23, 24]].mean(0)
    ears = world[7] - world[8]
    forward = world[0] - world[[7, 8]].mean(0)
    torso, head = frame(left, np.cross(left, up)), frame(ears, forward)
    return replace(start, torso_to_cam=torso, head_to_cam=head, joints=joints_of(torso, head))


def frame(left: np.ndarray, front: np.ndarray) -> np.ndarray:
    """3×3 (left, up, front) from a left axis and a front that need not be square to it."""
    x = left / np.linalg.norm(left)
    z = front - (front @ x) * x
    z = z / np.linalg.norm(z)
    return np.column_stack([x, np.cross(z, x), z])


def joints_of(torso: np.ndarray, head: np.ndarray) -> dict[str, np.ndarray]:
    """Neck and head joints between two rotations."""
    return dict(zip(("neck", "head"), split_neck_head(torso, head), strict=True))


def closed_form(runs: tuple[int, ...]) -> Variant:
    """The closed form from some of the runs."""
    return lambda person: fit_torso([person.runs[i] for i in runs], person.box.edges)


def believed(person: Person) -> TorsoFit:
    """Torso and head as believed before the fit, placed by the closed form."""
    start, belief = started(person)
    joints = joints_of(belief.torso, belief.head)
    return replace(start, torso_to_cam=belief.torso, head_to_cam=belief.head, joints=joints)


def fitted(change: Callable[[Person], None] | None = None, blind: Callable[[Observation], Observation] | None = None,
           turned: bool = True) -> Variant:  # fmt: skip
    """The whole fit, with something taken from the person or from the observation, or without the second hypothesis."""

    def run(person: Person) -> TorsoFit:
        person = copy(person)
        if change:
            change(person)
        seen, view = observe(person)
        seen = blind(seen) if blind else seen
        (found,) = optimise([seen])
        same_side = min(found, key=lambda h: -float(np.trace(h.start.T @ seen.belief.torso)))
        return to_fit(found[0] if turned else same_side, person, view, seen)

    return run


def without_movenet(person: Person) -> None:
    """As if MoveNet had seen nobody."""
    person.box = replace(person.box, coco_keypoints=np.zeros((17, 3)))


def without_face(person: Person) -> None:
    """As if there were no face detector."""
    person.face = None


def without_network(person: Person) -> None:
    """The landmarks' own angles and 3D for everybody."""
    start, _ = started(person)
    belief = belief_of_landmarks(start)
    sigmas = np.radians([15.0, 15, 15]), np.radians([12.0, 14, 12])
    person.belief = replace(belief, torso_sigma=sigmas[0], head_sigma=sigmas[1]) if is_cut(person) else belief


def without_solid(seen: Observation) -> Observation:
    """No landmarks in 3D; the closed form believed as surely as they would be."""
    if not len(seen.worlds):
        return seen
    belief = replace(seen.belief, torso_sigma=np.radians([5.0] * 3), head_sigma=np.radians([12.0, 14, 12]))
    return replace(seen, worlds=seen.worlds[:0], belief=belief)


def without_views(seen: Observation) -> Observation:
    """Keypoints where they are on the average of all sides."""
    rest = np.repeat(seen.keypoints.rest.mean(0, keepdims=True), len(seen.keypoints.rest), 0)
    return replace(seen, keypoints=replace(seen.keypoints, rest=rest))


VARIANTS: dict[str, Variant] = {
    "raw BlazePose, one run": raw,
    "closed form, one run": closed_form((0,)),
    "closed form, second region": closed_form((1,)),
    "closed form, three runs (mirror image too)": closed_form((0, 1, 2)),
    "belief: orientation network fused in": believed,
    "**the whole fit**": fitted(),
    "without the orientation network": fitted(without_network),
    "without MoveNet's keypoints": fitted(without_movenet),
    "without the face's points": fitted(without_face),
    "without landmarks in 3D": fitted(blind=without_solid),
    "without the side's own keypoint places": fitted(blind=without_views),
    "without the turned-round hypothesis": fitted(turned=False),
}


HEADINGS = ("evidence", "torso yaw, full", "half", "headshot", "all", "head yaw, all", "pitch of torso, head",
            "crop off at neck, shoulders px", "drawn neck, shoulders, head px", "head size")  # fmt: skip


def errors(pairs: list[Pair], variant: Variant) -> list[dict[str, Any]]:
    """`person_errors` of everybody under one variant."""
    camera = PlaceCamera()
    camera.setup()
    out = []
    for truth, person in pairs:
        placed = copy(person)
        placed.fit = variant(person)
        photo = copy(person.photo)
        photo.people = [placed]
        camera.process([photo])
        box = crop_box(placed.fit, known(placed.camera).cam2world)
        crop = {"crop_to_source": box.to_source(SIZE), "image_size": SIZE, "crop_side_px": box.side}
        p_flip = known(placed.orientation).orientation_p_flip
        row = placed.record() | crop | {"decision": "kept", "p_flip": p_flip}
        out.append(person_errors(truth, row))
    return out


def cells(found: list[dict[str, Any]]) -> Iterator[str]:
    """Torso yaw by framing, then head yaw, tilt and places of everybody."""
    for framing in ("full", "half", "headshot", None):
        error = np.abs([e["torso_yaw"] for e in found if framing in (None, e["framing"])])
        flips = (error > 90).mean()
        yield f"{np.median(error):.1f} / {np.percentile(error, 90):.0f} / {flips:.1%}" if len(error) else "–"
    s = summary(found)
    yield f"{s['head_median']:.1f} / {s['head_p90']:.0f} / {s['head_flips']:.1%}"
    yield f"{s['torso_pitch_median']:.1f}, {s['head_pitch_median']:.1f}"
    yield f"{s['neck_px_median']:.0f}, {s['shoulder_px_median']:.0f}"
    yield ", ".join(f"{s[f'drawn_{part}_px_median']:.0f}" for part in ("neck", "shoulder", "head"))
    yield f"{s['head_size_median']:.1%}"


def flip_lines(pairs: list[Pair], found: list[dict[str, Any]]) -> Iterator[str]:
    """How well each sign tells the flipped from the others: area under the ROC curve."""
    flipped = np.array([abs(e["torso_yaw"]) > 90 for e in found])
    if not flipped.any() or flipped.all():
        return
    people = [person for _, person in pairs]
    runs = [[run.world for run in person.runs] for person in people]
    lines = {
        "doubt of the fused orientation": [known(p.orientation).orientation_p_flip for p in people],
        "first run against second": [abs(wrap_deg(side(a) - side(b))) for a, b, _ in runs],
        "image against mirror image": [abs(wrap_deg(side(b) - side(c))) for _, b, c in runs],
        "face found or not, against head yaw": [face_against(p, e) for p, e in zip(people, found, strict=True)],
    }
    yield f"\nOf {len(found)}, {flipped.sum()} flipped in the closed form. Area under the ROC curve of each sign:\n"
    for name, score in lines.items():
        ranks = np.argsort(np.argsort(score)) + 1
        area = (ranks[flipped].sum() - flipped.sum() * (flipped.sum() + 1) / 2) / (flipped.sum() * (~flipped).sum())
        yield f"- {name}: {area:.2f}"


def side(world: np.ndarray) -> float:
    """Yaw of the shoulder line, degrees."""
    return float(np.degrees(np.arctan2(*(world[11] - world[12])[[2, 0]])))


def face_against(person: Person, error: dict[str, Any]) -> float:
    """1 for a face on a head that is said to be turned away or none on one that is said to look at us."""
    assert person.face is not None
    said = np.cos(np.radians(error["true_head_yaw"] + error["head_yaw"]))
    return float(-said if person.face.score > 0.5 else said)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("truth", type=Path, nargs="+")
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    pairs = [pair for folder in options.truth for pair in seen_people(folder, NETWORKS, options.every)]
    print("| " + " | ".join(HEADINGS) + " |\n" + "|---" * len(HEADINGS) + "|")
    for name, variant in VARIANTS.items():
        found = errors(pairs, variant)
        print(f"| {name} | " + " | ".join(cells(found)) + " |", flush=True)
    start = errors(pairs, closed_form((0, 1, 2)))
    print("\n".join(flip_lines(pairs, start)))


if __name__ == "__main__":
    main()
