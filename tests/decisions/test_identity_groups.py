"""Samples of one face are a group: found over the whole dataset, never divided between the splits."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from curated_datasets import person, write
from networkless_pipeline import SIDE, Invent, use_networkless_pipeline

from phq.building import build as building
from phq.building.build import build
from phq.building.executors.choice import Engine, Execution
from phq.config.build import Config, load_config
from phq.curate.merge import merge
from phq.curate.migrations import migrated
from phq.curate.verify.verify import verify
from phq.dataset.reader import Dataset
from phq.decisions import faces
from phq.decisions.decide import decide_dataset
from phq.decisions.faces import face_groups
from phq.decisions.likeness import LIKENESS, compact, find_likeness
from phq.decisions.overlay import apply
from phq.detect.face_crop import HALF, embedding_to_text, packed, text_to_embedding, to_unit
from phq.errors import ConfigError, InputError
from phq.people.person import Person, Photo
from phq.people.record import FaceIdentity
from phq.schema import DECISION
from phq.stages.encode_sample import EncodeSample
from phq.stages.pipeline import Pipeline

NETWORK = "faceres:0"
INLINE = Execution(engine=Engine.inline)
NUMBERS = 64


def face(name: str, noise: float = 0.2, seed: int = 0) -> np.ndarray:
    """A unit vector near that of this name."""
    centre = to_unit(np.random.default_rng([*name.encode()]).standard_normal(NUMBERS))
    return to_unit(centre + noise * to_unit(np.random.default_rng(seed).standard_normal(NUMBERS)))


def as_bytes(vector: np.ndarray | None) -> bytes | None:
    return None if vector is None else vector.astype(HALF).tobytes()


def groups_of(
    vectors: list[Any], same: float = 0.65, existing: int = 0, networks: list[str] | None = None
) -> list[str]:
    keys = [f"{n:016x}" for n in range(len(vectors))]
    found = face_groups(keys, [as_bytes(v) for v in vectors], networks or ["x"] * len(keys), lambda _: same, existing)
    return [f"{row:x}" if row >= 0 else "" for row in found.tolist()]


def slow_groups(vectors: list[Any], same: float) -> list[str]:
    """Everybody's smallest number, told on from friend to friend until nothing changes."""
    names = list(range(len(vectors)))
    halves = [None if v is None else v.astype(HALF).astype(np.float64) for v in vectors]
    for _ in vectors:
        for a, one in enumerate(halves):
            for b, other in enumerate(halves):
                if one is not None and other is not None and one @ other >= same:
                    names[a] = names[b] = min(names[a], names[b])
    return [f"{name:x}" if names.count(name) > 1 else "" for name in names]


