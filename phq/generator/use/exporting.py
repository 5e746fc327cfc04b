"""`export`: a generator for other programs, as ONNX and safetensors with a model card. What ``phq gan export`` does."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from phq.errors import ConfigError
from phq.generator.networks.conditioning import CAMERA, POSE
from phq.generator.networks.generator import Generator
from phq.generator.networks.rng import SampleRng
from phq.generator.networks.synthesis import SynthesisNetwork
from phq.generator.use.opening import FORMAT, Trained
from phq.generator.use.outputs import check_new_folder
from phq.system.atomic import disk_errors_explained, write_bytes
from phq.system.publish import published
from phq.system.version import __version__
from phq.weights.digest import sha256_of

OPSET = 17
WEIGHTS, CARD = "generator.safetensors", "README.md"


@dataclass(frozen=True)
class Part:
    """A network that becomes one ONNX file; the first axis of all its tensors is the batch."""

    net: nn.Module
    inputs: dict[str, tuple[int, ...]]
    """Shapes without the batch, by name."""
    output: str
    shape: tuple[int, ...]
    """Of the output, without the batch."""


@disk_errors_explained
def export(trained: Trained, out: str | Path, half: bool = False) -> list[Path]:
    """Write `WEIGHTS`, an ONNX file for each network, and the card; their paths.

    ``mapping.onnx`` makes styles, ``backbone.onnx`` feature maps, ``background.onnx`` features behind the person,
    ``superresolution.onnx`` the image. What lies between, the marching of rays, has loops and sorting that ONNX
    programs run slowly, and is left to the program. Nothing is random: there is no pixel noise but what layers keep.

    Args:
        out: folder; new or empty.
        half: weights of 16 bits in `WEIGHTS`.

    Raises:
        OutputError: the folder is not free, or cannot be written to.
        ConfigError: the raw image is larger than what super-resolution begins with.
    """
    folder, g = Path(out), trained.g
    check_new_folder(folder)
    parts = parts_of(g.cpu(), trained.raw)
    with published(folder) as (staged,):
        write_bytes(staged / WEIGHTS, weights(trained, half))
        for name, part in parts.items():
            write_bytes(staged / f"{name}.onnx", onnx_file(part))
        write_bytes(staged / CARD, card(trained, parts, staged).encode())
        names = sorted(path.name for path in staged.iterdir())
    return [folder / name for name in names]


def weights(trained: Trained, half: bool = False) -> bytes:
    """The safetensors file of a generator; `phq.generator.use.opening.read_generator` reads it.

    Args:
        half: numbers of 16 bits.
    """
    model = trained.g.config.model_dump_json()
    facts = {"format": FORMAT, "model": model, "raw": str(trained.raw), "images": str(trained.images)}
    precision = torch.float16 if half else torch.float32
    state = {name: value.to(precision).contiguous() for name, value in sorted(trained.g.state_dict().items())}
    return save(state, facts)


def parts_of(g: Generator, raw: int) -> dict[str, Part]:
    """The networks of a generator on the CPU, by the names of their files.

    Args:
        raw: side of the raw image.

    Raises:
        ConfigError: that is larger than what super-resolution begins with.
    """
    config, maps = g.config, g.representation
    if raw > config.superres.input:
        raise ConfigError(f"a raw image of {raw} is shrunk to {config.superres.input} by a filter that ONNX has not")
    features, side, styles = config.render.features, config.resolution, (g.num_ws, config.style)
    conditions = {} if config.conditioning == "none" else {"camera": (CAMERA,), "pose": (POSE,)}
    small = {"raw": (3, raw, raw), "features": (features, raw, raw), "style": (config.style,)}
    found = {
        "mapping": Part(_Called(g.mapping), {"z": (config.latent,), **conditions}, "styles", styles),
        "backbone": Part(_Drawn(g.backbone), {"styles": styles}, "maps", (maps.channels, maps.side, maps.side)),
        "superresolution": Part(_Enlarged(g), small, "image", (3, side, side)),
    }
    if g.background is not None:
        begun = config.superres.input
        found["background"] = Part(
            _Drawn(g.background), {"styles": (g.background.num_ws, config.style)}, "behind", (features, begun, begun)
        )
    return found


def onnx_file(part: Part) -> bytes:
    """An ONNX file of one network, for any batch."""
    stream = io.BytesIO()
    example = tuple(torch.zeros(2, *shape) for shape in part.inputs.values())
    axes = {name: {0: "batch"} for name in (*part.inputs, part.output)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that needs no further package says that there is another
        torch.onnx.export(
            part.net.eval(), example, stream,  # type: ignore[arg-type]
            dynamo=False, opset_version=OPSET, input_names=list(part.inputs), output_names=[part.output],
            dynamic_axes=axes,
        )  # fmt: skip
    return stream.getvalue()


class _Called(nn.Module):
    """A method as a module."""

    def __init__(self, method: Callable[..., Tensor]) -> None:
        super().__init__()
        self._method = method

    def forward(self, *inputs: Tensor) -> Tensor:
        return self._method(*inputs)


class _Drawn(nn.Module):
    """A synthesis network without drawn noise."""

    def __init__(self, net: SynthesisNetwork) -> None:
        super().__init__()
        self.net = net

    def forward(self, styles: Tensor) -> Tensor:
        drawn: Tensor = self.net(styles, self.net.noises(SampleRng(None, styles.device)))
        return drawn


class _Enlarged(nn.Module):
    """Super-resolution; where an image grows, the filter against aliasing is plain bilinear interpolation."""

    def __init__(self, g: Generator) -> None:
        super().__init__()
        self.net, self.side = g.superres, g.config.superres.input

    def forward(self, raw: Tensor, features: Tensor, style: Tensor) -> Tensor:
        grown = [F.interpolate(x, (self.side, self.side), mode="bilinear") for x in (raw, features)]
        image: Tensor = self.net(*grown, style)
        return image


def card(trained: Trained, parts: dict[str, Part], folder: Path) -> str:
    """The model card of an export, Markdown with the front matter of the Hugging Face hub."""
    model = trained.g.config
    camera = model.camera
    rows = [
        f"| `{name}.onnx` | {_shapes(part.inputs)} | {_shapes({part.output: part.shape})} |"
        for name, part in parts.items()
    ]
    sums = [f"{sha256_of(path)}  {path.name}" for path in sorted(folder.iterdir())]
    numbers = sum(p.numel() for p in trained.g.parameters())
    return "\n".join([
        "---", "library_name: phq", "pipeline_tag: unconditional-image-generation", "tags: [3d, gan]", "---", "",
        f"# A 3D generator of people, {model.resolution}²", "",
        f"Averaged weights after {trained.images} real images, {numbers} numbers, written by phq {__version__}. "
        "The licence is that of the pictures and of the checkpoint that they come from; state it with this.",
        "",
        f"Made for level cameras {camera.radius:g} from the origin that look at {camera.look_at}, focal length "
        f"{camera.focal:.6g} image sides; x is the subject's left, y up, z the front. A camera is 25 numbers, "
        "cam2world (OpenCV axes) row by row, and intrinsics over the image side. A pose is 6: neck, head.", "",
        "| file | inputs | output |", "|---|---|---|", *rows, "",
        f"Every tensor has a batch before these axes. Representation: {model.planes.kind}, box {model.render.box:g}. "
        "Between `maps` and `raw`, rays are marched: `phq.generator.networks.volume`, `Generator.synthesis`.", "",
        "```python", "from safetensors import safe_open", "from phq.generator.config import ModelConfig",
        "from phq.generator.networks.generator import Generator", "",
        f'with safe_open("{WEIGHTS}", "pt") as file:',
        '    g = Generator(ModelConfig.model_validate_json(file.metadata()["model"]))',
        "    g.load_state_dict({name: file.get_tensor(name) for name in file.keys()})", "```", "",
        "```", *sums, "```", "",
    ])  # fmt: skip


def _shapes(named: dict[str, Any]) -> str:
    return ", ".join(f"{name} {' × '.join(map(str, shape))}" for name, shape in named.items())
