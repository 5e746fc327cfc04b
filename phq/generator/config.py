"""The model's part of a preset: every number that decides the networks' shapes and how they render."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from phq.camera.convention import FOCAL, RADIUS
from phq.config.reading import Section, validated

Count = Annotated[int, Field(ge=1)]
Side = Literal[4, 8, 16, 32, 64, 128, 256, 512, 1024]
Widths = Annotated[tuple[Count, ...], Field(strict=False, min_length=1)]


Axes = Literal["xy", "xz", "yx", "yz", "zx", "zy"]


class Planes(Section):
    """The feature planes and the network that draws them."""

    kind: Literal["trigrid", "hybrid", "triplane", "spheres"] = Field(
        default="trigrid", description="three grids; three planes and a map; EG3D's planes; SphereHead's spheres"
    )
    axes: tuple[Axes, Axes, Axes] = Field(
        default=("xy", "xz", "yz"), strict=False, description="column and row of each plane, of trigrid and triplane"
    )
    resolution: Side = Field(default=256, description="side of a plane")
    channels: Count = Field(default=32, description="features of a point")
    depth: Count = Field(default=3, description="layers of each grid; of trigrid alone")
    channel_base: Count = Field(default=32768, description="channels of a layer: this over its side")
    channel_max: Count = Field(default=512, description="channels of a layer at most")


class Render(Section):
    """How rays are marched through the volume."""

    features: Count = Field(default=32, description="channels of the rendered feature image")
    hidden: Count = Field(default=64, description="width of the decoder")
    box: float = Field(default=1.0, gt=0, description="side of the cube that the planes span, metres")
    margin: float = Field(default=0.1, ge=0, description="nothing is nearer than this to the cube's four upright sides")
    near: float = Field(default=2.25, gt=0, description="where rays begin, metres from the camera")
    far: float = Field(default=3.3, gt=0, description="where rays end")
    resolution: Count = Field(default=64, description="side of the raw image")
    coarse: Annotated[int, Field(ge=4)] = Field(default=48, description="samples of a ray in the first pass")
    fine: Annotated[int, Field(ge=0)] = Field(default=48, description="samples in the second, where the first saw much")
    crop: bool = Field(default=True, description="nothing is beyond the margin; EG3D has no such bound")
    places: Literal["phq", "eg3d"] = Field(
        default="phq", description="where rays are sampled: in the intervals that weights belong to, or as published"
    )
    activation: Literal["none", "sigmoid", "lrelu"] = Field(default="none", description="after the decoder's features")
    colour: Literal["layer", "features"] = Field(
        default="layer", description="the raw image is made by a layer, or is the first three features"
    )


class Deformation(Section):
    """From posed to canonical space."""

    enabled: bool = Field(default=True, description="render in posed space")
    steps: Count = Field(default=3, description="Newton steps of the inverse of skinning")


class Background(Section):
    """The network behind the person."""

    enabled: bool = Field(default=True, description="draw a background")
    channel_base: Count = Field(default=16384, description="channels of a layer: this over its side")
    channel_max: Count = Field(default=512, description="channels of a layer at most")


class SuperResolution(Section):
    """From the raw image to the final one."""

    input: Side = Field(default=128, description="side that the raw image is brought to first")
    channels: tuple[Count, Count] = Field(default=(256, 128), strict=False, description="channels of its two blocks")


class Discriminator(Section):
    """The other network."""

    channel_base: Count = Field(default=32768, description="channels of a layer: this over its side")
    channel_max: Count = Field(default=512, description="channels of a layer at most")
    mapping_layers: Count = Field(default=8, description="layers of the network that reads camera and pose")
    group: Count = Field(default=4, description="samples whose spread is compared")
    one_pass: bool = Field(default=False, description="judge the picture that the pose is read from: half the cost")


class Pose(Section):
    """The two pose predictors: their hidden layers."""

    enabled: bool = Field(default=True, description="there are predictors; without them everybody is at rest")

    generator: Widths = Field(default=(128, 32), description="from the latent and the camera")
    discriminator: Widths = Field(default=(2048, 512, 128, 32), description="from the image's features and the camera")
    mirrored_camera: bool = Field(
        default=True,
        description="where the discriminator's predictor sees a mirrored picture it reads the mirrored camera; "
        "3DPortraitGAN's reads the picture's own",
    )
    own_trunk: bool = Field(
        default=False, description="the discriminator's predictor has convolutions of its own, not those of the verdict"
    )


class Camera(Section):
    """The cameras that the model is for; those of `phq.camera.convention` unless it was trained on others."""

    focal: float = Field(default=FOCAL, gt=0, description="focal length over image side")
    radius: float = Field(default=RADIUS, gt=0, description="distance of the cameras from the origin")
    look_at: tuple[float, float, float] = Field(
        default=(0.0, 0.0649, 0.0), strict=False, description="what level cameras are turned to"
    )


class ModelConfig(Section):
    """Everything that decides generator and discriminator; the defaults are 3DPortraitGAN's at 512²."""

    resolution: Side = Field(default=512, description="side of the final image")
    latent: Count = Field(default=512, description="numbers of a latent z")
    style: Count = Field(default=512, description="numbers of a style w")
    mapping_layers: Count = Field(default=2, description="layers from z to w")
    conditioning: Literal["full", "swap", "none"] = Field(
        default="swap", description="what z is mapped with: camera and pose, those of a neighbour at times, or nothing"
    )
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32", description="type of super-resolution and of the discriminator's four largest layers"
    )
    noise: Literal["drawn", "kept"] = Field(
        default="drawn", description="pixel noise without seeds: none, or the one picture that each layer keeps"
    )
    planes: Planes = Planes()
    render: Render = Render()
    deformation: Deformation = Deformation()
    background: Background = Background()
    superres: SuperResolution = SuperResolution()
    discriminator: Discriminator = Discriminator()
    pose: Pose = Pose()
    camera: Camera = Camera()

    @model_validator(mode="after")
    def _sizes_fit(self) -> ModelConfig:
        if self.resolution // self.superres.input not in (2, 4):
            raise ValueError(f"superres.input must be {self.resolution // 2} or {self.resolution // 4}")
        if self.render.near >= self.render.far:
            raise ValueError("render.near must be below render.far")
        if 2 * self.render.margin >= self.render.box:
            raise ValueError("render.margin leaves no room in the box")
        return self


def model_config(table: Mapping[str, Any]) -> ModelConfig:
    """The model that a table describes; what it leaves out has its default.

    Raises:
        ConfigError: an unknown setting, a value of the wrong type or out of range, or sizes that do not fit.
    """
    return validated(ModelConfig, table, ["model"])
