"""Network pickles in the layout of StyleGAN's ``torch_utils.persistence``, of random weights and small.

`write_pickle` makes what the training code of 3DPortraitGAN, PanoHead, EG3D and SphereHead leaves behind: modules as
text of a source file, class name and state; plain modules by their class; parameters whose storages are files of
``torch.save`` within the pickle; gains that are scalars of numpy. The text here ends the program if it is executed.
"""

from __future__ import annotations

import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

SOURCE = "import os\nos._exit(86)  # the text of the file was executed\n"
Z, W, SIDE, RAW = 8, 12, 16, 6
BASE, MOST = 128, 16
FEATURES = 32
KWARGS = {
    "disparity_space_sampling": False,
    "clamp_mode": "softplus",
    "c_gen_conditioning_zero": False,
    "c_scale": 0.7,
    "superresolution_noise_mode": "none",
    "sr_antialias": True,
    "depth_resolution": 6,
    "depth_resolution_importance": 5,
    "ray_start": 2.25,
    "ray_end": 3.3,
    "box_warp": 1,
    "avg_camera_radius": 2.7,
    "avg_camera_pivot": [0, 0, 0.2],
}
AXES = {
    "EG3D": [[[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 0, 1], [0, 1, 0]], [[0, 0, 1], [1, 0, 0], [0, 1, 0]]],
    "others": [[[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 0, 1], [0, 1, 0]], [[0, 1, 0], [0, 0, 1], [1, 0, 0]]],
}
_HOOKS = ("_backward_hooks", "_forward_hooks", "_forward_pre_hooks", "_state_dict_hooks", "_load_state_dict_pre_hooks")


class Persistent:
    """A module that brings the text of its class."""

    def __init__(self, name: str, state: dict[str, Any]) -> None:
        self.name, self.state = name, state

    def __reduce__(self) -> tuple[Any, ...]:
        meta = {"type": "class", "version": 6, "module_src": SOURCE, "class_name": self.name, "state": self.state}
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (meta,), None


@contextmanager
def foreign_packages() -> Iterator[None]:
    """The names that such pickles refer to, importable while one is written."""
    made: dict[str, types.ModuleType] = {}
    for name in ("torch_utils", "torch_utils.persistence", "dnnlib", "dnnlib.util", "training", "training.triplane",
                 "training.volumetric_rendering", "training.volumetric_rendering.renderer"):  # fmt: skip
        made[name] = types.ModuleType(name)

    def _reconstruct_persistent_obj(meta: Any) -> Any:
        raise AssertionError(meta)

    _reconstruct_persistent_obj.__module__ = "torch_utils.persistence"
    _reconstruct_persistent_obj.__qualname__ = "_reconstruct_persistent_obj"
    made["torch_utils.persistence"]._reconstruct_persistent_obj = _reconstruct_persistent_obj  # type: ignore[attr-defined]
    for module, name, base in (("dnnlib.util", "EasyDict", dict), ("training.triplane", "OSGDecoder", object),
                               ("training.triplane", "GPoseBranch", object),
                               ("training.volumetric_rendering.renderer", "ImportanceRenderer", object)):  # fmt: skip
        setattr(made[module], name, type(name, (base,), {"__module__": module}))
    kept = {name: sys.modules.get(name) for name in made}
    sys.modules.update(made)
    try:
        yield
    finally:
        for name, module in kept.items():
            sys.modules.pop(name) if module is None else sys.modules.update({name: module})


