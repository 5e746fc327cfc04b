"""The generator: latent, camera and pose to an image, a mask and a volume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from phq.generator.config import ModelConfig
from phq.generator.networks import symmetry, volume
from phq.generator.networks.conditioning import LABELS, POSE, labels
from phq.generator.networks.deform import Deformation
from phq.generator.networks.filters import resize
from phq.generator.networks.hybrid import HybridPlanes
from phq.generator.networks.layers import GAIN, SLOPE, FullyConnected
from phq.generator.networks.mapping import MappingNetwork
from phq.generator.networks.march import EMPTY, density
from phq.generator.networks.modulated import ToColour
from phq.generator.networks.pose import PosePredictor
from phq.generator.networks.rays import camera_rays
from phq.generator.networks.representation import Representation, TriGrid, TriPlane
from phq.generator.networks.rng import SampleRng
from phq.generator.networks.spheres import Spheres
from phq.generator.networks.synthesis import SynthesisBlock, SynthesisNetwork
from phq.pose.body import Body


class Rendering(TypedDict):
    """What `Generator.synthesis` gives, for images of side R and raw images of side r."""

    image: Tensor
    """(B, 3, R, R), RGB, −1 to 1 in a trained network."""
    raw: Tensor
    """(B, 3, r, r), the same before super-resolution."""
    depth: Tensor
    """(B, 1, r, r) metres along the ray."""
    mask: Tensor
    """(B, 1, r, r) 1 where the person is; −0.001 to 1.001."""


class Sampled(NamedTuple):
    """The volume at N points."""

    density: Tensor
    """(B, N) 1 / metre."""
    colour: Tensor
    """(B, N, 3) RGB, −1 to 1, by the layer that makes the raw image."""


class Generator(nn.Module):
    """3DPortraitGAN's generator.

    Args:
        config: shapes and rendering.
        body: whose skinning deforms space; the embedded body if None. It is not part of the saved state.
    """

    def __init__(self, config: ModelConfig, body: Body | None = None) -> None:
        super().__init__()
        self.config = config
        planes, render, behind, kept = config.planes, config.render, config.background, config.noise == "kept"
        self.representation = representation(config)
        style = config.style
        self.backbone = SynthesisNetwork(
            style, self.representation.side, self.representation.channels, planes.channel_base, planes.channel_max,
            kept,
        )  # fmt: skip
        conditions = 0 if config.conditioning == "none" else LABELS
        self.mapper = MappingNetwork(config.latent, conditions, style, config.mapping_layers)
        self.decoder = Decoder(planes.channels, render.hidden, render.features, render.activation)
        self.deformation = Deformation(config.deformation.steps, body) if config.deformation.enabled else None
        self.background = (
            SynthesisNetwork(
                style, config.superres.input, render.features, behind.channel_base, behind.channel_max, kept
            )
            if behind.enabled
            else None
        )
        self.colour = ToColour(render.features, 3, style) if render.colour == "layer" else None
        self.superres = SuperResolution(config, getattr(torch, config.precision))
        self.pose = PosePredictor(config.latent, config.pose.generator) if config.pose.enabled else None

    @property
    def num_ws(self) -> int:
        """Styles of one sample."""
        return self.backbone.num_ws

    def mapping(
        self,
        z: Tensor,
        camera: Tensor | None = None,
        pose: Tensor | None = None,
        truncation: float = 1.0,
        update_average: bool = False,
    ) -> Tensor:
        """Styles (B, num_ws, style) of latents (B, latent) and what they are conditioned on.

        Args:
            camera: (B, 25), the conditioning camera, which need not be the one that is rendered. Unused with the
                conditioning "none".
            pose: (B, 6), at rest if None.
            truncation: below 1, styles are drawn towards their average.
            update_average: take this batch into the average; for training.

        Raises:
            ValueError: no camera for a model that is conditioned on one.
        """
        conditions = None
        if self.mapper.embed is not None:
            if camera is None:
                raise ValueError("mapping needs a camera, unless the model's conditioning is 'none'")
            conditions = labels(camera, camera.new_zeros(len(z), 6) if pose is None else pose)
        w: Tensor = self.mapper(z, conditions)
        if update_average:
            self.mapper.update_average(w)
        return self.mapper.truncate(w, truncation)[:, None].expand(-1, self.num_ws, -1)

    def predict_pose(self, z: Tensor, camera: Tensor) -> Tensor:
        """Neck and head pose (B, 6) of latents seen by cameras (B, 25); the mirrored camera gets the mirrored pose.

        Of a model without pose predictors, the rest pose.
        """
        if self.pose is None:
            return z.new_zeros(len(z), POSE)
        left = symmetry.on_left(camera)
        pose: Tensor = self.pose(z, symmetry.where_left(left, symmetry.mirror_camera, camera))
        return symmetry.where_left(left, symmetry.mirror_pose, pose)

    def draw_planes(self, ws: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Feature maps of styles (B, num_ws, style), for `synthesis` and `sample` of the same people many times."""
        return self._maps(ws, SampleRng(seeds, ws.device))

    def synthesis(  # noqa: PLR0913 (a rendering has as many choices)
        self,
        ws: Tensor,
        camera: Tensor,
        pose: Tensor | None = None,
        *,
        seeds: Sequence[int] | None = None,
        resolution: int | None = None,
        density_noise: float = 0.0,
        ws_background: Tensor | None = None,
        planes: Tensor | None = None,
    ) -> Rendering:
        """Render styles (B, num_ws, style) with cameras (B, 25).

        Args:
            pose: (B, 6) neck and head; None renders canonical space.
            seeds: of each sample's pixel noise, sample places and density noise; None: without noise, places fixed.
            resolution: side of the raw image, if not the configuration's.
            density_noise: standard deviation of noise on the raw density.
            ws_background: styles of the background, if not the person's.
            planes: of `draw_planes`, which saves drawing them.
        """
        rng = SampleRng(seeds, ws.device)
        maps = self._maps(ws, rng) if planes is None else planes
        side = resolution or self.config.render.resolution
        origins, directions = camera_rays(camera, side)
        field = self._field(maps, pose, rng, density_noise)
        seen = volume.render(field, origins, directions, self.config.render, rng)
        features, depth, opacity = (x.reshape(len(ws), -1, side, side) for x in seen)
        features = self.decoder.rescaled(features)
        if self.background is not None:
            behind = self._behind(ws if ws_background is None else ws_background, side, rng)
            features = features + (1 - opacity) * behind
        raw = self._coloured(features, ws[:, -1])
        image = self.superres(raw, features, ws[:, -1])
        return {"image": image, "raw": raw, "depth": depth, "mask": opacity * 1.002 - 0.001}

    def forward(self, z: Tensor, camera: Tensor, pose: Tensor | None = None, **options: Any) -> Rendering:
        """`mapping` and `synthesis` with one camera and pose for both; the pose is G's own if None."""
        pose = self.predict_pose(z, camera) if pose is None else pose
        return self.synthesis(self.mapping(z, camera, pose), camera, pose, **options)

    def sample(self, points: Tensor, ws: Tensor, pose: Tensor | None = None, planes: Tensor | None = None) -> Sampled:
        """The volume at points (B, N, 3), metres, of posed space, or of canonical space if `pose` is None.

        It is what `synthesis` renders without noise: deformed and empty beside the box in the same way.
        """
        rng = SampleRng(None, ws.device)
        maps = self._maps(ws, rng) if planes is None else planes
        raw, features = self._field(maps, pose, rng, 0.0)(points.transpose(1, 2))
        colour = self._coloured(self.decoder.rescaled(features)[..., None], ws[:, -1])
        return Sampled(density(raw), colour[..., 0].transpose(1, 2))

    def sample_density(
        self, points: Tensor, ws: Tensor, pose: Tensor | None = None, planes: Tensor | None = None
    ) -> Tensor:
        """Density (B, N), 1 / metre, of `sample`."""
        return self.sample(points, ws, pose, planes).density

    def compile_parts(self, **options: Any) -> None:
        """torch.compile the networks, in place; names of the state stay. `options` are those of torch.compile."""
        for part in (self.backbone, self.background, self.decoder, self.superres):
            if part is not None:
                part.compile(**options)

    def _coloured(self, features: Tensor, w: Tensor) -> Tensor:
        """(B, 3, H, W) of features (B, F, H, W)."""
        coloured: Tensor = features[:, :3] if self.colour is None else self.colour(features, w)
        return coloured

    def _maps(self, ws: Tensor, rng: SampleRng) -> Tensor:
        maps: Tensor = self.backbone(ws, self.backbone.noises(rng))
        return maps

    def _behind(self, ws: Tensor, side: int, rng: SampleRng) -> Tensor:
        """Features (B, F, side, side) of the background."""
        assert self.background is not None
        missing = self.background.num_ws - ws.shape[1]
        if missing > 0:
            ws = torch.cat([ws, ws[:, -1:].expand(-1, missing, -1)], dim=1)
        ws = ws[:, : self.background.num_ws]
        return resize(self.background(ws, self.background.noises(rng)), side)

    def _field(self, maps: Tensor, pose: Tensor | None, rng: SampleRng, noise: float) -> volume.Field:
        """Raw density and features of points of posed space, canonical if `pose` is None."""
        widest = self.config.render.box / 2 - self.config.render.margin

        def field(points: Tensor) -> tuple[Tensor, Tensor]:
            if pose is not None and self.deformation is not None:
                points = self.deformation(points, pose)
            raw, features = self.decoder(self.representation.sample(maps, points))
            drawn = rng.normal(points.shape[-1]) if noise else None
            if drawn is not None:
                raw = raw + noise * drawn
            if not self.config.render.crop:
                return raw, features
            beside = (points[:, 0].abs() > widest) | (points[:, 2].abs() > widest)
            return raw.masked_fill(beside, EMPTY), features

        return field


