"""Copies of a photo whose person was cut by another fit: the photo and the place in it tell."""

from __future__ import annotations

import hashlib
import itertools
import math
from typing import Any

import cv2
import numpy as np
import pytest
from head_crops import SQUARES, native
from hypothesis import given, settings
from hypothesis import strategies as st
from test_duplicates import LEFT, LOOK, POINTS, find, mirrored, moved, row, slow_find

from phq.quality.hashes import photo_phash

COLUMNS = [*[c for _ in range(8) for c in range(8)], *[c for _ in range(8) for c in range(8, 16)],
           *[c for _ in range(8) for c in range(16)]]  # fmt: skip
"""Column of the coefficient of each bit of a photo's hash."""
MIRROR = int("".join(str(column % 2) for column in COLUMNS), 2)
PHOTO = int("8f3a51c077e219b4" * 4, 16)
TURNED = [int.from_bytes(hashlib.sha256(name).digest(), "big") for name in (b"one way", b"the other way")]
"""Bits that a turn changes."""
LOOSE, FAR = list(range(64, 256)), moved(0.3)


def photo(*bits: int, of: int = PHOTO) -> str:
    """A photo's hash, as it is and turned, with some bits changed, 0 the first."""
    as_it_is = of ^ sum(1 << (255 - bit) for bit in bits)
    return "".join(f"{as_it_is ^ turn:064x}" for turn in (0, *TURNED))


def pair(**second: Any) -> list[dict[str, Any]]:
    """A person, and one of another photo, whose crop is unlike the first's."""
    return [row(1, photo_phash=photo(), blur=0.9), row(2, **{"photo_phash": photo(), POINTS: FAR, **second})]


def test_a_person_cut_otherwise_in_a_copy_of_the_photo_is_a_duplicate() -> None:
    assert find(pair())[1].kept == 0
    assert not find(pair(photo_phash=""))


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({"photo_phash": photo(*LOOSE[:56])}, True),
        ({"photo_phash": photo(*LOOSE[:57])}, False),
        ({"photo_phash": photo(*range(7))}, True),
        ({"photo_phash": photo(*range(8))}, False),  # a search by the first 64 would take long
        ({"photo_phash": photo(*LOOSE[:40], of=PHOTO ^ TURNED[0])}, True),  # a straightened copy
        ({"photo_phash": photo(*LOOSE[:40], of=PHOTO ^ TURNED[1])}, True),
        ({"photo_phash": photo(*LOOSE[:41], of=PHOTO ^ TURNED[1])}, False),
        ({"photo_phash": photo()[:64]}, False),  # from before turned photos had hashes
        ({"box_x0": 59.0}, True),
        ({"box_x0": 61.0}, False),  # another person there
        ({"image_width": 600, "box_x1": 200.0}, True),  # the same photo, twice as wide
        ({"image_width": 900}, False),
        ({"camera_yaw_deg": 150.0, "head_yaw_deg": 150.0}, True),  # nothing has moved: a fit was wrong
        ({"photo_phash": photo(*LOOSE[:21]), "camera_yaw_deg": 30.0, "head_yaw_deg": -50.0}, True),
        ({"photo_phash": photo(*LOOSE[:21]), "camera_yaw_deg": 31.0}, False),
        ({"photo_phash": photo(*LOOSE[:21]), "head_yaw_deg": 51.0}, False),  # has turned the head meanwhile
        ({"appearance": [LOOK[0] + 16.0, *LOOK[1:]]}, True),
        ({"appearance": [LOOK[0] + 16.5, *LOOK[1:]]}, False),  # another person in the same place
    ],
)
def test_photo_place_and_colours_must_all_agree(other: dict[str, Any], same: bool) -> None:
    assert bool(find(pair(**other))) == same


def test_a_small_person_does_not_count() -> None:
    """A camera that stands still sees one background and people after each other."""
    for height, same in ((100.0, True), (99.0, False)):
        assert bool(find([one | {"box_y1": height} for one in pair()])) == same


def test_two_people_of_a_photo_are_not_each_other_in_its_copy() -> None:
    left, right = {"box_x1": 100.0}, {"box_x0": 150.0, "box_x1": 250.0, "person_index": 1}
    originals = [
        row(n, photo_phash=photo(), source_sha256="a" * 64, blur=0.9, **at) for n, at in enumerate((left, right))
    ]
    copies = [row(n + 5, photo_phash=photo(3), source_sha256="b" * 64, **{POINTS: FAR}, **at)
              for n, at in enumerate((left, right))]  # fmt: skip
    assert {copy: found.kept for copy, found in find([*originals, *copies]).items()} == {2: 0, 3: 1}


def test_the_yaw_of_a_mirror_image_has_the_other_sign() -> None:
    first, second = pair(photo_phash=photo(*LOOSE[:30], of=PHOTO ^ MIRROR), box_x0=200.0, box_x1=300.0)
    assert find([first | {"camera_yaw_deg": 170.0}, second | {"camera_yaw_deg": -175.0}])
    assert not find([first | {"camera_yaw_deg": 90.0}, second | {"camera_yaw_deg": 90.0}])


