from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phq.decisions import duplicates, hamming
from phq.decisions.duplicates import COLUMNS, POINTS, find_duplicates

BASE = 0x8F3A_51C0_77E2_19B4
Rows = list[dict[str, Any]]


class Duplicate(NamedTuple):
    """What one sample repeats: row, key, bits between the hashes, and whether it is a copy."""

    kept: int
    key: str
    distance: int
    exact: bool


LOOK = [50.0, 20, 30, 9, 9, 9, 30, -10, 5, 9, 9, 9, 70, 5, -20, 9, 9, 9, 70, 5, -20, 9, 9, 9]
"""Head, clothes, and the same background on both sides: the mirror image has the same colours."""
PLACES = [0.5, 0.4, 0.6, 0.3, 0.4, 0.3, 0.7, 0.3, 0.3, 0.3, 0.55, 0.5, 0.45, 0.5, 0.9, 0.9, 0.1, 0.9]
"""Landmarks of a face from the front, like those of its mirror image."""
LEFT = [*LOOK[:12], 10.0, *LOOK[13:]]
"""Dark on the left."""


def with_colour(number: int, by: float) -> list[float]:
    return [*LOOK[:number], LOOK[number] + by, *LOOK[number + 1 :]]


def moved(by: float) -> list[float]:
    return [value + by for value in PLACES]


def row(number: int, **fields: Any) -> dict[str, Any]:
    """A sample unlike any other, but for the fields given."""
    rng = random.Random(number)
    return {
        "key": f"{number:016x}", "source_path": f"p{number:03d}.jpg", "source_sha256": f"{number:064x}",
        "person_index": 0, "box_x0": 0.0, "box_y0": 0.0, "box_x1": 100.0, "box_y1": 200.0,
        "source_px_per_px": 1.0, "blur": 0.5, "image_width": 300, "image_height": 400, "photo_phash": "",
        "camera_yaw_deg": 0.0, "head_yaw_deg": 0.0,
        "phash": f"{rng.getrandbits(64):016x}", "phash_mirror": f"{rng.getrandbits(64):016x}",
        "appearance": LOOK, POINTS: PLACES, **fields,
    }  # fmt: skip


def find(rows: Rows, bits: int = 6, existing: int = 0, apart: bool = False) -> dict[int, Duplicate]:
    found = find_duplicates({name: [r[name] for r in rows] for name in (*COLUMNS, POINTS)}, bits, existing, apart)
    columns = (found.rows, found.kept, found.bits, found.exact)
    each = zip(*(column.tolist() for column in columns), strict=True)
    return {row: Duplicate(kept, rows[kept]["key"], apart, exact) for row, kept, apart, exact in each}


def kept_by(rows: Rows, bits: int = 6) -> dict[int, int]:
    return {i: d.kept for i, d in find(rows, bits).items()}


def distance(a: dict[str, Any], b: dict[str, Any]) -> int:
    pairs = [("phash", "phash"), ("phash", "phash_mirror"), ("phash_mirror", "phash")]
    return min((int(a[x], 16) ^ int(b[y], 16)).bit_count() for x, y in pairs)


MIRRORED = (("phash", "phash_mirror"), ("phash_mirror", "phash"))


def mirrored(one: dict[str, Any]) -> dict[str, Any]:
    """Its colours and landmarks as the mirror image has them."""
    look, xy = one["appearance"], np.reshape(one[POINTS], (9, 2))
    xy = xy[[0, 2, 1, 4, 3, 6, 5, 8, 7]]
    return {"appearance": [*look[:12], *look[18:], *look[12:18]], POINTS: [v for x, y in xy for v in (1 - x, y)]}


def agree(a: dict[str, Any], b: dict[str, Any], bits: int) -> bool:
    """The definition for coloured pictures with something to see behind the person."""
    scale = min(1.0, 10 / max(bits, 1))
    coloured = min(1.3, 10 / max(bits, 1))
    for start in range(0, 24, 6):
        if not within(a["appearance"][start : start + 6], b["appearance"][start : start + 6], coloured):
            return False
    off = np.reshape(np.subtract(a[POINTS], b[POINTS]), (9, 2))
    return bool(np.sqrt((off**2).sum(1).mean()) <= 0.08 * scale)


def overlap(a: dict[str, Any], b: dict[str, Any]) -> float:
    w = min(a["box_x1"], b["box_x1"]) - max(a["box_x0"], b["box_x0"])
    h = min(a["box_y1"], b["box_y1"]) - max(a["box_y0"], b["box_y0"])
    shared = max(w, 0) * max(h, 0)
    sizes = [(r["box_x1"] - r["box_x0"]) * (r["box_y1"] - r["box_y0"]) for r in (a, b)]
    return shared / (sum(sizes) - shared)


