"""Groups of look-alikes and of one person in one scene, and that no split divides them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from head_crops import native, oval, resized

from phq.dataset.tables import rows_table
from phq.decisions import groups as groups_module
from phq.decisions import scenes
from phq.decisions.duplicates import Duplicates
from phq.decisions.groups import PROPORTION, cut_differently, duplicate_groups, proportions, scene_groups
from phq.decisions.scenes import Faces
from phq.decisions.signs import Signs
from phq.decisions.split_groups import LINKS, sides_of, split_groups
from phq.quality.appearance import MIRRORED, NUMBERS, appearance
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
    table = columns_of(people)
    seen = np.flatnonzero(np.isfinite(faces).all(1)) if faces is not None else np.empty(0, np.int64)
    found = Faces.of(len(people), seen, faces[seen], 0.6) if faces is not None else None
    return named(table, scene_groups(table, found))


def named(table: pa.Table, groups: np.ndarray) -> list[str]:
    """Keys of the samples that name groups, '' for none."""
    return [table["key"][row].as_py() if row >= 0 else "" for row in groups.tolist()]


def columns_of(people: list[dict[str, Any]]) -> pa.Table:
    columns = {name: [p[name] for p in people] for name in people[0]}
    bodies = np.array(columns.pop("keypoints_3d")).reshape(-1, 33, 3)
    return pa.table(columns | {PROPORTION: proportions(bodies)})


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
    table = columns_of(people)
    groups = scene_groups(table)
    assert groups.tolist() == [0, 0, -1]
    looks, places = np.array(table["appearance"].to_pylist()), np.tile(np.linspace(0.2, 0.8, 18), (3, 1))
    found = cut_differently(table, groups, Signs.of(looks, places))
    assert [found.rows.tolist(), found.kept.tolist(), found.bits.tolist()] == [[1], [0], [12]]
    assert not found.exact.any()
    places[1] += 0.05  # near enough for a hash that is nearer
    assert not len(cut_differently(table, groups, Signs.of(looks, places)).rows)


NOBODY = (np.nan, np.nan)


def test_faces_decide_where_both_are_seen() -> None:
    people = [person(1), person(2), person(3), person(4)]
    faces = np.array([(1.0, 0.0), (0.0, 1.0), NOBODY, (0.9, 0.1)])
    assert grouped(people, faces) == [person(1)["key"], "", person(1)["key"], person(1)["key"]]
    assert grouped(people, 5 * faces) == grouped(people, faces)


def test_a_face_is_evidence_where_body_and_wall_say_nothing() -> None:
    """The same clothes before a plain wall, and the arms hide how wide the shoulders are: the face knows."""
    wide = (np.array(person(2)["keypoints_3d"]).reshape(33, 3) * [2, 1, 1]).ravel().tolist()
    people = [person(1, spread=1.0), person(2, spread=1.0, keypoints_3d=wide), person(3, COLOURS + 30)]
    assert grouped(people) == ["", "", ""]
    assert grouped(people, np.array([(1.0, 0.0), (0.8, 0.6), (1.0, 0.0)])) == [people[0]["key"], people[0]["key"], ""]
    assert grouped(people, np.array([(1.0, 0.0), NOBODY, NOBODY])) == ["", "", ""]


def crowd(rng: np.random.Generator, count: int) -> list[dict[str, Any]]:
    """People of a few scenes, some of them mirrored, before plain walls, alike, named, or of one photo."""
    scenes = COLOURS + rng.uniform(-12, 12, (6, 4, 3))
    people = []
    for n in range(count):
        colours = scenes[rng.integers(6)] + rng.uniform(-3, 3, (4, 3))
        body = np.reshape(person(n)["keypoints_3d"], (33, 3)) * [rng.choice([1.0, 1.2, 1.5]), 1, 1]
        people.append(
            person(
                n,
                colours[list(MIRRORED)] if rng.random() < 0.4 else colours,
                spread=float(rng.choice([1.0, 12.0])),
                source_px_per_px=float(rng.random()),
                source_sha256=f"{rng.integers(count):064x}",
                identity=str(rng.choice(["", "", "", "Ann", "Bob"])),
                keypoints_3d=body.ravel().tolist(),
                phash=f"{0xABCDEF ^ sum(1 << int(b) for b in rng.choice(64, 8, replace=False)):016x}",
            )
        )
    return people


def said_slowly(people: list[dict[str, Any]], faces: np.ndarray) -> list[str]:
    """Every sample against every leader before it."""
    bodies = proportions(np.array([p["keypoints_3d"] for p in people]).reshape(-1, 33, 3))
    leaders: list[int] = []
    groups = [""] * len(people)
    for row in sorted(range(len(people)), key=lambda n: -people[n]["source_px_per_px"]):
        off = {leader: apart(people, bodies, faces, leader, row) for leader in leaders}
        nearest = min(leaders, key=lambda leader: off[leader], default=-1)
        if nearest < 0 or off[nearest] == math.inf:
            leaders.append(row)
        else:
            groups[row] = groups[nearest] = people[nearest]["key"]
    return groups


def apart(people: list[dict[str, Any]], bodies: np.ndarray, faces: np.ndarray, leader: int, row: int) -> float:
    """How far two people's colours are apart, ∞ where they are not the same person in the same scene."""
    one, other = people[leader], people[row]
    there, here = (np.reshape(p["appearance"], (4, 6)) for p in (one, other))
    both_ways = [np.linalg.norm((here[list(order)] - there).reshape(8, 3), axis=1) for order in (range(4), MIRRORED)]
    off = min(float(distances.max()) / 6 for distances in both_ways)
    bits = min(
        (int(one[a], 16) ^ int(other[b], 16)).bit_count()
        for a, b in (("phash", "phash"), ("phash", "phash_mirror"), ("phash_mirror", "phash"))
    )
    whole = [np.concatenate([look[1, :3], look[2:, :3].mean(0)]) for look in (there, here)]
    cosine = float(faces[leader] @ faces[row] / np.linalg.norm(faces[leader]) / np.linalg.norm(faces[row]))
    alike = abs(bodies[leader] - bodies[row]) <= 0.25 and (bits <= 16 or here[2:, 3].max() >= 4)
    if one["source_sha256"] == other["source_sha256"] or cosine < 0.6:
        return math.inf
    if one["identity"] and other["identity"] and one["identity"] != other["identity"]:
        return math.inf
    if np.abs(whole[0] - whole[1]).max() > 6:
        return math.inf
    return off if (off <= 1 and (alike or cosine >= 0.6)) or (off <= 2 and bits <= 12) else math.inf


