"""A file that means something else than is stated, or a convention that does not exist."""

from __future__ import annotations

from pathlib import Path

import pytest
from predicted_files import jsonl, people
from predicted_rows import axis_angle, noisy_heads, take
from scipy.spatial.transform import Rotation

from phq.errors import ConfigError, InputError

WRONG = {
    "the sign of yaw": ("whenet.jsonl", "whenet,yaw+right", "yaw+left in place of yaw+right"),
    "the sign of pitch": ("openface.csv", "openface,pitch+up", "pitch+down in place of pitch+up"),
    "radians for degrees": ("openface.csv", "openface,degrees", "radians in place of degrees"),
    "front for back": ("axis-angle.parquet", "full-image,faces-z", "faces+z in place of faces-z"),
    "y up for y down": ("axis-angle.parquet", "full-image,y-up", "y-down in place of y-up"),
    "the inverse": ("6drepnet.npz", "crop,y-up", "camera-to-body in place of body-to-camera"),
    "another program": ("3ddfa.csv", "openface,degrees", "3ddfa"),
    "the camera of the crop": ("axis-angle.parquet", "crop", "full-image in place of crop"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_convention_is_named_before_anything_is_written(wrong: str, dataset: Path, tmp_path: Path) -> None:
    name, convention, phrase = WRONG[wrong]
    file, _ = noisy_heads(name, dataset, tmp_path, noise=2.0)
    before = sorted(path.name for path in dataset.rglob("*"))
    with pytest.raises(InputError, match="the convention looks wrong") as refused:
        take(dataset, file, "headpose", convention)
    assert phrase in str(refused.value)
    assert sorted(path.name for path in dataset.rglob("*")) == before


def test_a_constant_turn_that_no_convention_explains_is_named(dataset: Path, tmp_path: Path) -> None:
    tilt = Rotation.from_euler("yx", [70, 40], degrees=True).as_matrix()
    rows = [axis_angle(person, person.head(person.photo) @ tilt) for person in people(dataset)]
    with pytest.raises(InputError, match=r"a constant turn of 79° about .* in the axes of the body"):
        take(dataset, jsonl(tmp_path / "tilted.jsonl", rows), "headpose", "full-image")


def test_the_convention_is_taken_as_stated_if_the_user_says_so(dataset: Path, tmp_path: Path) -> None:
    file, _ = noisy_heads("whenet.jsonl", dataset, tmp_path)
    assert take(dataset, file, "headpose", "whenet,yaw+right", trusted=True).matched == 16


@pytest.mark.parametrize(
    ("kind", "convention", "sentence"),
    [
        ("headpose", "whenett", "did you mean whenet"),
        ("smpl", "whenet", "whenet writes headpose, not smpl"),
        ("headpose", "whenet,openface", "names two programs"),
        ("headpose", "y-up,y-down", "says both y-up and y-down"),
        ("hands", "", "--as 'hands'"),
    ],
)
def test_unknown_conventions_are_refused(kind: str, convention: str, sentence: str, drawn: Path) -> None:
    with pytest.raises(ConfigError, match=sentence):
        take(drawn, Path("nowhere.npz"), kind, convention)