class Maker:
    """Modules with weights from one random generator; `state` collects them by dotted name."""

    def __init__(self, seed: int) -> None:
        self.rng = torch.Generator().manual_seed(seed)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.rng)

    def module(self, name: str, parameters: dict[str, Any], buffers: dict[str, Any], modules: dict[str, Any],
               plain: str = "", **attributes: Any) -> Any:  # fmt: skip
        held = {key: None if value is None else torch.nn.Parameter(value) for key, value in parameters.items()}
        state = {"training": False, "_parameters": OrderedDict(held), "_buffers": OrderedDict(buffers),
                 "_non_persistent_buffers_set": set(), "_is_full_backward_hook": None,
                 "_modules": OrderedDict(modules), **{hook: OrderedDict() for hook in _HOOKS},
                 **attributes}  # fmt: skip
        if not plain:
            return Persistent(name, {**state, "_init_args": (), "_init_kwargs": easy(num=1)})
        kind: Any = getattr(sys.modules[plain], name)
        made = object.__new__(kind)
        made.__dict__.update(state)
        return made

    def dense(self, inputs: int, outputs: int, rate: float = 1, bias: float = 0.0) -> Any:
        weights = {"weight": self.normal(outputs, inputs) / rate, "bias": (self.normal(outputs) * 0.1 + bias) / rate}
        return self.module("FullyConnectedLayer", weights, {}, {}, in_features=inputs, out_features=outputs,
                           activation="linear", weight_gain=rate / np.sqrt(inputs), bias_gain=rate)  # fmt: skip

    def conv(self, inputs: int, outputs: int, kernel: int, bias: bool = True) -> Any:
        weights = {
            "weight": self.normal(outputs, inputs, kernel, kernel),
            "bias": self.normal(outputs) if bias else None,
        }
        gain = 1 / np.sqrt(inputs * kernel**2)
        return self.module("Conv2dLayer", weights, {"resample_filter": fir()}, {}, weight_gain=gain, conv_clamp=256)

    def layer(self, inputs: int, outputs: int, side: int) -> Any:
        weights = {"weight": self.normal(outputs, inputs, 3, 3), "noise_strength": self.normal()[()] * 0.3,
                   "bias": self.normal(outputs) * 0.1}  # fmt: skip
        buffers = {"resample_filter": fir(), "noise_const": self.normal(side, side)}
        return self.module("SynthesisLayer", weights, buffers, {"affine": self.dense(W, inputs, bias=1.0)}, up=2)

    def colour(self, inputs: int, outputs: int) -> Any:
        weights = {"weight": self.normal(outputs, inputs, 1, 1), "bias": self.normal(outputs) * 0.1}
        return self.module("ToRGBLayer", weights, {}, {"affine": self.dense(W, inputs, bias=1.0)})

    def block(self, inputs: int, outputs: int, image: int, side: int, name: str = "SynthesisBlock") -> Any:
        modules = {"conv0": self.layer(inputs, outputs, side)} if inputs else {}
        modules |= {"conv1": self.layer(outputs, outputs, side), "torgb": self.colour(outputs, image)}
        constant = {} if inputs else {"const": self.normal(outputs, side, side)}
        return self.module(
            name, constant, {"resample_filter": fir()}, modules, resolution=side, num_conv=1 + bool(inputs)
        )

    def synthesis(self, image: int, last: int, base: int) -> Any:
        sides = [4 << i for i in range((last // 4).bit_length())]
        widths = [0, *(min(base // side, MOST) for side in sides)]
        blocks = {f"b{s}": self.block(widths[i], widths[i + 1], image, s) for i, s in enumerate(sides)}
        return self.module("SynthesisNetwork", {}, {}, blocks, w_dim=W, img_resolution=last)

    def mapping(self, z: int, labels: int, w: int, layers: int, rate: float = 0.01, average: bool = True) -> Any:
        widths = [z + w, *[w] * layers]
        dense = {f"fc{i}": self.dense(widths[i], widths[i + 1], rate) for i in range(layers)}
        modules = {"embed": self.dense(labels, w), **dense}
        return self.module("MappingNetwork", {}, {"w_avg": self.normal(w)} if average else {}, modules, num_ws=3)

    def super_resolution(self, factor: int) -> Any:
        first = self.block(FEATURES, 6, 3, 2 * RAW_INPUT if factor == 4 else RAW_INPUT,
                           "SynthesisBlock" if factor == 4 else "SynthesisBlockNoUp")  # fmt: skip
        second = self.block(6, 5, 3, factor * RAW_INPUT)
        name = "SuperresolutionHybrid8XDC" if factor == 4 else "SuperresolutionHybrid4X"
        return self.module(name, {}, {}, {"block0": first, "block1": second}, input_resolution=RAW_INPUT)

    def sequence(self, *layers: Any) -> Any:
        modules = {str(i): layer for i, layer in enumerate(layers)}
        return self.module("Sequential", {}, {}, modules, plain="torch.nn.modules.container")

    def generator(self, family: str, factor: int = 4) -> Any:
        labels, settings = 25 + 6 * (family == "3DPortraitGAN"), dict(KWARGS)
        depth = 1 if family == "EG3D" else 3
        image = {"EG3D": 3 * FEATURES, "SphereHead": 20}.get(family, 9 * FEATURES)
        decoder = self.sequence(self.dense(FEATURES, 10), self.module("Softplus", {}, {}, {}, beta=1, threshold=20,
                                plain="torch.nn.modules.activation"), self.dense(10, 1 + FEATURES))  # fmt: skip
        renderer = {"plane_axes": torch.tensor(AXES.get(family, AXES["others"]), dtype=torch.float32)}
        backbone = {"synthesis": self.synthesis(image, SIDE, BASE), "mapping": self.mapping(Z, labels, W, 2)}
        modules = {
            "renderer": self.module("ImportanceRenderer", {}, {}, {}, **renderer,
                                    plain="training.volumetric_rendering.renderer"),
            "backbone": self.module("Generator", {}, {}, backbone, num_ws=6),
            "superresolution": self.super_resolution(factor),
            "decoder": self.module("OSGDecoder", {}, {}, {"net": decoder}, plain="training.triplane", hidden_dim=10),
        }  # fmt: skip
        if family != "EG3D":
            settings |= {"triplane_depth": depth, "triplane_size": SIDE, "use_torgb_raw": True, "use_background": True,
                         "decoder_activation": "lrelu" if family == "PanoHead" else "none"}  # fmt: skip
            modules["torgb"] = self.colour(FEATURES, 3)
            modules["bcg_synthesis"] = self.synthesis(FEATURES, RAW_INPUT, BASE // 2)
        if family in ("PanoHead", "SphereHead"):
            modules["t_mapping"] = self.mapping(Z, labels, 3, 2, rate=1.0)
        if family == "SphereHead":
            for name in ("ConvA", "ConvB"):
                modules[name] = self.sequence(
                    self.conv(20, 24, 1, bias=False), self.conv(24, 3 * FEATURES, 1, bias=False)
                )
        if family == "3DPortraitGAN":
            net = self.sequence(self.dense(Z + 25, 9), self.dense(9, 7), self.dense(7, 6))
            modules["pose_branch"] = self.module("GPoseBranch", {}, {}, {"net": net}, plain="training.triplane")
            modules["renderer"]._buffers["shaped_smpl"] = self.normal(1, 5, 3)
        return self.module("TriPlaneGenerator", {}, {}, modules, z_dim=Z, c_dim=25, w_dim=W, img_channels=3,
                           img_resolution=factor * RAW_INPUT, neural_rendering_resolution=RAW,
                           rendering_kwargs=easy(**settings), _last_planes=None)  # fmt: skip

    def discriminator(self, family: str, resolution: int) -> Any:
        colours, labels = 6 if family == "EG3D" else 7, 25 + 6 * (family == "3DPortraitGAN")
        sides = [resolution >> i for i in range((resolution // 4).bit_length() - 1)]
        width = {side: min(BASE // side, MOST) for side in [*sides, 4]}
        modules = {}
        for side in sides:
            first = {"fromrgb": self.conv(colours, width[side], 1)} if side == resolution else {}
            layers = first | {"conv0": self.conv(width[side], width[side], 3),
                              "conv1": self.conv(width[side], width[side // 2], 3),
                              "skip": self.conv(width[side], width[side // 2], 1, bias=False)}  # fmt: skip
            modules[f"b{side}"] = self.module("DiscriminatorBlock", {}, {"resample_filter": fir()}, layers)
        modules["mapping"] = self.discriminator_mapping(labels, width[4])
        spread = self.module("MinibatchStdLayer", {}, {}, {}, group_size=4, num_channels=1)
        modules["b4"] = self.module("DiscriminatorEpilogue", {}, {}, {
            "mbstd": spread, "conv": self.conv(width[4] + 1, width[4], 3), "fc": self.dense(16 * width[4], width[4]),
            "out": self.dense(width[4], width[4])})  # fmt: skip
        if family == "3DPortraitGAN":
            net = self.sequence(self.dense(16 * width[4] + 25, 8), self.dense(8, 6))
            modules["pose_branch"] = self.module("GPoseBranch", {}, {}, {"net": net}, plain="training.triplane")
        name = "DualDiscriminator" if family == "EG3D" else "MaskDualDiscriminatorV2"
        return self.module(name, {}, {"resample_filter": fir()}, modules, c_dim=labels, img_resolution=resolution)

    def discriminator_mapping(self, labels: int, width: int) -> Any:
        dense = {f"fc{i}": self.dense(width, width, 0.01) for i in range(2)}
        return self.module("MappingNetwork", {}, {}, {"embed": self.dense(labels, width), **dense}, num_ws=None)


RAW_INPUT = 8
"""Side that super-resolution begins with."""


def easy(**content: Any) -> Any:
    """A dnnlib.EasyDict."""
    made = sys.modules["dnnlib.util"].EasyDict()
    made.update(content)
    return made


def fir() -> Tensor:
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return torch.outer(taps, taps) / 64


def state_of(module: Any, prefix: str = "") -> dict[str, Tensor]:
    """Weights and buffers of a made module by dotted name."""
    state = module.state if isinstance(module, Persistent) else vars(module)
    found = {prefix + name: value.detach() for part in ("_parameters", "_buffers")
             for name, value in state[part].items() if value is not None}  # fmt: skip
    for name, child in state["_modules"].items():
        found |= state_of(child, f"{prefix}{name}.")
    return found


def write_pickle(
    path: Path, family: str, factor: int = 4, seed: int = 0
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A snapshot of a family, `factor` times as large as what super-resolution begins with.

    Returns:
        Tensors of its averaged generator and of its discriminator, by dotted name.
    """
    with foreign_packages():
        maker = Maker(seed)
        g, d = maker.generator(family, factor), maker.discriminator(family, factor * RAW_INPUT)
        content = {"training_set_kwargs": {"path": "data.zip"}, "G": maker.generator(family, factor),
                   "D": d, "G_ema": g, "augment_pipe": None}  # fmt: skip
        path.write_bytes(pickle.dumps(content))
        return state_of(g), state_of(d)
