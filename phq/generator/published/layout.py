"""What a published generator is: its family, and the `phq.generator.config.ModelConfig` of the same shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from phq.camera.convention import FOCAL, LOOK_AT
from phq.errors import InputError
from phq.generator.config import ModelConfig, model_config
from phq.generator.published.pickles import Network

FFHQ_FOCAL = 2985.29 / 700
"""Focal length over image side of EG3D's FFHQ crops, and of PanoHead's and SphereHead's, which follow it."""
SUPER_RESOLUTIONS = {
    "SuperresolutionHybrid8X": 128,
    "SuperresolutionHybrid8XDC": 128,
    "SuperresolutionHybrid4X": 128,
    "SuperresolutionHybridDeepfp32": 128,
    "SuperresolutionHybrid2X": 64,
}
"""Side that each brings the raw image to first."""
PARTS = ("backbone", "superresolution", "decoder", "renderer")


@dataclass(frozen=True)
class Family:
    """One of the published projects."""

    name: str
    sign: str
    """Module that it has and the ones after it in `FAMILIES` lack."""
    kind: str
    """Of `phq.generator.config.Planes`."""
    focal: float
    look_at: tuple[float, float, float] | None
    """None: the pivot that the checkpoint states."""
    crop: bool
    posed: bool


FAMILIES = (
    Family("3DPortraitGAN", "pose_branch", "trigrid", FOCAL, (0.0, float(LOOK_AT[1]), 0.0), crop=True, posed=True),
    Family("SphereHead", "ConvA", "spheres", FFHQ_FOCAL, (0.0, 0.0, 0.0), crop=True, posed=False),
    Family("PanoHead", "t_mapping", "trigrid", FFHQ_FOCAL, (0.0, 0.0, 0.0), crop=True, posed=False),
    Family("EG3D", "decoder", "triplane", FFHQ_FOCAL, None, crop=False, posed=False),
)


def family_of(g: Network) -> Family:
    """The project that a generator is of.

    Raises:
        InputError: it is none of `FAMILIES`.
    """
    held = vars(g).get("_modules", {})
    if missing := [part for part in PARTS if part not in held]:
        raise InputError(
            f"the generator is a {g.class_name} without {', '.join(missing)}: not one of "
            f"{', '.join(family.name for family in FAMILIES)}"
        )
    return next(family for family in FAMILIES if held.get(family.sign) is not None)


def child(network: Network, path: str) -> Network:
    """The module at a dotted path.

    Raises:
        InputError: there is none.
    """
    for name in path.split("."):
        found = vars(network).get("_modules", {}).get(name)
        if not isinstance(found, Network):
            raise InputError(f"the network has no part {path}")
        network = found
    return network


def shape_of(g: Network, d: Network | None, places: str) -> tuple[Family, ModelConfig]:
    """Family and configuration of a generator, and of the discriminator where there is one that phq has a place for.

    Args:
        places: see `phq.generator.config.Render`.

    Raises:
        InputError: no generator of a known family, or one that renders as phq cannot.
        ConfigError: sizes that phq has not.
    """
    family, state = family_of(g), Network.tensors(g)
    settings = vars(g).get("rendering_kwargs")
    if not isinstance(settings, dict):
        raise InputError("the generator states no rendering_kwargs")
    _check_rendering(g, settings)
    backbone = widths(state, "backbone.synthesis", "conv1")
    background = widths(state, "bcg_synthesis", "conv1")
    depth = int(settings.get("triplane_depth", 1))
    table: dict[str, Any] = {
        "resolution": _whole(vars(g), "img_resolution"),
        "latent": _whole(vars(g), "z_dim"),
        "style": _whole(vars(g), "w_dim"),
        "mapping_layers": layers(state, "backbone.mapping"),
        "conditioning": "full" if "backbone.mapping.embed.weight" in state else "none",
        "noise": "kept",
        "planes": {
            "kind": family.kind,
            "axes": plane_axes(g),
            "resolution": max(backbone),
            "channels": state["decoder.net.0.weight"].shape[1],
            "depth": depth,
            **channels(backbone),
        },
        "render": _rendering(g, family, settings, state) | {"places": places},
        "deformation": {"enabled": family.posed},
        "background": {"enabled": bool(background), **(channels(background) if background else {})},
        "superres": _super_resolution(g, state),
        "pose": {"enabled": family.posed, "mirrored_camera": not family.posed, **_pose(state, d)},
        "camera": _camera(family, settings),
    }
    return family, model_config(table | ({} if d is None else {"discriminator": _discriminator(d)}))


def widths(state: Mapping[str, Tensor], network: str, layer: str) -> dict[int, int]:
    """Channels by side of a network of blocks ``bSIDE``, from the weights of one of their layers."""
    begin, end = f"{network}.b" if network else "b", f".{layer}.weight"
    names = [name for name in state if name.startswith(begin) and name.endswith(end)]
    return {int(name[len(begin) : -len(end)]): state[name].shape[0] for name in names}


