"""Networks of ultralytics: specs, weights and licences, without the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from phq import build
from phq.config.build import load_config
from phq.detect.backends.offers import backend_class, weights_of
from phq.detect.backends.yolo import package
from phq.detect.backends.yolo.network import LICENCE
from phq.errors import InputError, MissingExtraError, WeightError
from phq.stages.pipeline import weights_used
from phq.weights.embedded import registry
from phq.weights.licences import notices

PLACES = ("detector", "skeleton", "mask")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if ultralytics were here."""
    monkeypatch.setattr(package, "find_spec", lambda name: name)


@pytest.mark.parametrize("place", PLACES)
def test_without_the_package_the_extra_is_named(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "find_spec", lambda name: None)
    for use in (weights_of, lambda place, word: backend_class(place, "yolo")("")):
        with pytest.raises(MissingExtraError, match=r"'ultralytics': pip install 'phq\[yolo\]'"):
            use(place, "yolo")


@pytest.mark.parametrize(("place", "name"), [*zip(PLACES, ("yolo11n", "yolo11n-pose", "yolo11n-seg"), strict=True)])
def test_weights_that_are_not_pulled_say_how(
    place: str, name: str, installed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHQ_CACHE", str(tmp_path))
    with pytest.raises(WeightError, match=f"phq weights pull {name}$"):
        weights_of(place, "yolo")
    with pytest.raises(WeightError, match=r"phq weights pull yolo26s$"):
        weights_of(place, "yolo:yolo26s")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("yolo12n", "there are no weights 'yolo12n': did you mean"),
        ("rfdetr-nano", r"rfdetr-nano \(person boxes\) are not of ultralytics"),
        ("nowhere/best.pt", "there is no file nowhere/best.pt"),
        ("best.onnx", r"best.onnx: yolo takes weights of PyTorch \(.pt\), no exported networks"),
        ("folder/best", "folder/best: yolo takes weights"),
    ],
)
def test_other_words_are_refused_with_a_reason(word: str, said: str, installed: None) -> None:
    with pytest.raises(WeightError, match=said):
        weights_of("detector", f"yolo:{word}")


def test_a_file_of_the_users_is_named_without_its_folder_and_held_to_its_bytes(installed: None, tmp_path: Path) -> None:
    path = tmp_path / "mine.pt"
    path.write_bytes(b"weights")
    config = load_config(sets=[f"models.detector=yolo:{path}"])
    weight = weights_used(config)[0]
    assert (weight.name, weight.file, weight.size, weight.licence) == ("mine", "mine.pt", 7, LICENCE)
    assert str(tmp_path) not in str(weight)
    path.write_bytes(b"changed")
    assert weights_used(config)[0].sha256 != weight.sha256


def test_a_licence_that_asks_for_more_than_a_name_is_said(installed: None, tmp_path: Path) -> None:
    path = tmp_path / "mine.pt"
    path.write_bytes(b"weights")
    used = weights_used(load_config(sets=[f"models.detector=yolo:{path}"]))
    assert list(notices(used)) == [f"licence of mine (person boxes): {LICENCE}"]
    assert list(notices(registry().values())) == []


def test_a_build_says_the_licence_before_it_begins(
    installed: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.pt"
    path.write_bytes(b"weights")
    for quiet, said in ((False, f"licence of mine (person boxes): {LICENCE}\n"), (True, "")):
        with pytest.raises(InputError):
            build(tmp_path / "nothing", tmp_path / "out", sets=[f"models.detector=yolo:{path}"], quiet=quiet)
        assert capsys.readouterr().err == said