@pytest.mark.parametrize("block", [7, 1024])
@pytest.mark.parametrize("seed", range(4))
def test_every_sample_goes_to_the_nearest_leader_that_it_matches(
    seed: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenes, "BLOCK", block)
    monkeypatch.setattr(scenes, "PIECE", 16 * block)
    rng = np.random.default_rng(seed)
    people = crowd(rng, 150)
    faces = np.where(rng.random((150, 1)) < 0.5, rng.normal(0, 1, (150, 3)) + [2, 0, 0], np.nan)
    groups = grouped(people, faces)
    assert groups == said_slowly(people, faces)
    assert 2 < len(set(groups)) < 100
    shuffled = rng.permutation(150)
    again = grouped([people[n] for n in shuffled], faces[shuffled])
    assert [groups[n] for n in shuffled] == again


@pytest.mark.parametrize("seed", range(6))
def test_of_existing_samples_those_alone_are_compared_that_new_ones_depend_on(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    everyone = columns_of(crowd(np.random.default_rng(seed), 160))
    groups = scene_groups(everyone, existing=150)
    assert (groups[150:] >= 0).any()
    with monkeypatch.context() as patched:  # every sample is compared with those before it
        patched.setattr(groups_module, "leaders_of", lambda seen, known: scenes.leaders_of(seen))
        assert scene_groups(everyone, existing=150)[150:].tolist() == groups[150:].tolist()
    assert (groups[:150] >= 0).sum() < (scene_groups(everyone) >= 0).sum()


def test_duplicates_of_one_sample_are_one_group_with_it() -> None:
    found = Duplicates(np.array([1, 3]), np.array([0, 0]), np.array([2, 4]), np.zeros(2, bool), np.full(2, -1))
    assert duplicate_groups(found, 4).tolist() == [0, 0, -1, 0]


def test_a_split_divides_no_group_no_photo_and_no_identity() -> None:
    def row(photo: str, identity: str = "", alike: str = "", scene: str = "") -> dict[str, str]:
        return {"source_sha256": photo, "identity": identity, "duplicate_group": alike, "scene_group": scene}

    rows = [row("1", alike="k"), row("2", alike="k"), row("3", scene="s"), row("2", scene="s"), row("4", "Ann"),
            row("5"), row("6", "Ann", alike="q"), row("7", alike="q")]  # fmt: skip
    groups = split_groups(rows_table(rows, LINKS))
    assert groups == ["group:k"] * 4 + ["identity:Ann", "5", "identity:Ann", "identity:Ann"]


def test_who_repeats_a_sample_that_names_no_group_is_linked_to_it() -> None:
    """An extension leaves old rows as they are: only the new row says that the two belong together."""

    def row(key: str, photo: str = "", identity: str = "", of: str = "") -> dict[str, str]:
        return {"key": key, "source_sha256": photo, "identity": identity, "duplicate_of": of}

    linked = rows_table([row("a", "1"), row("b", "2", "Ann;Bob"), row("c", "1", "Cleo"), row("d", "3", "Bob"),
                         row("e", of="z"), row("f", of="z"), row("g", of="d"), row("h")], LINKS)  # fmt: skip
    bob, z = "identity:Ann", "group:z"
    assert split_groups(linked) == ["identity:Cleo", bob, "identity:Cleo", bob, z, z, bob, "h"]
    assert split_groups(linked, identity=False) == ["1", "2", "1", "group:d", z, z, "group:d", "h"]
    assert split_groups(linked.slice(0, 0)) == []


def test_linked_samples_go_where_the_others_are() -> None:
    label, splits = np.array([0, 1, 1, 2, 3, 4, 4]), ["val", "val", "train", "val", "", "test", "train"]
    names, sides = sides_of(label, pa.chunked_array([splits]))
    assert [names[side] if side >= 0 else "" for side in sides] == ["val", "train", "val", "", "train"]
    assert sides_of(np.empty(0, np.int64), pa.chunked_array([pa.array([], pa.string())]))[1].tolist() == []


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


def test_frames_of_a_video_are_on_one_side_of_a_split() -> None:
    rows = [{"source_sha256": str(n), "source_path": path} for n, path in enumerate(
        ("a.mp4#t=0.000", "a.mp4#t=7.000", "b.mp4#t=0.000", "a.mp4", "c.jpg"))]  # fmt: skip
    assert split_groups(rows_table(rows, LINKS)) == ["video:a.mp4", "video:a.mp4", "video:b.mp4", "3", "4"]
