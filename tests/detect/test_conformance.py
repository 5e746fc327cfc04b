"""Every back end that can be opened here keeps to its protocol, and the suite that says so finds faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from bundled_photos import FOLDER, pixels
from tiny_networks import RTMDET
from typer.testing import CliRunner

from phq.align.mask_from_landmarks import LandmarkMask
from phq.cli import app
from phq.detect.backends.conformance import complaints
from phq.detect.backends.offers import OFFERS, open_backend, split_spec, weights_of
from phq.detect.backends.protocols import SLOTS
from phq.detect.backends.report import checked, listing
from phq.detect.blazepose import BlazePose
from phq.detect.candidates import Candidates
from phq.detect.centerface import CenterFace
from phq.detect.nanodet import NanoDet
from phq.errors import ConfigError, InputError, MissingExtraError, PhqError, WeightError
from phq.system.arrays import Image

NAMES = (
    "pose2sim-0.10.49__Single_cam1_f000.jpg",
    "scikit-image-0.26.0__astronaut.png",
    "sports2d-0.8.34__demo_f130.jpg",
)
WORDS = [(offer.slot, RTMDET if offer.name == "rtmdet" else offer.name) for offer in OFFERS]


@pytest.fixture(scope="module")
def photos() -> list[Image]:
    return [shrunk(pixels(name)) for name in NAMES]


def shrunk(picture: Image) -> Image:
    """The long side at 600 pixels: what is tried needs no more."""
    scale = 600 / max(picture.shape[:2])
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize(("place", "word"), WORDS, ids=lambda part: part)
def test_it_conforms(place: str, word: str, photos: list[Image], pulled: None) -> None:
    try:
        backend = open_backend(place, word)
    except (MissingExtraError, WeightError) as error:
        pytest.skip(str(error))
    assert list(complaints(place, backend, photos, split_spec(word)[1])) == []


class Forgetful(NanoDet):
    """Answers with what it saw before."""

    last = Candidates.of(np.zeros((0, 4)), [])

    def detect(self, pictures: Any, threshold: float, tiles: bool) -> list[Candidates]:
        found, self.last = self.last, super().detect(pictures, threshold, tiles)[0]
        return [found]


class Unmirrored(NanoDet):
    """Everybody stands at the left."""

    def detect(self, pictures: Any, threshold: float, tiles: bool) -> list[Candidates]:
        return [Candidates.of([[0, 0, 20, p.shape[0]]], [0.9]) for p in pictures]


class Unsorted(NanoDet):
    """Worst first, in a range of its own."""

    def detect(self, pictures: Any, threshold: float, tiles: bool) -> list[Candidates]:
        return [Candidates.of(c.boxes, c.scores * 2, c.keypoints).at(np.argsort(c.scores))
                for c in super().detect(pictures, threshold, tiles)]  # fmt: skip


class Fragile(NanoDet):
    """Cannot do with a row of pixels."""

    def detect(self, pictures: Any, threshold: float, tiles: bool) -> list[Candidates]:
        if min(pictures[0].shape[:2]) < 2:
            raise ZeroDivisionError("nothing left")
        return super().detect(pictures, threshold, tiles)


class Scribbling(LandmarkMask):
    """Writes to the picture, and gives bytes."""

    def segment(self, crop: Image, hint: Any) -> Any:
        crop[0, 0] += 1
        return (hint * 255).astype(np.uint8)


class Pixels(CenterFace):
    """In pixels, where fractions are wanted."""

    def detect(self, square: Image) -> Any:
        return super().detect(square).moved(np.array([[self.side, 0, 0], [0, self.side, 0]], float))


class OneSided(BlazePose):
    """Shows the mirror image and does not mirror back."""

    def __init__(self) -> None:
        super().__init__("full")

    def run(self, jobs: Any) -> Any:
        found = super().run([(np.ascontiguousarray(p[:, ::-1]) if m else p, r, False) for p, r, m in jobs])
        return [replace(run, world=run.world[:17]) for run in found]


class Unlicensed(LandmarkMask):
    """Does not say what it loads."""

    @classmethod
    def weights(cls, weights: str = "") -> Any:
        return ["somewhere"]


@pytest.mark.parametrize(
    ("place", "kind", "said"),
    [
        ("detector", Forgetful, "another answer for the same picture, asked again after others"),
        ("detector", Unmirrored, "only 0 are where they were when mirrored"),
        ("detector", Unsorted, "not ordered best first"),
        ("detector", Unsorted, "scores is not within 0..1"),
        ("detector", Fragile, "raises ZeroDivisionError: nothing left (a row of pixels)"),
        ("mask", Scribbling, "writes to the picture"),
        ("mask", Scribbling, "mask is not within 0..1"),
        ("mask", Unlicensed, "weights() is not a tuple"),
        ("mask", NanoDet, "has no attribute 'segment'"),
        ("face", Pixels, "fractions of the side are wanted"),
        ("landmarks", OneSided, "world has the shape (17, 3), not 33 × 3"),
        ("landmarks", OneSided, "are where they were when mirrored"),
    ],
)
def test_a_fault_is_found(place: str, kind: type, said: str, photos: list[Image]) -> None:
    assert any(said in line for line in complaints(place, kind(), photos[:2]))


def test_the_list_says_what_is_missing(pulled: None) -> None:
    lines = list(listing())
    assert any(line.startswith("detector") and "nanodet*" in line for line in lines)
    for place in SLOTS:
        names = [offer.name for offer in OFFERS if offer.slot == place]
        assert all(any(line.split()[:1] == [place] and name in line for line in lines) for name in names)
    for offer in OFFERS:
        (line,) = (line for line in lines if line.split()[:2] in ([offer.slot, offer.name],
                                                                  [offer.slot, f"{offer.name}*"]))  # fmt: skip
        for said in _licences_or_lack(offer.slot, offer.name):
            assert said in line


def _licences_or_lack(place: str, name: str) -> Iterator[str]:
    try:
        yield from (weight.licence for weight in weights_of(place, name))
    except PhqError as error:
        yield str(error)


def test_the_command_checks_a_word_on_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHQ_CACHE", str(tmp_path / "cache"))
    (photo,) = FOLDER.glob("*astronaut*")
    call = ["backends", "check", "mask", "landmarks", "--photos", str(photo)]
    done = CliRunner().invoke(app, call)
    assert (done.exit_code, done.stdout) == (0, "mask landmarks: conforms\n")
    monkeypatch.setattr(LandmarkMask, "segment", Scribbling.segment)
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 1
    assert "writes to the picture (photo 0)" in done.stdout
    assert list(checked("detector", RTMDET, str(photo))) == []
    with pytest.raises(ConfigError, match="there is no slot 'nose'"):
        list(checked("nose", "nanodet", str(photo)))
    with pytest.raises(ConfigError, match="there is nothing to check"):
        list(checked("skeleton", "none", str(photo)))
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(InputError, match="no photo that can be read"):
        list(checked("mask", "landmarks", str(tmp_path)))