def copied(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether it is one person in two copies of a photo, plain or mirrored."""
    if not (a["photo_phash"] and b["photo_phash"]) or a["source_sha256"] == b["source_sha256"]:
        return False
    columns = [*[c for _ in range(8) for c in range(8)], *[c for _ in range(8) for c in range(8, 16)],
               *[c for _ in range(8) for c in range(16)]]  # fmt: skip
    mirror = int("".join(str(column % 2) for column in columns), 2)
    turned = b | mirrored(b) | {"box_x0": 300 - b["box_x1"], "box_x1": 300 - b["box_x0"]}
    for other, flip in ((b, 0), (turned, mirror)):
        looks = zip(*(np.reshape(side["appearance"], (4, 6)).tolist() for side in (a, other)), strict=True)
        if (
            near_photos(a, b, flip)
            and overlap(a, other) >= 0.4
            and all(within(one, another, 2.5) for one, another in looks)
        ):
            return True
    return False


def near_photos(a: dict[str, Any], b: dict[str, Any], flip: int) -> bool:
    """Whether the photos are near as they are, or one of them is near the other turned either way."""
    one, other = ([int(side["photo_phash"][at : at + 64], 16) for at in (0, 64, 128)] for side in (a, b))
    for mine, others, most in ((0, 0, 56), (0, 1, 40), (0, 2, 40), (1, 0, 40), (2, 0, 40)):
        off = one[mine] ^ other[others] ^ flip
        if off.bit_count() <= most and (off >> 192).bit_count() <= 7:
            return True
    return False


def within(one: list[float], other: list[float], scale: float) -> bool:
    """Whether the colours of a region are."""
    off = np.subtract(one, other)
    return bool(np.linalg.norm(off[:3]) <= 6.5 * scale and np.linalg.norm(off[3:]) <= 8.5 * scale)


def slow_find(rows: Rows, bits: int) -> dict[int, Duplicate]:
    """The definition, pair by pair."""

    def exact(a: dict[str, Any], b: dict[str, Any]) -> bool:
        same_person = (a["source_sha256"], a["person_index"]) == (b["source_sha256"], b["person_index"])
        return a["key"] == b["key"] or same_person

    def alike(a: dict[str, Any], b: dict[str, Any]) -> bool:
        if a["source_sha256"] == b["source_sha256"] and overlap(a, b) < 0.9:
            return False
        plain = (int(a["phash"], 16) ^ int(b["phash"], 16)).bit_count()
        turned = min((int(a[x], 16) ^ int(b[y], 16)).bit_count() for x, y in MIRRORED)
        if copied(a, b):
            return True
        return (plain <= bits and agree(a, b, plain)) or (turned <= bits and agree(a, mirrored(b), turned))

    order = sorted(
        range(len(rows)),
        key=lambda i: (
            -rows[i]["source_px_per_px"], -rows[i]["blur"], rows[i]["key"], rows[i]["source_path"],
            rows[i]["person_index"],
        ),
    )  # fmt: skip
    originals: list[int] = []
    copies = {}
    for i in order:
        known = [j for j in originals if exact(rows[j], rows[i])]
        if known:  # by image before by photo
            copies[i] = next((j for j in known if rows[j]["key"] == rows[i]["key"]), known[0])
        else:
            originals.append(i)
    kept: list[int] = []
    looks = {}
    for i in originals:
        known = [j for j in kept if alike(rows[j], rows[i])]
        if known:
            looks[i] = known[0]
        else:
            kept.append(i)
    found = {**looks, **{i: looks.get(j, j) for i, j in copies.items()}}
    return {i: Duplicate(j, rows[j]["key"], distance(rows[i], rows[j]), i in copies) for i, j in sorted(found.items())}


def flipped(word: int, *bits: int) -> str:
    return f"{word ^ sum(1 << b for b in bits):016x}"


@st.composite
def samples(draw: st.DrawFn) -> Rows:
    """Few photos, keys, boxes and hashes, so that everything collides."""
    bits = st.lists(st.integers(0, 63), unique=True, max_size=5)
    hashes = st.builds(lambda word, b: flipped(word, *b), st.sampled_from([BASE, ~BASE % 2**64, 7]), bits)
    one = st.fixed_dictionaries(
        {
            "key": st.integers(0, 30).map("{:016x}".format),
            "source_sha256": st.integers(0, 8).map("{:064x}".format),
            "person_index": st.integers(0, 2),
            "box_x0": st.sampled_from([0.0, 2.0, 50.0]),
            "source_px_per_px": st.sampled_from([0.5, 2.0]),
            "blur": st.sampled_from([0.3, 0.6]),
            "appearance": st.sampled_from([LOOK, LOOK, LEFT, with_colour(6, 5.0), with_colour(9, 9.0)]),
            POINTS: st.sampled_from([PLACES, PLACES, moved(0.03), moved(0.09)]),
            "phash": hashes,
            "phash_mirror": hashes,
        }
    )
    return [row(number, **fields) for number, fields in enumerate(draw(st.lists(one, max_size=24)))]


@pytest.fixture(params=[1, 3, 4096])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Blocks so small that a few rows use every path of the search."""
    monkeypatch.setattr(duplicates, "BLOCK", request.param)
    monkeypatch.setattr(duplicates, "STRIP", 2)
    monkeypatch.setattr(hamming, "PIECE", 3)
    return


@pytest.mark.usefixtures("block")
class TestAgainstTheDefinition:
    @settings(max_examples=60, deadline=None)
    @given(rows=samples(), bits=st.integers(0, 9))
    def test_every_duplicate_and_its_evidence(self, rows: Rows, bits: int) -> None:
        assert find(rows, bits) == slow_find(rows, bits)

    @settings(max_examples=60, deadline=None)
    @given(rows=samples(), bits=st.integers(0, 9))
    def test_existing_samples_that_are_apart_need_no_search(self, rows: Rows, bits: int) -> None:
        old, new = rows[: len(rows) // 2], rows[len(rows) // 2 :]
        gone = find(old, bits)
        kept = [sample for number, sample in enumerate(old) if number not in gone]
        assert find(kept + new, bits, len(kept), apart=True) == find(kept + new, bits, len(kept))


@settings(max_examples=30, deadline=None)
@given(rows=samples(), seed=st.integers(0, 99))
def test_the_order_of_the_rows_does_not_matter(rows: Rows, seed: int) -> None:
    def named(some: Rows) -> set[tuple[str, str]]:
        return {(some[i]["source_path"], some[d.kept]["source_path"]) for i, d in find(some).items()}

    shuffled = random.Random(seed).sample(rows, len(rows))
    assert named(shuffled) == named(rows)


def test_nothing_comes_of_nothing() -> None:
    assert find([]) == {}
    assert find([row(1)]) == {}


def test_a_photo_under_two_names_repeats_all_its_people() -> None:
    first = [row(i, source_sha256="a" * 64, source_path="a.jpg", person_index=i) for i in range(3)]
    second = [{**r, "source_path": "b.jpg"} for r in first]
    found = find(second + first)
    assert {i: d.kept for i, d in found.items()} == {0: 3, 1: 4, 2: 5}
    assert all(d.exact and d.distance == 0 and d.key == first[i]["key"] for i, d in found.items())


def test_a_copy_of_a_lookalike_stays_an_exact_duplicate() -> None:
    """Whoever keeps the lookalikes must still not store one key twice."""
    best = row(1, phash=flipped(BASE), blur=0.9)
    alike = row(2, phash=flipped(BASE, 5))
    copy = {**alike, "source_path": "z.jpg", "source_sha256": "d" * 64}
    assert find([best, alike, copy]) == {
        1: Duplicate(0, best["key"], 1, False),
        2: Duplicate(0, best["key"], 1, True),
    }


def test_the_best_of_lookalikes_is_kept() -> None:
    rows = [
        row(1, phash=flipped(BASE), source_px_per_px=0.5, blur=0.9),
        row(2, phash=flipped(BASE, 3, 60), source_px_per_px=2.0, blur=0.4),
        row(3, phash=flipped(BASE, 3, 61), source_px_per_px=2.0, blur=0.6),
        row(4),
    ]
    best = Duplicate(2, rows[2]["key"], 2, False)
    assert find(rows) == {0: best, 1: best}


def test_the_radius_is_sharp() -> None:
    for bits in range(1, 12):
        near, far = flipped(BASE, *range(0, 5 * bits, 5)), flipped(BASE, *range(0, 5 * (bits + 1), 5))
        assert set(kept_by([row(1, phash=flipped(BASE)), row(2, phash=near)], bits)) == {1}
        assert not find([row(1, phash=flipped(BASE)), row(2, phash=far)], bits)


def test_a_mirrored_copy_is_found_from_either_side() -> None:
    a, b = row(1, phash=flipped(BASE)), row(2, phash_mirror=flipped(BASE, 9))
    assert find([a, b])[1].distance == 1
    assert find([{**a, "key": "f" * 16}, b])[0].distance == 1


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({}, True),
        ({"appearance": with_colour(0, 8.4)}, True),
        ({"appearance": with_colour(0, 8.5)}, False),
        ({"appearance": with_colour(10, 11.0)}, True),
        ({"appearance": with_colour(10, 11.1)}, False),
        ({"appearance": [0.0] * 24}, False),
        ({"appearance": [*LOOK[:18], *[0.0] * 6]}, True),  # the picture ends there: the other three say enough
        ({POINTS: moved(0.05)}, True),
        ({POINTS: moved(0.06)}, False),
        ({POINTS: [float("nan")] * 18}, True),  # nobody looked: then colours must agree twice as well
        ({POINTS: [float("nan")] * 18, "appearance": with_colour(0, 4.2)}, True),
        ({POINTS: [float("nan")] * 18, "appearance": with_colour(0, 4.3)}, False),
    ],
)
def test_equal_hashes_are_no_proof_without_colours_and_landmarks(other: dict[str, Any], same: bool) -> None:
    assert bool(find([row(1, phash=flipped(BASE)), row(2, phash=flipped(BASE), **other)])) == same


