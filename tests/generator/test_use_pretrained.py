"""A generator in a file: what an export writes is opened again, and one that comes with phq by its name."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from generator_runs import IMAGES, app, opened
from PIL import Image
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from phq.errors import ConfigError, InputError, WeightError
from phq.generator.use import target
from phq.generator.use.exporting import weights
from phq.generator.use.opening import Trained, open_pretrained, open_trained
from phq.weights import embedded

TOOL = Path(__file__).parents[2] / "tools" / "pack_generator.py"


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of weights with an untrained generator, `small`, in the place of phq's own."""
    spec = importlib.util.spec_from_file_location("pack_generator", TOOL)
    assert spec is not None and spec.loader is not None
    tool: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "registry.json").write_text("[]")
    opened(tmp_path / "run")
    tool.pack(tmp_path / "run", "small", "a test", folder)
    monkeypatch.setattr(embedded, "FOLDER", folder)
    embedded.registry.cache_clear()
    embedded.checked_path.cache_clear()
    yield folder
    embedded.registry.cache_clear()
    embedded.checked_path.cache_clear()


@pytest.mark.parametrize("half", [False, True])
def test_what_is_written_is_opened(untrained: Trained, tmp_path: Path, half: bool):
    path = tmp_path / "generator.safetensors"
    path.write_bytes(weights(untrained, half))
    assert {value.dtype for value in load_file(path).values()} == {torch.float16 if half else torch.float32}
    again = open_trained(path, "cpu")
    assert (again.raw, again.images, again.g.config) == (untrained.raw, IMAGES, untrained.g.config)
    for name, value in untrained.g.state_dict().items():
        read = again.g.state_dict()[name]
        assert read.dtype == torch.float32
        torch.testing.assert_close(read, value, atol=1e-3 if half else 0, rtol=1e-3 if half else 0)


def test_a_file_that_is_no_generator_gets_a_sentence(tmp_path: Path):
    (tmp_path / "a.safetensors").write_bytes(b"nothing of the kind")
    save_file({"a": torch.ones(1)}, tmp_path / "b.safetensors")
    for name, reason in (("a", "cannot be read"), ("b", "not a generator of the format")):
        with pytest.raises(InputError, match=reason):
            open_trained(tmp_path / f"{name}.safetensors", "cpu")


def test_one_that_comes_with_phq_turns_without_run_or_data(packed: Path, tmp_path: Path):
    assert open_pretrained("small", "cpu").images == IMAGES
    out = tmp_path / "head.mp4"
    made = CliRunner().invoke(app, ["orbit", "--pretrained", "small", "--out", str(out), "--frames", "2"])
    assert made.exit_code == 0, made.output
    assert out.stat().st_size > 500


def test_its_entry_names_the_file_and_an_altered_one_is_refused(packed: Path):
    (entry,) = json.loads((packed / "registry.json").read_text())
    assert (entry["name"], entry["licence"], entry["source"]) == ("generator-small", "Apache-2.0", "a test")
    path = packed / entry["file"]
    assert path.stat().st_size == entry["size"]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(WeightError, match="reinstall phq"):
        open_pretrained("small", "cpu")


def test_a_run_or_a_name_is_needed_and_not_both(packed: Path, tmp_path: Path):
    for words, reason in (
        ([], "name a RUN, or with --pretrained"),
        ([str(tmp_path / "run"), "--pretrained", "small"], "and not both"),
        (["--pretrained", "large"], "phq comes with small"),
    ):
        done = CliRunner().invoke(app, ["sample", *words, "--out", str(tmp_path / "out")])
        assert isinstance(done.exception, ConfigError)
        assert reason in str(done.exception)


def test_of_one_that_comes_with_phq_the_only_argument_of_an_inversion_is_the_photo(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def read(photo: Path, _side: int, _person: int | None) -> Any:
        raise InputError(f"{photo} is read")

    monkeypatch.setattr(target, "from_photo", read)
    monkeypatch.chdir(tmp_path)
    Path("somebody.jpg").write_bytes(b"")
    words = ["invert", "--pretrained", "small", "somebody.jpg", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, InputError)
    assert str(done.exception) == "somebody.jpg is read"


def test_tiny_comes_with_phq(tmp_path: Path):
    assert "tiny" in embedded.generators()
    made = CliRunner().invoke(
        app, ["sample", "--pretrained", "tiny", "--out", str(tmp_path / "people"), "--seeds", "0-1"]
    )
    assert made.exit_code == 0, made.output
    first, second = (np.asarray(Image.open(path), float) for path in sorted((tmp_path / "people").glob("*.png")))
    assert first.std() > 20
    assert np.abs(first - second).mean() > 5