@pytest.mark.parametrize("seed", range(4))
def test_groups_are_those_of_the_slow_twin(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    monkeypatch.setattr(faces, "BLOCK", 7)
    vectors = [None if rng.random() < 0.1 else face(str(rng.integers(8)), rng.uniform(0, 2), n) for n in range(40)]
    found = groups_of(vectors)
    assert found == slow_groups(vectors, 0.65)
    assert 1 < len(set(found)) < 40


def test_one_that_is_like_two_joins_them() -> None:
    turned = [np.array([np.cos(a), np.sin(a)]) for a in np.radians([0, 40, 80, 180])]
    assert groups_of(turned, 0.7) == ["0", "0", "0", ""]
    assert groups_of([turned[0], turned[2]], 0.7) == ["", ""]


def test_the_first_is_the_smallest_key_whatever_the_order_of_the_rows() -> None:
    keys, vectors = ["c", "a", "b"], [as_bytes(face("ann", seed=n)) for n in range(3)]
    assert face_groups(keys, vectors, ["x"] * 3, lambda _: 0.65).tolist() == [1] * 3
    assert face_groups(keys, vectors, ["x"] * 3, lambda _: 0.65, existing=1).tolist() == [0] * 3, "it stands already"


def test_faces_of_different_networks_are_not_compared() -> None:
    same = [face("ann")] * 4
    assert groups_of(same, networks=["x", "y", "x", "y"]) == ["0", "1", "0", "1"]
    assert groups_of([same[0], None, same[0][:32]]) == ["", "", ""]


def test_an_embedding_is_text_in_a_record_and_comes_back() -> None:
    vector = face("ann")
    text = embedding_to_text(vector)
    assert len(text) == 4 * -(-2 * NUMBERS // 3)
    np.testing.assert_allclose(text_to_embedding(text), vector, rtol=2**-11)
    assert text_to_embedding("").size == 0
    column = packed(pa.chunked_array([[text, ""], [None]], pa.string()))
    assert column.to_pylist() == [as_bytes(vector), None, None]
    with pytest.raises(InputError, match="base64"):
        packed(pa.chunked_array([["AAA"]]))
    with pytest.raises(ValueError, match="direction"):
        to_unit(np.zeros(3))


def test_a_record_from_before_faces_were_told_apart_says_unknown() -> None:
    old = {k: v for k, v in person(0).row.items() if k not in ("face_embedding", "face_network", "identity_group")}
    record, steps = migrated(old)
    assert steps == ["faces"]
    assert (record["face_embedding"], record["face_network"], record["identity_group"]) == ("", "", "")
    assert migrated(record)[1] == []


class InventFaces(Invent):
    """``people 1 NAME NUMBER`` is a photo of NAME, whose face is seen unless it is ``back``."""

    def _person(self, photo: Photo, index: int, seed: bytes) -> Person:
        made = super()._person(photo, index, seed)
        name = photo.path.read_text().split()[2]
        if name != "back":
            number = int(hashlib.sha256(photo.name.encode()).hexdigest()[:6], 16)
            made.identity = FaceIdentity(embedding_to_text(face(name, seed=number)), NETWORK)
        return made


def pipeline(config: Config, sidecar: object = None) -> Pipeline:
    return Pipeline([InventFaces(), EncodeSample(config.crop.jpeg_quality)])


def cheaply(patch: pytest.MonkeyPatch) -> None:
    use_networkless_pipeline(patch)
    patch.setattr(building, "pipeline_of", pipeline)


@pytest.fixture(scope="module")
def first_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faces")
    photos_of(folder / "photos", {f"n{i}": 4 for i in range(6)} | {"back": 6})
    with pytest.MonkeyPatch.context() as patch:
        cheaply(patch)
        half = ["split.val_fraction=0.5"]
        build(folder / "photos", folder / "out", preset="everything", size=SIDE, execution=INLINE, sets=half)
    return folder


@pytest.fixture
def built(first_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six people in four photos each, and six backs; half of all in val."""
    cheaply(monkeypatch)
    shutil.copytree(first_build, tmp_path, dirs_exist_ok=True)
    return tmp_path / "out"


def photos_of(source: Path, people: dict[str, int], first: int = 0) -> None:
    source.mkdir(exist_ok=True)
    for name, count in people.items():
        for number in range(first, first + count):
            (source / f"{name}-{number}.jpg").write_text(f"people 1 {name} {number}")


def by_name(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["source_path"].partition("-")[0], []).append(row)
    return found


def manifest(folder: Path) -> list[dict[str, Any]]:
    return list(pq.read_table(folder / "manifest.parquet").to_pylist())


def test_a_build_finds_the_groups_and_no_split_divides_one(built: Path) -> None:
    people = by_name(manifest(built))
    assert {row["identity_group"] for row in people.pop("back")} == {""}
    for rows in people.values():
        assert {row["identity_group"] for row in rows} == {min(row["key"] for row in rows)}
        assert len({row["split"] for row in rows}) == 1
    assert len({rows[0]["split"] for rows in people.values()}) == 2, "or the test would show nothing"
    assert verify(built, workers=1).violations == []


def test_an_extension_sees_the_old_faces(built: Path) -> None:
    before = {row["key"]: row for row in manifest(built)}
    photos_of(built.parent / "photos", {"n0": 3, "n1": 3, "new": 3, "alone": 1}, first=4)
    build(built.parent / "photos", built, execution=INLINE, extend=True)
    rows = manifest(built)
    assert all(row == before[row["key"]] for row in rows if row["key"] in before)
    people = by_name(rows)
    for name in ("n0", "n1", "new"):
        assert len({row["identity_group"] for row in people[name]}) == 1
        assert len({row["split"] for row in people[name]}) == 1
    assert people["alone"][0]["identity_group"] == ""
    assert verify(built, workers=1).violations == []


def test_who_was_alone_is_followed_to_his_side(built: Path) -> None:
    """Nothing of an old row changes, so only the new one says that the two are one person."""
    photos_of(built.parent / "photos", {f"solo{i}": 1 for i in range(8)})
    build(built.parent / "photos", built, execution=INLINE, extend=True)
    photos_of(built.parent / "photos", {f"solo{i}": 1 for i in range(8)}, first=1)
    build(built.parent / "photos", built, execution=INLINE, extend=True)
    people = by_name(manifest(built))
    for i in range(8):
        old, new = sorted(people[f"solo{i}"], key=lambda row: row["source_path"])
        assert (old["identity_group"], new["identity_group"]) == ("", old["key"])
        assert old["split"] == new["split"]
    assert len({people[f"solo{i}"][0]["split"] for i in range(8)}) == 2


def test_deciding_again_with_the_configuration_of_the_build_changes_nothing(built: Path) -> None:
    decided = decide_dataset(built)
    assert len(decided.before) == len(manifest(built)) > 0
    for name in DECISION:
        assert decided.after[name].to_pylist() == decided.before[name].to_pylist(), name


def test_decide_groups_again_with_another_threshold(built: Path) -> None:
    strict = decide_dataset(built, sets=["identity.same=1.0"])
    apply(strict, "strict")
    assert set(Dataset(built).columns(["identity_group"])["identity_group"].to_pylist()) == {""}
    back = decide_dataset(built, preset="everything")
    apply(back, "back")
    groups = Dataset(built).columns(["key", "identity_group"]).to_pylist()
    assert {r["key"]: r["identity_group"] for r in groups} == {r["key"]: r["identity_group"] for r in manifest(built)}


def test_a_network_that_is_not_known_here_needs_the_threshold_stated(built: Path) -> None:
    stored = Dataset(built, where="decision = 'kept'").table
    other = stored.set_column(
        stored.schema.get_field_index("face_network"), "face_network",
        pa.chunked_array([["theirs:0" if name else "" for name in stored["face_network"].to_pylist()]]),
    )  # fmt: skip
    likeness = compact(other.select(LIKENESS))
    assert find_likeness(likeness, load_config("everything", None, ["identity.same=0.65"])).touched().any()
    with pytest.raises(ConfigError, match="'theirs': there is no such identity"):
        find_likeness(likeness, load_config("everything"))


def test_a_merge_brings_a_face_to_one_side(tmp_path: Path) -> None:
    def seen(number: int, name: str, split: str) -> Any:
        return person(number, split, face_embedding=embedding_to_text(face(name, seed=number)), face_network=NETWORK)

    one = write(tmp_path / "one", [seen(0, "ann", "train"), seen(1, "bob", "val")], sheet=False)
    two = write(tmp_path / "two", [seen(2, "ann", "val"), seen(3, "cid", "val")], sheet=False)
    done = merge([one, two], tmp_path / "both")
    assert done.moved == 1
    rows = {row["source_path"][-5]: row for row in manifest(tmp_path / "both")}
    assert {n: row["split"] for n, row in rows.items()} == {"0": "train", "1": "val", "2": "train", "3": "val"}
    assert rows["0"]["identity_group"] == rows["2"]["identity_group"] == min(rows["0"]["key"], rows["2"]["key"])
    assert rows["1"]["identity_group"] == rows["3"]["identity_group"] == ""
    assert verify(tmp_path / "both", workers=1).violations == []