def test_the_other_signs_are_mirrored_where_the_hash_is() -> None:
    a, b = row(1, phash=flipped(BASE), appearance=LEFT), row(2, phash_mirror=flipped(BASE, 9))
    right = [*LEFT[:12], *LEFT[18:], *LEFT[12:18]]
    assert find([a, {**b, "appearance": right}])[1].distance == 1
    assert not find([a, {**b, "appearance": LEFT}])


def test_pictures_that_say_little_must_agree_more() -> None:
    grey = [value if number % 3 == 0 else 0.0 for number, value in enumerate(LOOK)]
    plain = [*LOOK[:12], 98.0, 5, 9, 1, 1, 1, 98.0, 5, 9, 1, 1, 1]
    for look in (grey, plain):
        for by, same in ((4.2, True), (4.3, False)):
            other = [look[0] + by, *look[1:]]
            rows = [row(1, phash=flipped(BASE), appearance=look), row(2, phash=flipped(BASE), appearance=other)]
            assert bool(find(rows)) == same


def test_two_people_of_one_photo_are_two_unless_their_boxes_coincide() -> None:
    a = row(1, phash=flipped(BASE), source_sha256="c" * 64)
    beside = row(2, phash=flipped(BASE), source_sha256="c" * 64, person_index=1, box_x0=30.0, box_x1=130.0)
    again = row(3, phash=flipped(BASE), source_sha256="c" * 64, person_index=2, box_x0=3.0)
    assert kept_by([a, beside, again]) == {2: 0}


