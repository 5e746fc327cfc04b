"""Photos that are turned by quarters: found upright, recorded, and left alone where that is not clear."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bundled_photos import FOLDER
from hypothesis import given
from hypothesis import strategies as st

from phq.camera.rotations import rotvec_to_rotmat
from phq.config.build import load_config
from phq.detect.fuse import Detection
from phq.people.person import Face, Person, Photo, TorsoFit
from phq.people.record import Agreement, Keypoints, Provenance, Source
from phq.photos.decode import decode
from phq.photos.turn import TURNS, from_turned, turned
from phq.stages.pipeline import Pipeline, stages
from phq.stages.read_photos import source_of
from phq.stages.turn_upright import TurnUpright, evidence_of, lean_deg, stands

ASTRONAUT = next(FOLDER.glob("*astronaut*"))


@given(st.sampled_from((0, *TURNS)), st.integers(1, 9), st.integers(1, 9), st.data())
def test_from_turned_leads_back_to_the_photo(turn: int, width: int, height: int, data: st.DataObject) -> None:
    photo = np.arange(width * height, dtype=np.uint8).reshape(height, width, 1)
    picture = turned(photo, turn)
    y, x = (data.draw(st.integers(0, size - 1)) for size in picture.shape[:2])
    back = from_turned([x + 0.5, y + 0.5], turn, picture.shape[1], picture.shape[0])
    assert photo[int(back[1]), int(back[0])] == picture[y, x]
    assert (back % 1 == 0.5).all()


class Detect:
    """In the place of the detectors: the score follows from the colour of the top left pixel."""

    name = "detect"

    def __init__(self, scores: dict[int, float]) -> None:
        self.scores, self.calls = scores, 0

    def detect(self, pictures):
        self.calls += len(pictures)
        found = [self.scores.get(int(picture[0, 0, 0]), 0.0) for picture in pictures]
        return [[Detection(np.array([1.0, 1, 9, 9]), score)] if score else [] for score in found]


class Look:
    """In the place of landmarks, start and face: everybody leans so, and has a face of this score."""

    name = "look"

    def __init__(self, lean: float = 0.0, face: float = 0.0) -> None:
        self.lean, self.face = lean, face

    def process(self, photos: list[Photo]) -> None:
        for photo in photos:
            for person in photo.people:
                person.start, person.face = start(self.lean), Face(self.face, np.zeros(4), np.zeros((5, 2)))


def start(lean: float) -> TorsoFit:
    facing = np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]]).T  # left, up and front of someone who faces the camera
    axes = rotvec_to_rotmat(np.array([0, 0, np.radians(lean)])) @ facing
    return TorsoFit(axes, axes, np.zeros(2), 100.0, 0.0, {})


def corners() -> np.ndarray:
    """10 × 20 with the levels 0, 90, 180, 270 / 2 in the corners that are top left after these turns."""
    pixels = np.full((10, 20, 3), 255, np.uint8)
    pixels[0, 0], pixels[0, -1], pixels[-1, -1], pixels[-1, 0] = 0, 90 // 2, 180 // 2, 270 // 2
    return pixels


def looked_at(scores: dict[int, float], lean: float = 0.0, face: float = 0.0, before: float = 0.2) -> tuple[Photo, int]:
    detect = Detect({turn // 2: score for turn, score in scores.items()})
    photo = Photo(Path("a"), "a", corners(), Source("0", 20, 10, False, 50.0))
    if before:
        photo.people = [Person(photo, 0, Detection(np.array([1.0, 1, 9, 9]), before).part())]
    else:
        photo.reject("no_person")
    TurnUpright(detect, [Look(lean, face)]).process([photo])
    return photo, detect.calls


def test_what_is_stated_of_a_photo_is_known_while_it_is_turned() -> None:
    seen = []

    class Listening(Look):
        def process(self, photos: list[Photo]) -> None:
            seen.extend(photo.provenance for photo in photos)
            super().process(photos)

    photo = Photo(Path("a"), "a", corners(), Source("0", 20, 10, False, 50.0), Provenance(consent="yes"))
    photo.reject("no_person")
    TurnUpright(Detect({45: 0.7}), [Listening(0.0, 0.9)]).process([photo])
    assert seen == [Provenance(consent="yes")]
    assert photo.source.photo_turn_deg == 90


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("before", [0.0, 0.2])
def test_a_clear_turn_is_taken_and_recorded(turn: int, before: float) -> None:
    photo, _ = looked_at({turn: 0.7}, face=0.9, before=before)
    assert photo.rejected is None
    assert photo.source.photo_turn_deg == turn
    assert photo.source.photo_turn_score == pytest.approx(1.6 - before)
    assert photo.source.size == ((20, 10) if turn == 180 else (10, 20)) == photo.pixels.shape[1::-1]
    assert (photo.pixels == turned(corners(), turn)).all()
    assert [person.photo is photo for person in photo.people] == [True]
    assert photo.record()["photo_turn_deg"] == turn


@pytest.mark.parametrize(
    ("scores", "options"),
    [
        ({90: 0.7}, {}),  # no face, and one network alone
        ({90: 0.9, 270: 0.8}, {"face": 0.15}),  # two turns are as likely
        ({90: 0.9}, {"face": 0.9, "lean": 30.0}),  # a camera held askew
        ({90: 0.6}, {"face": 0.55, "before": 0.9}),  # hardly better than the photo as it is
        ({}, {"before": 0.0}),  # nobody anywhere
    ],
)
def test_a_photo_is_left_as_it_is_where_nothing_is_clear(scores: dict[int, float], options: dict[str, float]) -> None:
    photo, _ = looked_at(scores, **options)
    assert photo.source == Source("0", 20, 10, False, 50.0)
    assert (photo.pixels == corners()).all()
    assert (photo.rejected is None) == bool(options.get("before", 0.2))
    assert photo.record()["photo_turn_deg"] == photo.record()["photo_turn_score"] == 0


def settled(presence: float = 0.999, disagreement: float = 20.0, lean: float = 3.0) -> Person:
    photo = Photo(Path("a"), "a", corners(), Source("0", 20, 10, False, 50.0))
    person = Person(photo, 0, Detection(np.array([1.0, 1, 9, 9]), 0.6).part(), start=start(lean))
    person.agreement = Agreement(disagreement, 5.0)
    person.keypoints = replace(Keypoints.unmeasured(), pose_presence=presence)
    return person


def test_landmarks_settle_that_a_faceless_person_stands() -> None:
    person = settled()
    assert stands(person)
    person.photo.people = [person]
    detect = Detect({45: 0.9})
    TurnUpright(detect, [Look(0.0, 0.9)]).process([person.photo])
    assert (detect.calls, person.photo.source.photo_turn_deg) == (0, 0)


@pytest.mark.parametrize("doubt", [{"presence": 0.99}, {"disagreement": 60.0}, {"lean": 30.0}])
def test_doubtful_landmarks_settle_nothing(doubt: dict[str, float]) -> None:
    assert not stands(settled(**doubt))


def test_a_photo_with_a_sure_person_costs_no_look() -> None:
    assert looked_at({90: 0.9}, face=0.9, before=1.0)[1] == 0
    assert looked_at({90: 0.9}, face=0.9, before=0.9)[1] == 3


def test_evidence_of_who_leans_counts_half() -> None:
    photo = Photo(Path("a"), "a")
    person = Person(photo, 0, Detection(np.array([1.0, 1, 9, 9]), 0.6, 0.4).part())
    assert evidence_of(person) == 1.0
    for lean, evidence in ((0.0, 1.0), (40.0, 1.0), (-90.0, 0.5), (180.0, 0.5)):
        person.start = start(lean)
        assert lean_deg(person) == pytest.approx(abs(lean))
        assert evidence_of(person) == evidence


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(stages(load_config("default", size=128))[2:])


def annotated(pipeline: Pipeline, pixels: np.ndarray) -> dict:
    photo = Photo(Path("a"), "a", pixels)
    height, width = pixels.shape[:2]
    photo.source = Source("0", width, height, False, source_of(decode(ASTRONAUT)).focal_px)
    pipeline.run([photo])
    (person,) = photo.people
    assert person.rejected is None
    return photo.record() | person.record()


def test_a_turned_photograph_has_the_sample_of_the_upright_one(pipeline: Pipeline) -> None:
    pixels = decode(ASTRONAUT).pixels
    upright = annotated(pipeline, pixels)
    assert upright["photo_turn_deg"] == 0
    for turn in TURNS:
        record = annotated(pipeline, turned(pixels, turn))
        assert (record["photo_turn_deg"], record["key"]) == (360 - turn, upright["key"])
        assert record["photo_turn_score"] > 1
        assert np.array_equal(record["cam2world"], upright["cam2world"])
