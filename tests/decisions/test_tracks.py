"""People of neighbouring frames of a video are one scene."""

from __future__ import annotations

from typing import Any

import numpy as np
from test_quality_groups import COLOURS, columns_of, named, person

from phq.decisions.groups import scene_groups
from phq.decisions.numbered import numbered
from phq.decisions.tracks import tracks

LEFT, RIGHT = np.array([0.0, 0, 50, 100]), np.array([60.0, 0, 110, 100])


def seen(number: int, seconds: float, box: np.ndarray, video: str = "a.mp4", **said: Any) -> dict[str, Any]:
    return person(number, source_path=f"{video}#t={seconds:.3f}", box=box, **said)


def tracked(people: list[dict[str, Any]]) -> list[int]:
    looks = np.array([p["appearance"] for p in people]).reshape(-1, 4, 6)
    names = numbered([p["identity"] for p in people])
    found = tracks([p["source_path"] for p in people], np.array([p["box"] for p in people]), looks, names).tolist()
    first: dict[int, int] = {}
    return [number if number < 0 else first.setdefault(number, len(first)) for number in found]


def test_each_person_is_followed_from_frame_to_frame() -> None:
    people = [seen(1, 0, LEFT), seen(2, 0, RIGHT), seen(3, 1, LEFT + 8), seen(4, 1, RIGHT + 8), seen(5, 2, LEFT + 16)]
    assert tracked(people) == [0, 1, 0, 1, 0]
    assert tracked(people[::-1]) == [0, 1, 0, 1, 0]


def test_what_breaks_a_track() -> None:
    other_clothes = (COLOURS + np.array([[0, 0, 0], [30, 0, 0], [0, 0, 0], [0, 0, 0]])).tolist()
    shaded = {"appearance": person(2, COLOURS + 4)["appearance"]}
    later = {
        "too late": seen(2, 11, LEFT), "elsewhere, in another light": seen(2, 1, RIGHT) | shaded,
        "another video": seen(2, 1, LEFT, "b.mp4"),
        "another name": seen(2, 1, LEFT, identity="Bob"), "a photo": person(2, box=LEFT),
        "other clothes": seen(2, 1, LEFT) | {"appearance": person(2, np.array(other_clothes))["appearance"]},
    }  # fmt: skip
    for why, other in later.items():
        assert tracked([seen(1, 0, LEFT, identity="Ann"), other]) == [-1, -1], why
    assert tracked([seen(1, 0, LEFT, identity="Ann"), seen(2, 9, LEFT)]) == [0, 0]
    assert tracked([seen(1, 0, LEFT), seen(2, 1, LEFT) | shaded]) == [0, 0]
    assert tracked([seen(1, 0, LEFT), seen(2, 1, RIGHT)]) == [0, 0]  # has walked on
    assert tracked([]) == []


def test_a_track_is_a_scene_named_by_its_best_and_joins_others_through_it() -> None:
    """Each frame has another background, as of a camera that turns: colours alone would find three scenes."""
    turning = [COLOURS + np.array([[0, 0, 0], [0, 0, 0], [shift, 0, 0], [shift, 0, 0]]) for shift in (0, 20, 40)]
    people = [seen(n, t, LEFT) | {"appearance": person(n, c)["appearance"]}
              for n, t, c in zip((5, 3, 4), (0, 1, 2), turning, strict=True)]  # fmt: skip
    best = people[1]["key"]
    table = columns_of(people)
    assert scene_groups(table).tolist() == [-1, -1, -1]
    assert named(table, scene_groups(table, track=np.array([7, 7, 7]))) == [best, best, best]
    photo = person(1, turning[1], box=LEFT)
    table = columns_of([*people, photo])
    assert named(table, scene_groups(table, track=np.array([7, 7, 7, -1]))) == [photo["key"]] * 4