def test_lookalikes_do_not_chain() -> None:
    """Frames of a slow pan: only those within the radius of a kept one go."""
    frames = [row(i, phash=flipped(BASE, *range(4 * i))) for i in range(5)]
    assert kept_by(frames, 6) == {1: 0, 3: 2}


def planted(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Random words, with a pair at each distance 0..20."""
    words = rng.integers(0, 2**64, n, dtype=np.uint64)
    for bits in range(21):
        mask = sum(1 << int(b) for b in rng.choice(64, bits, replace=False))
        words[bits] = words[n - 1 - bits] ^ np.uint64(mask)
    return words[: n // 2], words[n // 2 :]


@pytest.mark.parametrize("many", [1, 10**6])
@pytest.mark.parametrize("radius", [0, 1, 3, 4, 6, 7, 8, 10])
def test_the_index_finds_every_pair_and_no_other(radius: int, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hamming, "MANY", many)
    queries, words = planted(np.random.default_rng(radius), 1500)
    words[5:9] = words[4]  # a bucket with several
    index = hamming.HammingIndex(words, radius)
    found = {(int(q), int(w)) for a, b in index.near([queries], 100) for q, w in zip(a, b, strict=True)}
    apart = hamming.popcount(queries[:, None] ^ words[None])
    assert found == {(int(q), int(w)) for q, w in zip(*np.nonzero(apart <= radius), strict=True)}
    assert found


def test_both_ways_to_count_bits_agree() -> None:
    words = np.random.default_rng(0).integers(0, 2**64, (5, 7), dtype=np.uint64)
    words[0, :2] = 0, 2**64 - 1
    expected = [[int(w).bit_count() for w in line] for line in words.tolist()]
    assert hamming.popcount(words).tolist() == expected
    assert hamming.popcount_by_table(words).tolist() == expected
