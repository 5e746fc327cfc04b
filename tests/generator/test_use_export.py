"""A generator for other programs: their numbers are the generator's own."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch")

from safetensors import safe_open  # noqa: E402

from phq.errors import ConfigError, OutputError  # noqa: E402
from phq.generator.config import ModelConfig  # noqa: E402
from phq.generator.networks.filters import resize  # noqa: E402
from phq.generator.networks.generator import Generator  # noqa: E402
from phq.generator.use.exporting import export, parts_of  # noqa: E402
from phq.generator.use.opening import Trained  # noqa: E402


def test_onnx_files_draw_what_the_networks_draw(untrained: Trained, tmp_path: Path):
    g, out = untrained.g, tmp_path / "out"
    written = {path.name for path in export(untrained, out)}
    assert written == {"README.md", "generator.safetensors", "mapping.onnx", "backbone.onnx", "background.onnx",
                       "superresolution.onnx"}  # fmt: skip
    made, rng = torch.Generator().manual_seed(0), {}
    for name, part in parts_of(g, untrained.raw).items():
        inputs = {key: torch.randn(3, *shape, generator=made) for key, shape in part.inputs.items()}
        session = onnxruntime.InferenceSession(out / f"{name}.onnx", providers=["CPUExecutionProvider"])
        (rng[name],) = session.run([part.output], {key: value.numpy() for key, value in inputs.items()})
        assert rng[name].shape == (3, *part.shape)
        wanted = {
            "mapping": g.mapping,
            "backbone": g.draw_planes,
            "background": lambda styles: g.background(styles, [None] * 9),  # type: ignore[misc]
            "superresolution": g.superres,
        }[name](*inputs.values())
        np.testing.assert_allclose(rng[name], wanted.numpy(), atol=1e-4)


def test_super_resolution_grows_a_smaller_raw_image(untrained: Trained):
    part = parts_of(untrained.g, 4)["superresolution"]
    raw, features, style = (torch.randn(1, *shape) for shape in part.inputs.values())
    side = untrained.g.config.superres.input
    wanted = untrained.g.superres(resize(raw, side), resize(features, side), style)
    assert torch.allclose(part.net(raw, features, style), wanted, atol=1e-5)
    with pytest.raises(ConfigError, match="a raw image of 64 is shrunk"):
        parts_of(untrained.g, 64)


def test_the_card_tells_how_to_load_it(untrained: Trained, tmp_path: Path):
    export(untrained, tmp_path / "out")
    with safe_open(tmp_path / "out" / "generator.safetensors", "pt") as file:
        loaded = Generator(ModelConfig.model_validate_json(file.metadata()["model"]))
        loaded.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 (no mapping)
    z, camera = torch.ones(1, untrained.g.config.latent), untrained.camera_at(10)
    assert torch.equal(loaded.mapping(z, camera), untrained.g.mapping(z, camera))
    said = (tmp_path / "out" / "README.md").read_text()
    assert "look at (0.0, 0.0649, 0.0), focal length 6.51042" in said
    digest = hashlib.sha256((tmp_path / "out" / "backbone.onnx").read_bytes()).hexdigest()
    assert f"{digest}  backbone.onnx" in said
    with pytest.raises(OutputError, match="not empty"):
        export(untrained, tmp_path / "out")
