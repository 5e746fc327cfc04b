"""Pictures of a run: the same few people again and again, from fixed sides."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from phq.camera.convention import orbit
from phq.generator.networks.generator import Generator, Rendering
from phq.generator.networks.rng import SampleRng
from phq.generator.train.phases import drawn
from phq.generator.train.rng import Purpose, seeds
from phq.system.atomic import output_errors, write_bytes

COLUMNS = ("front", "side", "back", "depth", "mask", "rest pose", "turned")
"""Of a grid; all but side and back are from the front. "Turned" has neck and head turned by 15° each."""
TURNED = (0.0, 0.26, 0.0, 0.0, 0.26, 0.0)
_YAWS = {"side": 90.0, "back": 180.0}


class Preview:
    """Fixed latents, rendered with the poses that the generator predicts for them.

    Args:
        people: how many.
        seed: of the run.
        intrinsics: (9,) of all cameras.
        device: of the generator.
    """

    def __init__(self, people: int, seed: int, intrinsics: NDArray[np.float64], device: torch.device) -> None:
        self.numbers = seeds(seed, Purpose.SHOWN, range(people))
        self.intrinsics = intrinsics
        self.device = device

    def camera(self, yaw_deg: float) -> Tensor:
        """(people, 25) of a level camera."""
        label = np.concatenate([orbit(yaw_deg).ravel(), self.intrinsics])
        return torch.tensor(label, dtype=torch.float32, device=self.device).expand(len(self.numbers), -1)

    @torch.no_grad()
    def grid(self, g: Generator, raw: int) -> NDArray[np.uint8]:
        """(people · R, 7 · R, 3) a row a person, `COLUMNS` from left to right."""
        planes, ws, pose = self._people(g)

        def view(yaw_deg: float, posed: Tensor | None) -> Rendering:
            return g.synthesis(ws, self.camera(yaw_deg), posed, resolution=raw, planes=planes)

        front = view(0.0, pose)
        render, side = g.config.render, g.config.resolution
        near = 1 - (front["depth"] - render.near) / (render.far - render.near)
        columns = [front["image"], *(view(yaw, pose)["image"] for yaw in _YAWS.values())]
        columns += [F.interpolate(grey, side).expand(-1, 3, -1, -1) * 2 - 1 for grey in (near, front["mask"])]
        columns += [view(0.0, None)["image"], view(0.0, pose.new_tensor(TURNED).expand_as(pose))["image"]]
        return to_pixels(torch.cat(columns, dim=3))

    @torch.no_grad()
    def orbit(self, g: Generator, raw: int, frames: int) -> Iterator[NDArray[np.uint8]]:
        """(R, people · R, 3) once around the people, from the front to their left."""
        planes, ws, pose = self._people(g)
        for i in range(frames):
            seen = g.synthesis(ws, self.camera(360.0 * i / frames), pose, resolution=raw, planes=planes)
            yield to_pixels(torch.cat(list(seen["image"]), dim=2)[None])

    def _people(self, g: Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Planes, styles and poses, conditioned on a camera in front."""
        front = self.camera(0.0)
        z = drawn(SampleRng(self.numbers, self.device).normal(g.config.latent))
        pose = g.predict_pose(z, front)
        ws = g.mapping(z, front, pose)
        return g.draw_planes(ws), ws, pose


def to_pixels(images: Tensor) -> NDArray[np.uint8]:
    """(B · H, W, 3) of images (B, 3, H, W) in −1 to 1, below one another."""
    stacked = images.permute(0, 2, 3, 1).flatten(0, 1)
    pixels = (stacked * 127.5 + 128).clamp(0, 255).to(torch.uint8)
    return np.asarray(pixels.cpu().numpy())


def save_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Raises:
    OutputError: it cannot be written.
    """
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    write_bytes(path, stream.getvalue())


_BT709 = [
    "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv",
]  # fmt: skip
"""Tags of ffmpeg (ITU-T H.264 annex E.2.1: matrix, primaries and transfer number 1, video range)."""


def save_video(path: Path, frames: Iterator[NDArray[np.uint8]], fps: int = 30) -> bool:
    """An H.264 file; False, and nothing written, if imageio-ffmpeg is not installed.

    Colours are converted to BT.709 of video range, and the file says so: players guess the matrix of one that does not,
    by its lines, and take that of BT.601 for BT.709 from 720 lines on.

    Args:
        path: of the file.
        frames: H × W × 3, RGB; an odd side loses a row or column of pixels.
        fps: frames a second.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        from imageio_ffmpeg import write_frames  # type: ignore[import-untyped]
    except ImportError:
        return False
    growing = path.with_name(f"{path.stem}.tmp{path.suffix}")  # its suffix says what it is
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        first = next(frames)
        height, width = (side // 2 * 2 for side in first.shape[:2])
        colours = ["-vf", f"crop={width}:{height}:0:0,scale=out_color_matrix=bt709:out_range=tv", *_BT709]
        options = {"fps": fps, "macro_block_size": 1, "output_params": colours}
        with closing(write_frames(str(growing), first.shape[1::-1], **options)) as video:
            video.send(None)
            for frame in chain([first], frames):
                video.send(np.ascontiguousarray(frame))
        growing.replace(path)
    return True
