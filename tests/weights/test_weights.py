"""Weights are checked before they are used."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from phq.errors import WeightError
from phq.weights import embedded as weights


@pytest.mark.parametrize("name", list(weights.registry()))
def test_every_registered_file_is_there_and_is_the_right_one(name):
    weight = weights.registry()[name]
    assert weights.checked_path(name).stat().st_size == weight.size


def test_every_weight_is_in_the_notice_with_its_licence():
    notice = (Path(__file__).parents[2] / "NOTICE").read_text()
    for weight in weights.registry().values():
        (line,) = [line for line in notice.splitlines() if weight.file in line]
        assert weight.licence.split(" ")[0] in line


def test_no_file_lies_in_the_folder_unregistered():
    files = {p.name for p in weights.FOLDER.iterdir() if p.suffix in (".onnx", ".safetensors")}
    assert files == {w.file for w in weights.registry().values()}


@pytest.fixture
def altered(tmp_path, monkeypatch):
    """A registry entry whose file is ours to damage."""
    weight = dataclasses.replace(weights.registry()["movenet"], file="altered.onnx")
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    monkeypatch.setattr(weights, "registry", lambda: {"movenet": weight})
    weights.checked_path.cache_clear()
    yield tmp_path / "altered.onnx"
    weights.checked_path.cache_clear()


def test_a_missing_weight_file_is_said(altered):
    with pytest.raises(WeightError, match=r"altered\.onnx is missing"):
        weights.checked_path("movenet")


def test_a_changed_weight_file_is_refused(altered):
    altered.write_bytes(b"something else")
    with pytest.raises(WeightError, match="sha256"):
        weights.checked_path("movenet")
