"""Groups of look-alikes and of one person in one scene, and that no split divides them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from quality_photos import native, oval, resized

from phq.provenance.groups import split_groups
from phq.quality.appearance import MIRRORED, NUMBERS, appearance
from phq.quality.duplicates import Duplicate
from phq.quality.groups import PROPORTION, cut_differently, duplicate_groups, proportions, scene_groups
from phq.schema import LANDMARKS

WHOLE = (0.0, 0.0, 256.0, 256.0)
COLOURS = np.array([[30, 5, 10], [40, 30, -20], [60, 0, 20], [50, 10, -10]], float)


def person(number: int, colours: np.ndarray = COLOURS, *, spread: float = 12.0, **said: Any) -> dict[str, Any]:
    """One sample; larger numbers are worse. Regions of these mean colours, and a body of usual proportions."""
    body = np.zeros((33, 3))
    for side, sign in (("left", 1), ("right", -1)):
        body[LANDMARKS.index(f"{side}_shoulder"), :2] = 0.2 * sign, -0.5
        body[LANDMARKS.index(f"{side}_hip"), :2] = 0.1 * sign, 0
    looks = np.hstack([colours, np.full((4, 3), spread)])
    return {
        "key": f"{number:016x}", "source_path": f"{number:03d}.jpg", "source_sha256": f"{number:064x}",
        "person_index": 0, "source_px_per_px": 2.0 - number / 1000, "blur": 0.5, "identity": "",
        "appearance": looks.ravel().tolist(),
        "keypoints_3d": body.ravel().tolist(),
        "phash": f"{(number + 1) * 0x9E3779B97F4A7C15 % 2**64:016x}",
        "phash_mirror": f"{(number + 1) * 0xC2B2AE3D27D4EB4F % 2**64:016x}", **said,
    }  # fmt: skip


def grouped(people: list[dict[str, Any]], faces: np.ndarray | None = None) -> list[str]:
    return scene_groups(columns_of(people), faces)


def columns_of(people: list[dict[str, Any]]) -> dict[str, Any]:
    columns = {name: [p[name] for p in people] for name in people[0]}
    bodies = np.array(columns.pop("keypoints_3d")).reshape(-1, 33, 3)
    return columns | {PROPORTION: proportions(bodies)}


def test_the_same_person_in_the_same_scene_is_one_group_named_by_the_best() -> None:
    people = [person(2, COLOURS + 2), person(1), person(3, COLOURS + 30), person(4, COLOURS[list(MIRRORED)])]
    assert grouped(people) == [person(1)["key"], person(1)["key"], "", person(1)["key"]]


@pytest.mark.parametrize(
    "other",
    [
        person(2, COLOURS + [[0, 0, 0], [0, 15, 0], [0, 0, 0], [0, 0, 0]]),
        person(2, COLOURS + [[0, 0, 0], [0, 0, 0], [20, 0, 0], [0, 0, 0]]),
        person(2, source_sha256=person(1)["source_sha256"]),
        person(2, identity="Bob"),
        person(2, keypoints_3d=(np.array(person(2)["keypoints_3d"]).reshape(33, 3) * [2, 1, 1]).ravel().tolist()),
        person(2, appearance=[0.0] * NUMBERS),
    ],
    ids=["other clothes", "another place", "another person of the photo", "another name", "another body", "unknown"],
)
def test_evidence_against_keeps_people_apart(other: dict[str, Any]) -> None:
    assert grouped([person(1, identity="Ann"), other]) == ["", ""]


def test_a_plain_wall_is_no_scene() -> None:
    assert grouped([person(1, spread=1.0), person(2, spread=1.0)]) == ["", ""]


def test_before_a_plain_wall_only_a_picture_that_looks_alike_is_the_same() -> None:
    people = [person(1, spread=1.0), person(2, spread=1.0), person(3)]
    people[1]["phash"] = f"{int(people[0]['phash'], 16) ^ 0xFFF:016x}"
    columns = columns_of(people)
    groups = scene_groups(columns)
    assert groups == [people[0]["key"], people[0]["key"], ""]
    assert cut_differently(columns, groups) == {1: Duplicate(0, people[0]["key"], 12, False)}


def test_faces_decide_where_both_are_seen() -> None:
    people = [person(1), person(2), person(3)]
    faces = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    assert grouped(people, faces) == [person(1)["key"], "", person(1)["key"]]


def test_groups_do_not_grow_by_chains_and_miss_nobody_near() -> None:
    """Against the slow and obvious way: every sample to the first leader near enough."""
    rng = np.random.default_rng(0)
    shifts = rng.uniform(0, 12, (60, 1, 3))
    people = [person(n, COLOURS + shift) for n, shift in enumerate(shifts)]
    leaders: list[int] = []
    expected = []
    for n in range(60):
        off = [float(np.linalg.norm(shifts[n] - shifts[leader])) for leader in leaders]
        if off and min(off) <= 6.0:
            expected.append(leaders[int(np.argmin(off))])
        else:
            leaders.append(n)
            expected.append(n)
    members = defaultdict(set)
    for n, leader in enumerate(expected):
        members[leader].add(n)
    alone = {leader for leader, group in members.items() if len(group) == 1}
    assert grouped(people) == ["" if leader in alone else person(leader)["key"] for leader in expected]


def test_duplicates_of_one_sample_are_one_group_with_it() -> None:
    found = {1: Duplicate(0, "a", 2, False), 3: Duplicate(0, "a", 4, False)}
    assert duplicate_groups(["a", "b", "c", "d"], found) == ["a", "a", "", "a"]


def test_a_split_divides_no_group_no_photo_and_no_identity() -> None:
    def row(photo: str, identity: str = "", alike: str = "", scene: str = "") -> dict[str, str]:
        return {"source_sha256": photo, "identity": identity, "duplicate_group": alike, "scene_group": scene}

    rows = [row("1", alike="k"), row("2", alike="k"), row("3", scene="s"), row("2", scene="s"), row("4", "Ann"),
            row("5"), row("6", "Ann", alike="q"), row("7", alike="q")]  # fmt: skip
    groups = split_groups(rows)
    assert groups["1"] == groups["2"] == groups["3"] == "group:k"
    assert groups["4"] == groups["6"] == groups["7"] == "identity:Ann"
    assert groups["5"] == "5"


def test_colours_are_those_of_head_clothes_and_what_is_behind() -> None:
    crop, mask = resized(native("scikit-image-0.26.0__astronaut.png"), 256), oval(256)
    looks = appearance(crop, mask, WHOLE).reshape(4, 6)
    flipped = appearance(np.ascontiguousarray(crop[:, ::-1]), np.ascontiguousarray(mask[:, ::-1]), WHOLE).reshape(4, 6)
    assert looks.shape == (4, 6) and (looks[:, 0] > 0).all()
    assert np.abs(flipped - looks[list(MIRRORED)]).max() < 1.5
    painted = crop.copy()
    painted[mask == 0] = (0, 0, 255)
    blue = appearance(painted, mask, WHOLE).reshape(4, 6)
    assert blue[2:, 2] == pytest.approx([-108, -108], abs=2) and np.abs(blue[:2] - looks[:2]).max() < 6
    assert appearance(crop, np.zeros_like(mask), WHOLE)[:12].tolist() == [0.0] * 12
