"""Faces and identities: the embedded network on real people, and a model pack of insightface read by its own loader."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import insightface_pack
import numpy as np
import pytest
from bundled_photos import pixels
from labelled_samples import labelled_sample
from tiny_datasets import write_tiny

from phq.config.build import load_config
from phq.curate.annotate.annotating import annotate
from phq.curate.annotate.groups import select
from phq.dataset.reader import Dataset
from phq.detect.backends.insightface.arcface import around
from phq.detect.backends.insightface.pack import task_of
from phq.detect.backends.insightface.scrfd import best_face
from phq.detect.backends.offers import network_id, open_backend, weights_of
from phq.detect.centerface import FACE_FOUND, CenterFace
from phq.detect.face_crop import text_to_embedding
from phq.detect.faceres import FaceRes
from phq.errors import MissingExtraError, WeightError
from phq.people.person import Face, Person, Photo
from phq.people.record import FaceIdentity, HeadFace, PersonBox
from phq.photos.region import Region, sample
from phq.stages.embed_identity import EmbedIdentity
from phq.stages.find_face import StoreFace
from phq.stages.pipeline import foreign, stages, weights_used
from phq.system.arrays import Image

PORTRAITS = {"obama": "obama.jpg", "cut": "obama_partial_face.jpg", "biden": "biden.jpg"}
installed = pytest.mark.skipif(
    not (find_spec("insightface") and find_spec("onnx")), reason="insightface and onnx are not installed"
)


@pytest.fixture(scope="module")
def network() -> FaceRes:
    return open_backend("identity", "faceres")


@pytest.fixture(scope="module")
def portraits() -> dict[str, tuple[Image, Face]]:
    """Photo and face by name."""
    detector, found = CenterFace(), {}
    for name, file in PORTRAITS.items():
        photo = pixels(f"face_recognition-1.3.0__{file}")
        height, width = photo.shape[:2]
        region = Region(width / 2, height / 2, max(width, height))
        face = detector.detect(sample(photo, region, detector.side)).moved(region.to_photo(1))
        assert face.score > FACE_FOUND
        found[name] = photo, face
    return found


def test_one_person_is_nearer_to_himself_than_to_another(network, portraits) -> None:
    vectors = {name: network.embed(*seen) for name, seen in portraits.items()}
    assert all(v.shape == (1024,) and abs(np.linalg.norm(v) - 1) < 1e-6 for v in vectors.values())
    assert vectors["obama"] @ vectors["cut"] > network.same
    assert vectors["obama"] @ vectors["biden"] < network.same - 0.1
    assert np.array_equal(network.embed(*portraits["biden"]), vectors["biden"])


def test_where_the_photo_ends_does_not_matter(network, portraits) -> None:
    photo, face = portraits["biden"]
    x0, y0, x1, y1 = face.box.astype(int)
    part = photo[max(0, y0 - 100) : y1 + 100, max(0, x0 - 100) : x1 + 100]
    shift = np.array([max(0, x0 - 100), max(0, y0 - 100)])
    moved = Face(face.score, face.box - np.tile(shift, 2), face.points - shift)
    assert network.embed(part, moved) @ network.embed(photo, face) > 0.99


def test_only_a_face_that_was_found_is_embedded(portraits) -> None:
    photo, face = portraits["obama"]
    stage = EmbedIdentity("faceres")
    stage.setup()
    carrier = Photo(Path("x.jpg"), "x.jpg", pixels=photo)
    box, nobody = PersonBox.unmeasured(), HeadFace.unmeasured()
    found = replace(nobody, face_found=True)
    carrier.people = [Person(carrier, 0, box, face=face, head_face=part) for part in (found, nobody)]
    carrier.people.append(Person(carrier, 2, box))
    stage.process([carrier])
    identity, hidden, nothing = (person.identity for person in carrier.people)
    assert text_to_embedding(identity.face_embedding) @ stage.network.embed(photo, face) > 0.999
    assert identity.face_network == network_id("identity", "faceres")
    assert hidden is None and nothing is None


def test_without_an_identity_network_nothing_is_told_apart() -> None:
    assert "identity" not in [stage.name for stage in stages(load_config())]
    config = load_config(sets=["models.identity=faceres"])
    names = [stage.name for stage in stages(config)]
    assert names[names.index("store_face") + 1] == "identity"
    assert "faceres" in [weight.name for weight in weights_used(config)]
    assert foreign(weights_used(config)) == ()
    person = Person.unmeasured(Photo(Path("x"), "x"))
    person.face = Face(0.9, np.array([0, 0, 1, 1.0]), np.zeros((5, 2)))
    person.frame = replace(person.frame, image_size=256, crop_to_source=np.eye(3)[:2])
    person.camera, person.identity = replace(person.camera, cam2world=np.eye(4)), None
    StoreFace().process([replace(person.photo, people=[person])])
    assert person.identity == FaceIdentity("", "")


def test_the_surest_face_is_stated_in_fractions() -> None:
    boxes = np.array([[0, 0, 10, 10, 0.4], [32, 64, 96, 128, 0.9]])
    points = np.arange(20.0).reshape(2, 5, 2)
    face = best_face(boxes, points, 320)
    assert face.score == 0.9
    np.testing.assert_allclose(face.box * 320, [32, 64, 96, 128])
    np.testing.assert_allclose(face.points * 320, points[1])
    assert best_face(np.zeros((0, 5)), np.zeros((0, 5, 2)), 320).score == 0


@pytest.mark.parametrize("box", [(30, 40, 50, 70), (-20, -20, 10, 10), (90, 90, 130, 130), (5, 5, 100, 100)])
def test_all_within_one_size_of_a_face_is_in_its_part(box) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (120, 110, 3), dtype=np.uint8)
    face = Face(1.0, np.array(box, float), np.array([[31.0, 41], [40, 45], [45, 50], [35, 60], [44, 61]]))
    part, points = around(photo, face)
    reach = max(box[2] - box[0], box[3] - box[1])
    x0, y0 = (max(0, low - reach) for low in box[:2])
    assert np.array_equal(part, photo[y0 : box[3] + reach, x0 : box[2] + reach])
    np.testing.assert_allclose(points + [x0, y0], face.points)


def test_a_face_beyond_the_photo_has_a_black_part() -> None:
    part, points = around(np.full((120, 110, 3), 255, np.uint8), Face(1.0, np.full(4, 500.0), np.full((5, 2), 500.0)))
    assert not part.any() and points.min() == 500


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "insightface", None)
    for place in ("face", "identity"):
        with pytest.raises(MissingExtraError, match=r"phq\[insightface\]"):
            open_backend(place, "insightface")
        with pytest.raises(MissingExtraError, match=r"phq\[insightface\]"):
            weights_of(place, "insightface")


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield insightface_pack.write_pack(tmp_path_factory.mktemp("packs") / "tiny")


@installed
def test_the_files_of_a_pack_are_told_apart_as_insightface_does(pack: Path) -> None:
    from insightface.model_zoo import SCRFD, ArcFaceONNX, get_model

    kinds = {"detection": SCRFD, "recognition": ArcFaceONNX}
    for path in sorted(pack.glob("*.onnx")):
        model = get_model(str(path), providers=["CPUExecutionProvider"])
        does = [task for task, kind in kinds.items() if isinstance(model, kind)]
        assert does == ([task_of(path)] if task_of(path) else [])
    (face,), (identity,) = weights_of("face", f"insightface:{pack}"), weights_of("identity", f"insightface:{pack}")
    assert (face.file, identity.file) == ("det_tiny.onnx", "w_tiny.onnx")
    assert "non-commercial" in face.licence
    assert str(pack) not in face.name + face.source, "a record names no folder of a machine"


@installed
def test_scrfd_finds_a_face_where_it_is(pack: Path, capfd: pytest.CaptureFixture[str]) -> None:
    network = open_backend("face", f"insightface:{pack}")
    square = np.zeros((network.side, network.side, 3), np.uint8)
    assert network.detect(square).score == 0
    square[80:88, 200:208] = 255
    face = network.detect(square)
    assert face.score == pytest.approx(127.5 / 128, abs=1e-3)
    reach = 8 * insightface_pack.REACH
    np.testing.assert_allclose(face.box * network.side, [200 - reach, 80 - reach, 200 + reach, 80 + reach], atol=1e-3)
    offsets = 8 * np.reshape(insightface_pack.OFFSETS, (5, 2))
    np.testing.assert_allclose(face.points * network.side, [200, 80] + offsets, atol=1e-3)
    assert capfd.readouterr() == ("", ""), "it is quiet"


@installed
def test_arcface_sees_the_aligned_face_as_insightface_does(pack: Path, portraits, recwarn) -> None:
    from insightface.app.common import Face as TheirFace
    from insightface.model_zoo import get_model

    photo, face = portraits["obama"]
    network = open_backend("identity", f"insightface:{pack}")
    vector = network.embed(photo, face)
    assert not recwarn.list
    theirs = get_model(str(pack / "w_tiny.onnx"), providers=["CPUExecutionProvider"])
    expected = theirs.get(photo[..., ::-1], TheirFace(kps=face.points.astype(np.float32)))
    np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=2e-3)
    assert np.array_equal(network.embed(photo, face), vector)
    assert network_id("identity", f"insightface:{pack}").startswith("insightface:")


@installed
def test_a_pack_that_lacks_a_network_says_so(pack: Path, tmp_path: Path) -> None:
    (tmp_path / "det.onnx").write_bytes((pack / "det_tiny.onnx").read_bytes())
    assert len(weights_of("face", f"insightface:{tmp_path}")) == 1
    with pytest.raises(WeightError, match="no network for identity embeddings"):
        weights_of("identity", f"insightface:{tmp_path}")
    (tmp_path / "a.onnx").write_bytes(b"no network")
    with pytest.raises(WeightError, match=r"a\.onnx cannot be read"):
        weights_of("face", f"insightface:{tmp_path}")
    with pytest.raises(WeightError, match="not a folder"):
        weights_of("face", f"insightface:{tmp_path}/none")
    with pytest.raises(WeightError, match="did you mean buffalo"):
        weights_of("face", "insightface:bufalo_l")


def test_the_faces_of_a_dataset_that_stands_are_embedded_without_looking_for_them_again(tmp_path: Path) -> None:
    box = {"face_box": [16.0, 12.0, 48.0, 52.0], "face_points": [24.0, 24, 40, 24, 32, 32, 26, 42, 38, 42]}
    samples = [labelled_sample(n, face_found=n < 2, **box) for n in range(4)]
    write_tiny(tmp_path / "ds", samples)
    config = ["models.identity=faceres", "identity.same=0.01"]
    options = {"preset": "everything", "sets": config, "workers": 1}
    said = annotate(tmp_path / "ds", "who", groups=["identity"], **options)
    assert said.groups == ["identity", "decisions"]
    rows = Dataset(tmp_path / "ds").table.to_pylist()
    assert [len(text_to_embedding(row["face_embedding"])) for row in rows if row["face_found"]] == [1024, 1024]
    first = min(row["key"] for row in rows if row["face_found"])
    assert all(row["identity_group"] == (first if row["face_found"] else "") for row in rows)
    assert {row["face_network"] for row in rows if not row["face_found"]} == {""}
    assert select(["face"]).names == ["face", "identity"], "another face has another embedding"
