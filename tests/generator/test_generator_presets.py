"""The presets, and the sizes of the published networks."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import pytest

torch = pytest.importorskip("torch")

from small_generators import cameras, small_config  # noqa: E402

from phq.errors import ConfigError  # noqa: E402
from phq.generator.config import ModelConfig  # noqa: E402
from phq.generator.networks.discriminator import Discriminator  # noqa: E402
from phq.generator.networks.generator import Generator  # noqa: E402
from phq.generator.train.config import SETTINGS, load_run_config  # noqa: E402
from phq.generator.train.networks import weight_layout  # noqa: E402

STYLE = 512


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def styled(inputs: int, outputs: int, noise: bool = True) -> int:
    """Numbers of a styled convolution: weights, bias, strength of the noise, and the affine layer."""
    return 9 * inputs * outputs + outputs + noise + (STYLE + 1) * inputs


def colour(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs + (STYLE + 1) * inputs


def synthesis(side: int, channels: int, base: int, most: int) -> int:
    """Numbers of StyleGAN2's synthesis network with skip connections."""
    sides = [4 << i for i in range(side.bit_length() - 2)]
    widths = [min(base // s, most) for s in sides]
    total = 16 * widths[0] + styled(widths[0], widths[0]) + colour(widths[0], channels)
    for a, b in pairwise(widths):
        total += styled(a, b) + styled(b, b) + colour(b, channels)
    return total


def full(*widths: int) -> int:
    """Numbers of fully connected layers with these widths."""
    return sum(a * b + b for a, b in pairwise(widths))


def trunk(side: int, base: int, most: int) -> int:
    """Numbers of StyleGAN2's residual discriminator down to 4²."""
    widths = [min(base // s, most) for s in (side >> i for i in range(side.bit_length() - 2))]
    total = 7 * widths[0] + widths[0]
    for a, b in pairwise(widths):
        total += 9 * a * a + a + 9 * a * b + b + a * b
    return total


def test_paper_512_has_the_published_sizes() -> None:
    config = load_run_config("paper-512").model
    assert config == ModelConfig()
    with torch.device("meta"):
        G, D = Generator(config), Discriminator(config)
    assert {name: count(part) for name, part in G.named_children() if count(part)} == {
        "backbone": synthesis(256, 3 * 32 * 3, 32768, 512),
        "mapper": full(31, 512) + full(1024, 512, 512),
        "decoder": full(32, 64, 33),
        "background": synthesis(128, 32, 16384, 512),
        "colour": colour(32, 3),
        # its noise is never used in the published code: four numbers that are left out here
        "superres": sum(styled(a, b, noise=False) for a, b in ((32, 256), (256, 256), (256, 128), (128, 128)))
        + colour(256, 3) + colour(128, 3),
        "pose": full(512 + 25, 128, 32, 6),
    }  # fmt: skip
    assert {name: count(part) for name, part in D.named_children()} == {
        "trunk": trunk(512, 32768, 512),
        "mixed": 9 * 513 * 512 + 512,
        "hidden": full(8192, 512),
        "out": full(512, 512),
        "mapper": full(31, *[512] * 9),
        "pose": full(8192 + 25, 2048, 512, 128, 32, 6),
    }
    assert count(G) == 53_816_168
    assert count(D) == 49_312_422
    assert G.num_ws == 14


def test_one_picture_of_paper_256_on_this_machine() -> None:
    torch.manual_seed(0)
    few = ("model.render.coarse=4", "model.render.fine=4")  # samples of a ray: their number changes no weight
    network = Generator(load_run_config("paper-256", sets=few).model).requires_grad_(False)
    seen = network(torch.randn(1, 512), cameras([30.0]), seeds=[0])
    assert {name: tuple(value.shape) for name, value in seen.items()} == {
        "image": (1, 3, 256, 256), "raw": (1, 3, 64, 64), "depth": (1, 1, 64, 64), "mask": (1, 1, 64, 64)
    }  # fmt: skip
    assert all(torch.isfinite(value).all() for value in seen.values())


@pytest.mark.parametrize("name", ["paper-512", "paper-256", "tiny"])
def test_the_presets_fit_together(name: str) -> None:
    config = load_run_config(name).model
    side, raw = config.resolution, config.render.resolution
    with torch.device("meta"):
        G, D = Generator(config), Discriminator(config)
        ws, camera = torch.zeros(2, G.num_ws, config.style), torch.zeros(2, 25)
        seen = G.synthesis(ws, camera)
        verdict = D(seen["image"], seen["raw"], seen["mask"], camera)
    assert seen["image"].shape == (2, 3, side, side)
    assert seen["raw"].shape == (2, 3, raw, raw)
    assert verdict.pose.shape == (2, 6)


def test_tiny_is_light() -> None:
    config = load_run_config("tiny").model
    assert count(Generator(config)) < 1_000_000
    assert count(Discriminator(config)) < 1_200_000


def test_presets_by_name() -> None:
    assert SETTINGS.preset_names() == ["paper-256", "paper-512", "tiny"]
    with pytest.raises(ConfigError, match="unknown preset 'huge'; there are: paper-256, paper-512, tiny"):
        load_run_config("huge")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"resolution": 48}, "model.resolution = 48: input should be 4, 8"),
        ({"superres": {"input": 16}}, "model: superres.input must be 8 or 4"),
        (
            {"planes": {"kind": "sphere"}},
            "model.planes.kind = 'sphere': input should be 'trigrid', 'hybrid', 'triplane'",
        ),
        ({"render": {"near": 4.0}}, "render.near must be below render.far"),
        ({"render": {"margin": 0.5}}, "render.margin leaves no room in the box"),
        ({"conditioning": "camera"}, "model.conditioning = 'camera': input should be 'full', 'swap' or 'none'"),
        ({"planes": {"width": 3}}, "model.planes.width = 3: extra inputs are not permitted"),
    ],
)
def test_a_wrong_setting_is_named(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError) as raised:
        small_config(**change)
    assert sentence in str(raised.value)


def test_presets_are_known_without_torch() -> None:
    code = "import sys; import phq.generator.train.config; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_channels_lie_last_on_a_gpu_and_for_small_pictures() -> None:
    found = [
        weight_layout(load_run_config(name, sets=sets), torch.device(device))
        for name, device, sets in (
            ("tiny", "cpu", []),
            ("paper-512", "cuda", []),
            ("paper-512", "cpu", []),
            ("tiny", "cuda", ["training.channels_last=false"]),
        )
    ]
    last, first = torch.channels_last, torch.contiguous_format
    assert found == [last, last, first, first]
