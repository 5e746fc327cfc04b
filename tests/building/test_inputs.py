"""The frozen list of inputs."""

from __future__ import annotations

from pathlib import Path

from phq.building.inputs import FrozenInputs, compare, freeze, listed, thaw
from phq.photos.discover import Found


def photos(*names: str) -> list[Found]:
    return [Found(Path("/photos") / name, name, stamp=(len(name), "1")) for name in names]


def test_a_list_grows_by_a_part_and_comes_back(tmp_path: Path) -> None:
    first = listed(photos("b.jpg", "a.jpg"))
    freeze(tmp_path / "first", first)
    grown = listed(photos("new.jpg"), thaw(tmp_path / "first"))
    freeze(tmp_path / "grown", grown)
    expected = FrozenInputs(["b.jpg", "a.jpg", "new.jpg"], [(5, "1"), (5, "1"), (7, "1")], (2, 1))
    assert thaw(tmp_path / "grown") == grown == expected


def test_what_is_new_changed_or_gone_is_named() -> None:
    changed = Found(Path("/photos/a.jpg"), "a.jpg", stamp=(6, "1"))
    differs = compare(listed(photos("a.jpg", "b.jpg")), [changed, *photos("c.jpg")])
    assert (differs.new, differs.changed, differs.vanished) == (("c.jpg",), ("a.jpg",), ("b.jpg",))