def test_frames_of_one_video_are_no_copies() -> None:
    frames = [one | {"source_path": f"walk.mp4#t={n}.000"} for n, one in enumerate(pair())]
    assert not find(frames)
    assert find([frames[0], frames[1] | {"source_path": "copy.mp4#t=1.000"}])


def test_a_mirrored_copy_has_its_person_on_the_other_side() -> None:
    first = row(1, photo_phash=photo(), appearance=LEFT, blur=0.9)
    there = {"photo_phash": photo(5, of=PHOTO ^ MIRROR), "box_x0": 200.0, "box_x1": 300.0}
    other = row(2, **(mirrored(first) | {POINTS: FAR} | there))
    assert find([first, other])[1].kept == 0
    assert not find([first, other | {"box_x0": 0.0, "box_x1": 100.0}])


def test_the_mirror_image_of_a_photo_has_the_other_sign_in_odd_columns() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (90, 120, 3), np.uint8)
    picture[:40, :50] //= 3
    one, other = (forms(np.ascontiguousarray(p)) for p in (picture, picture[:, ::-1]))
    for mine, others in ((0, 0), (1, 2), (2, 1)):  # a turn has the other sense
        assert (one[mine] ^ other[others] ^ MIRROR).bit_count() <= 1  # rounding
        assert (one[mine] ^ other[others]).bit_count() > 100


def test_a_smaller_photo_has_the_same_hash() -> None:
    noise = np.random.default_rng(2).integers(0, 256, (16, 24, 3), np.uint8)
    pictures = (cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC) for size in ((480, 320), (240, 160)))
    one, other = map(forms, pictures)
    assert all((a ^ b).bit_count() <= 6 for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("degrees", [-4, -3, -2, 2, 3, 4])
@pytest.mark.parametrize("name", sorted(SQUARES))
def test_a_straightened_photo_is_near_the_original_turned(name: str, degrees: int) -> None:
    """Turned counter-clockwise, and cut to the rectangle without corners."""
    picture = native(name)[: 3 * len(native(name)) // 4]
    height, width = picture.shape[:2]
    middle = width / 2 - 0.5, height / 2 - 0.5
    turned = cv2.warpAffine(
        picture, cv2.getRotationMatrix2D(middle, degrees, 1), (width, height), flags=cv2.INTER_CUBIC
    )
    angle = math.radians(abs(degrees))
    lost = (1 - 1 / (math.cos(angle) + width / height * math.sin(angle))) / 2
    x, y = round(lost * width), round(lost * height)
    off = [form ^ forms(np.ascontiguousarray(turned[y : height - y, x : width - x]))[0] for form in forms(picture)]
    near = off[1 if degrees > 0 else 2]
    assert near.bit_count() <= 40 and (near >> 192).bit_count() <= 7
    assert near.bit_count() == min(form.bit_count() for form in off)


def forms(picture: np.ndarray) -> list[int]:
    """The hashes of a photo as it is, turned, and turned the other way."""
    text = photo_phash(picture)
    return [int(text[at : at + 64], 16) for at in (0, 64, 128)]


@st.composite
def people(draw: st.DrawFn) -> list[dict[str, Any]]:
    bits = st.lists(st.integers(0, 255), unique=True, max_size=9)
    hashes = st.builds(
        lambda of, b: photo(*b, of=of),
        st.sampled_from([PHOTO, PHOTO ^ MIRROR, PHOTO ^ TURNED[0], PHOTO ^ TURNED[1] ^ MIRROR]),
        bits,
    )
    one = st.fixed_dictionaries(
        {
            "photo_phash": st.one_of(st.just(""), hashes, hashes),
            "source_sha256": st.integers(0, 8).map("{:064x}".format),
            "person_index": st.integers(0, 2),
            "box_x0": st.sampled_from([0.0, 10.0, 200.0]),
            "blur": st.sampled_from([0.3, 0.6]),
            "appearance": st.sampled_from([LOOK, LEFT]),
        }
    )
    rows = draw(st.lists(one, max_size=16))
    return [
        row(n, **{POINTS: moved(0.1 * n)}, **fields, box_x1=fields["box_x0"] + 100) for n, fields in enumerate(rows)
    ]


@settings(max_examples=40, deadline=None)
@given(rows=people())
def test_every_copy_is_found_and_no_other(rows: list[dict[str, Any]]) -> None:
    assert find(rows) == slow_find(rows, 6)


def test_as_many_are_found_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = [photo(bit, of=of) for bit, of in itertools.product(range(64, 84), (PHOTO, PHOTO ^ MIRROR))]
    rows = [row(n, photo_phash=text, **{POINTS: moved(0.2 * n)}) for n, text in enumerate(hashes)]
    whole = find(rows)
    monkeypatch.setattr("phq.decisions.duplicates.BLOCK", 2)
    assert find(rows) == whole
    assert whole