class Decoder(nn.Module):
    """Features (B, C, N) to raw density σ (B, N) and colour features (B, F, N) by one hidden layer with softplus.

    Args:
        activation: of the colour features: ``none``, ``lrelu`` (√2 · leaky ReLU, PanoHead) or ``sigmoid``, widened by
            0.001 to both sides (mip-NeRF, EG3D).
    """

    def __init__(self, inputs: int, hidden: int, features: int, activation: str = "none") -> None:
        super().__init__()
        self.activation = activation
        self.hidden = FullyConnected(inputs, hidden)
        self.out = FullyConnected(hidden, 1 + features)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Channels stay in front, so that nothing is transposed."""
        y = _each_point(self.out, F.softplus(_each_point(self.hidden, x)))
        return y[:, 0], self._activated(y[:, 1:])

    def rescaled(self, rendered: Tensor) -> Tensor:
        """Rendered features, those of a sigmoid brought from 0 … 1 to −1 … 1."""
        return 2 * rendered - 1 if self.activation == "sigmoid" else rendered

    def _activated(self, features: Tensor) -> Tensor:
        if self.activation == "sigmoid":
            return torch.sigmoid(features) * 1.002 - 0.001
        return F.leaky_relu(features, SLOPE) * GAIN if self.activation == "lrelu" else features


def _each_point(layer: FullyConnected, x: Tensor) -> Tensor:
    weight, bias = layer.scaled()
    return torch.baddbmm(bias[None, :, None], weight.expand(len(x), -1, -1), x)


class SuperResolution(nn.Module):
    """Two StyleGAN2 blocks without pixel noise, driven by the last style.

    The second doubles the side, the first if it has to. For 512² from 128² that is EG3D's "8XDC", for 256² from 128²
    its "4X".
    """

    def __init__(self, config: ModelConfig, precision: torch.dtype) -> None:
        super().__init__()
        self.input = config.superres.input
        first, second = config.superres.channels
        side = config.resolution
        up = side == 4 * self.input
        self.blocks = nn.ModuleList(
            SynthesisBlock(a, b, 3, config.style, s, up=double, noise=False, precision=precision)
            for a, b, s, double in ((config.render.features, first, side // 2, up), (first, second, side, True))
        )

    def forward(self, raw: Tensor, features: Tensor, w: Tensor) -> Tensor:
        """raw (B, 3, r, r), features (B, F, r, r), w (B, style) → (B, 3, side, side)."""
        x, image = resize(features, self.input), resize(raw, self.input)
        for block in self.blocks:
            x, image = block(x, image, w[:, None].expand(-1, 3, -1), [None, None])
        return image


def representation(config: ModelConfig) -> Representation:
    """The representation that the configuration names."""
    planes, box = config.planes, config.render.box
    if planes.kind == "hybrid":
        return HybridPlanes(planes.resolution, planes.channels, box)
    if planes.kind == "spheres":
        return Spheres(planes.resolution, planes.channels, box)
    if planes.kind == "triplane":
        return TriPlane(planes.resolution, planes.channels, box, planes.axes)
    return TriGrid(planes.resolution, planes.channels, planes.depth, box, planes.axes)
