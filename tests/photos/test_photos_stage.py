"""The stage that reads photos: what it fills in, and what it leaves of a reject."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from encoded_pictures import encoded, small_picture
from PIL import ExifTags, Image

from phq.people.person import Photo
from phq.people.record import Source
from phq.photos.exif import assumed_focal_px
from phq.schema import PROVENANCE, Sample
from phq.stages.contract import Stage
from phq.stages.read_photos import ReadPhotos


@pytest.fixture
def stage() -> Stage:
    read = ReadPhotos(max_pixels=1_000_000, background=(255, 255, 255))
    read.setup()
    return read


def photo_of(folder: Path, name: str, data: bytes) -> Photo:
    path = folder / name
    path.write_bytes(data)
    return Photo(path, f"in/{name}")


def test_a_good_photo_gets_pixels_and_every_fact(tmp_path: Path, stage: Stage) -> None:
    exif = Image.Exif()
    exif[ExifTags.IFD.Exif] = {0xA405: 50}
    data = encoded(small_picture(), "PNG", exif=exif.tobytes())
    photo = photo_of(tmp_path, "a.png", data)
    stage.process([photo])
    assert photo.rejected is None
    assert photo.pixels is not None and np.array_equal(photo.pixels, np.asarray(small_picture()))
    digest = hashlib.sha256(data).hexdigest()
    assert photo.source == Source(digest, 160, 120, True, pytest.approx(50 / 36 * 160))
    assert photo.record().keys() == {"source_path", *PROVENANCE, *photo.source.columns()} <= Sample.model_fields.keys()
    assert photo.record()["source_path"] == "in/a.png"


def test_without_exif_the_focal_length_is_assumed(tmp_path: Path, stage: Stage) -> None:
    photo = photo_of(tmp_path, "a.png", encoded(small_picture(), "PNG"))
    stage.process([photo])
    assert photo.record()["has_focal"] is False
    assert photo.source.focal_px == assumed_focal_px(160, 120) == pytest.approx(192)


def test_a_bad_photo_keeps_what_is_known_and_spoils_no_other(tmp_path: Path, stage: Stage) -> None:
    good, jpeg = encoded(small_picture(), "PNG"), encoded(small_picture(), "JPEG")
    cut = photo_of(tmp_path, "cut.jpg", jpeg[:-500])
    text = photo_of(tmp_path, "text.jpg", b"hello")
    missing = Photo(tmp_path / "missing.jpg", "missing.jpg")
    photos = [photo_of(tmp_path, "a.png", good), cut, text, missing, photo_of(tmp_path, "b.png", good)]
    stage.process(photos)
    reasons = [photo.rejected.reason if photo.rejected else "" for photo in photos]
    assert reasons == ["", "truncated", "not_an_image", "missing_file", ""]
    assert [photo.pixels is not None for photo in photos] == [True, False, False, False, True]
    assert cut.source.columns().keys() == {"source_sha256", "image_width", "image_height"}
    assert text.source.columns() == {"source_sha256": hashlib.sha256(b"hello").hexdigest()}
    assert missing.source.columns() == {}
    assert missing.record() == {"source_path": "missing.jpg", **dict.fromkeys(PROVENANCE, "")}


def test_a_photo_rejected_before_is_left_alone(tmp_path: Path, stage: Stage) -> None:
    photo = photo_of(tmp_path, "a.png", encoded(small_picture(), "PNG"))
    photo.reject("exact_duplicate", "the same bytes as another")
    stage.process([photo])
    assert photo.pixels is None and photo.source == Source()
    assert photo.rejected is not None and photo.rejected.reason == "exact_duplicate"


def test_the_same_batch_again_gives_the_same(tmp_path: Path, stage: Stage) -> None:
    photo = photo_of(tmp_path, "a.jpg", encoded(small_picture(), "JPEG"))
    stage.process([photo])
    source, pixels = photo.source, photo.pixels
    stage.process([photo])
    assert photo.source == source
    assert pixels is not None and photo.pixels is not None and np.array_equal(photo.pixels, pixels)


def test_the_limit_of_pixels_is_the_one_given(tmp_path: Path) -> None:
    photo = photo_of(tmp_path, "a.png", encoded(small_picture(), "PNG"))
    ReadPhotos(max_pixels=100, background=(0, 0, 0)).process([photo])
    assert photo.rejected is not None and photo.rejected.reason == "too_many_pixels"
    assert photo.source.size == (160, 120)