def channels(found: Mapping[int, int]) -> dict[str, int]:
    """``channel_base`` and ``channel_max`` that give the channels by side.

    Raises:
        InputError: none do.
    """
    most = max(found.values())
    base = max(side * width for side, width in found.items())
    if any(min(base // side, most) != width for side, width in found.items()):
        raise InputError(f"the channels of its layers, {found}, do not follow from a base and a maximum")
    return {"channel_base": base, "channel_max": most}


def layers(state: Mapping[str, Tensor], mapping: str) -> int:
    """Layers of a mapping network."""
    return sum(name.startswith(f"{mapping}.fc") and name.endswith(".weight") for name in state)


def plane_axes(g: Network) -> tuple[str, ...]:
    """Column and row of each plane, from the axes that the checkpoint keeps; EG3D's own where it keeps none.

    A point's coordinates on a plane are its own times the inverse of the plane's axes (EG3D). In the released EG3D
    the third plane is ZX, in what came later YZ (EG3D, issue 67).
    """
    axes = vars(child(g, "renderer")).get("plane_axes")
    if not isinstance(axes, Tensor) or axes.shape != (3, 3, 3):
        return ("xy", "xz", "zx")
    columns = torch.linalg.inv(axes.double()).round()
    return tuple("".join("xyz"[int(plane[:, j].argmax())] for j in (0, 1)) for plane in columns)


def _check_rendering(g: Network, settings: Mapping[str, Any]) -> None:
    """Raises:
    InputError: it renders as phq cannot.
    """
    wanted = {
        "white_back": (False, None),
        "disparity_space_sampling": (False, None),
        "clamp_mode": ("softplus", None),
        "superresolution_noise_mode": ("none",),
    }
    for name, permitted in wanted.items():
        if (value := settings.get(name)) not in permitted:
            raise InputError(f"the generator renders with {name} = {value!r}, which phq has not")
    kind = child(g, "superresolution").class_name
    if kind not in SUPER_RESOLUTIONS:
        raise InputError(f"its super-resolution is a {kind}, which phq has not: {', '.join(SUPER_RESOLUTIONS)}")


def _rendering(g: Network, family: Family, settings: Mapping[str, Any], state: Mapping[str, Tensor]) -> dict[str, Any]:
    raw = vars(g).get("neural_rendering_resolution", 64)
    activation = settings.get("decoder_activation", "sigmoid" if family.name == "EG3D" else "none")
    return {
        "features": state["decoder.net.2.weight"].shape[0] - 1,
        "hidden": state["decoder.net.0.weight"].shape[0],
        "box": _number(settings, "box_warp"),
        "margin": 0.1,
        "near": _number(settings, "ray_start"),
        "far": _number(settings, "ray_end"),
        "resolution": int(raw),
        "coarse": _whole(settings, "depth_resolution"),
        "fine": _whole(settings, "depth_resolution_importance"),
        "crop": family.crop,
        "activation": activation,
        "colour": "layer" if "torgb.weight" in state else "features",
    }


def _super_resolution(g: Network, state: Mapping[str, Tensor]) -> dict[str, Any]:
    network = child(g, "superresolution")
    side = vars(network).get("input_resolution", SUPER_RESOLUTIONS[network.class_name])
    return {"input": side, "channels": [state[f"superresolution.block{i}.conv1.weight"].shape[0] for i in (0, 1)]}


def _camera(family: Family, settings: Mapping[str, Any]) -> dict[str, Any]:
    pivot = settings.get("avg_camera_pivot", (0.0, 0.0, 0.2)) if family.look_at is None else family.look_at
    radius = float(settings.get("avg_camera_radius", 2.7))
    return {"focal": family.focal, "radius": radius, "look_at": [float(x) for x in pivot]}


def _pose(state: Mapping[str, Tensor], d: Network | None) -> dict[str, Any]:
    """Widths of the hidden layers of the pose predictors."""
    found = {"generator": _hidden(state)}
    if d is not None:
        found["discriminator"] = _hidden(Network.tensors(d))
    return {name: hidden for name, hidden in found.items() if hidden}


def _hidden(state: Mapping[str, Tensor]) -> list[int]:
    names = [f"pose_branch.net.{i}.weight" for i in range(len(state))]
    present = [state[name].shape[0] for name in names if name in state]
    return present[:-1]


def _discriminator(d: Network) -> dict[str, Any]:
    state = Network.tensors(d)
    found = widths(state, "", "conv0")
    spread = vars(child(d, "b4")).get("_modules", {}).get("mbstd")
    group = vars(spread).get("group_size") if isinstance(spread, Network) else None
    return {
        **channels({**found, 4: state["b4.fc.weight"].shape[0]}),
        "mapping_layers": layers(state, "mapping"),
        "group": group or 4,
    }


def _number(settings: Mapping[str, Any], name: str) -> float:
    value = settings.get(name)
    if not isinstance(value, int | float):
        raise InputError(f"the generator states {name} = {value!r}, where phq needs a number")
    return float(value)


def _whole(settings: Mapping[str, Any], name: str) -> int:
    return int(_number(settings, name))
