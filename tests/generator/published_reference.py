"""The published generators' formulas on tensors by name, written from the papers' equations, without phq's networks.

Samples of rays are where EG3D's code has them, with every random number at its mean or evenly spaced.
"""

from __future__ import annotations

import math

import torch
from published_pickles import KWARGS, RAW_INPUT, fir
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

State = dict[str, Tensor]


def dense(state: State, name: str, x: Tensor, rate: float = 1.0, activate: bool = False) -> Tensor:
    weight = state[f"{name}.weight"] * (rate / math.sqrt(x.shape[-1]))
    y = x @ weight.T + state[f"{name}.bias"] * rate
    return torch.where(y > 0, y, 0.2 * y) * math.sqrt(2) if activate else y


def normalised(x: Tensor) -> Tensor:
    return x / (x.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()


def mapped(state: State, name: str, z: Tensor | None, labels: Tensor) -> Tensor:
    x = normalised(dense(state, f"{name}.embed", labels))
    x = x if z is None else torch.cat([normalised(z), x], dim=1)
    for i in range(2):
        x = dense(state, f"{name}.fc{i}", x, rate=0.01, activate=True)
    return x


def filtered(x: Tensor, before: int, after: int, gain: float) -> Tensor:
    """Padded, then filtered by [1, 3, 3, 1] in both directions."""
    kernel = (fir() * gain).expand(x.shape[1], 1, 4, 4).to(x)
    return F.conv2d(F.pad(x, (before, after, before, after)), kernel, groups=x.shape[1])


def stuffed(x: Tensor) -> Tensor:
    """A zero after every pixel and row."""
    wide = torch.stack([x, 0 * x], -1).flatten(-2)
    return torch.stack([wide, 0 * wide], -2).flatten(-3, -2)


def modulated(x: Tensor, weight: Tensor, style: Tensor, up: bool, norm: bool) -> Tensor:
    rows = []
    for one, s in zip(x[:, None], style, strict=True):
        w = weight * s[None, :, None, None]
        w = w / (w.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt() if norm else w
        if up:
            rows.append(F.conv2d(filtered(stuffed(one), 3, 2, 4.0), w.flip(2, 3)))
        else:
            rows.append(F.conv2d(one, w, padding=w.shape[-1] // 2))
    return torch.cat(rows)


def styled(state: State, name: str, x: Tensor, w: Tensor, up: bool, noisy: bool) -> Tensor:
    y = modulated(x, state[f"{name}.weight"], dense(state, f"{name}.affine", w), up, norm=True)
    y = y + (state[f"{name}.noise_const"] * state[f"{name}.noise_strength"] if noisy else 0)
    y = y + state[f"{name}.bias"][:, None, None]
    return torch.where(y > 0, y, 0.2 * y) * math.sqrt(2)


def coloured(state: State, name: str, x: Tensor, w: Tensor) -> Tensor:
    style = dense(state, f"{name}.affine", w) / math.sqrt(x.shape[1])
    return modulated(x, state[f"{name}.weight"], style, up=False, norm=False) + state[f"{name}.bias"][:, None, None]


def synthesis(state: State, name: str, w: Tensor, last: int) -> Tensor:
    """All layers driven by one style (B, W)."""
    x, image, side = state[f"{name}.b4.const"].expand(len(w), -1, -1, -1), None, 4
    while side <= last:
        if side > 4:
            x = styled(state, f"{name}.b{side}.conv0", x, w, up=True, noisy=True)
        x = styled(state, f"{name}.b{side}.conv1", x, w, up=False, noisy=True)
        added = coloured(state, f"{name}.b{side}.torgb", x, w)
        image = added if image is None else filtered(stuffed(image), 2, 1, 4.0) + added
        side *= 2
    assert image is not None
    return image


def super_resolution(state: State, raw: Tensor, x: Tensor, w: Tensor, factor: int) -> Tensor:
    sides = (RAW_INPUT, RAW_INPUT)
    image, x = (F.interpolate(part, sides, mode="bilinear", antialias=True) for part in (raw, x))
    for i, up in ((0, factor == 4), (1, True)):
        name = f"superresolution.block{i}"
        x = styled(state, f"{name}.conv0", x, w, up, noisy=False)
        x = styled(state, f"{name}.conv1", x, w, False, noisy=False)
        image = (filtered(stuffed(image), 2, 1, 4.0) if up else image) + coloured(state, f"{name}.torgb", x, w)
    return image


def grid(planes: Tensor, at: Tensor) -> Tensor:
    """(C, N) bilinear or trilinear values of a plane (C, H, W) or grid (C, D, H, W) at (N, 2) or (N, 3)."""
    shape = (1, *[1] * (at.shape[1] - 1), len(at), at.shape[1])
    return F.grid_sample(planes[None], at.reshape(shape), align_corners=False).reshape(len(planes), -1)


def planes_at(family: str, state: State, maps: Tensor, points: Tensor) -> Tensor:
    """(N, C) of the maps of one person (channels, S, S)."""
    x, y, z = (points * (2 / KWARGS["box_warp"])).T  # type: ignore[operator]
    if family == "EG3D":
        places = ((x, y), (x, z), (z, x))
        each = [grid(plane, torch.stack(at, 1)) for plane, at in zip(maps.split(32), places, strict=True)]
    elif family == "SphereHead":
        return spheres_at(state, maps, x, y, z)
    else:
        grids = (part.reshape(32, 3, *part.shape[1:]) for part in maps.split(96))
        solid = ((x, y, z), (x, z, y), (y, z, x))
        each = [grid(part, torch.stack(at, 1)) for part, at in zip(grids, solid, strict=True)]
    return torch.stack(each).mean(0).T


def spheres_at(state: State, maps: Tensor, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    total, weights = torch.zeros(len(x), 32), torch.zeros(len(x))
    for name, (a, b, c) in (("ConvA", (z, y, -x)), ("ConvB", (-z, -x, y))):
        features = maps
        for i in (0, 1):
            weight = state[f"{name}.{i}.weight"]
            features = F.conv2d(features[None], weight / math.sqrt(weight.shape[1]))[0]
        polar = 2 * torch.atan2((a**2 + b**2).sqrt(), c) / math.pi - 1
        longitude = torch.atan2(b, a) / math.pi
        radius = 2 * (a**2 + b**2 + c**2).sqrt() / math.sqrt(3) - 1
        at = ((polar, longitude), (polar, radius), (longitude, radius))
        each = [grid(plane, torch.stack(pair, 1)) for plane, pair in zip(features.split(32), at, strict=True)]
        found = torch.stack(each).mean(0).T
        weight = (1 + (math.pi * polar).cos()) / 2 * (1 + (math.pi * longitude).cos()) / 2
        total, weights = total + found * weight[:, None], weights + weight
    return total / (weights[:, None] + 1e-8)


def field(family: str, state: State, maps: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Raw density (N,) and colour features (N, F)."""
    y = dense(state, "decoder.net.2", F.softplus(dense(state, "decoder.net.0", planes_at(family, state, maps, points))))
    raw, colour = y[:, 0], y[:, 1:]
    if family == "EG3D":
        return raw, colour.sigmoid() * 1.002 - 0.001
    if family == "PanoHead":
        colour = torch.where(colour > 0, colour, 0.2 * colour) * math.sqrt(2)
    outside = (points[:, [0, 2]].abs() > KWARGS["box_warp"] / 2 - 0.1).any(dim=1)  # type: ignore[operator]
    return torch.where(outside, -1e3, raw), colour


def march(raw: Tensor, depths: Tensor) -> Tensor:
    """(P, S − 1) weights."""
    delta = depths[:, 1:] - depths[:, :-1]
    alpha = 1 - torch.exp(-F.softplus((raw[:, 1:] + raw[:, :-1]) / 2 - 1) * delta)
    clear = torch.cat([torch.ones_like(alpha[:, :1]), 1 - alpha + 1e-10], dim=1).cumprod(dim=1)[:, :-1]
    return alpha * clear


def fine_depths(depths: Tensor, weights: Tensor, count: int) -> Tensor:
    padded = F.pad(weights, (1, 1), value=-math.inf)
    wide = torch.maximum(padded[:, :-1], padded[:, 1:])
    wide = (wide[:, :-1] + wide[:, 1:]) / 2 + 0.01
    middles, pdf = (depths[:, :-1] + depths[:, 1:]) / 2, wide[:, 1:-1] + 1e-5
    pdf = pdf / pdf.sum(dim=1, keepdim=True)
    cdf = F.pad(pdf.cumsum(dim=1), (1, 0))
    u = ((torch.arange(count) + 0.5) / count).expand(len(depths), -1).contiguous()
    above = torch.searchsorted(cdf, u, right=True).clamp(1, pdf.shape[1])
    low, high = cdf.gather(1, above - 1), cdf.gather(1, above)
    left, right = middles.gather(1, above - 1), middles.gather(1, above)
    return left + (u - low) / (high - low) * (right - left)


def rendered(family: str, state: State, maps: Tensor, camera: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Features (F, side²) and opacity (side²,) of one person and one camera (25,)."""
    pose, K = camera[:16].reshape(4, 4), camera[16:].reshape(3, 3)
    centres = (torch.arange(side) + 0.5) / side
    v, u = torch.meshgrid(centres, centres, indexing="ij")
    rays = torch.stack([(u.flatten() - K[0, 2]) / K[0, 0], (v.flatten() - K[1, 2]) / K[1, 1], torch.ones(side**2)])
    rays = (pose[:3, :3] @ rays).T
    rays = rays / rays.norm(dim=1, keepdim=True)
    near, far, count = KWARGS["ray_start"], KWARGS["ray_end"], KWARGS["depth_resolution"]
    ruler = torch.linspace(near, far, count) + 0.5 * (far - near) / (count - 1)  # type: ignore[operator, arg-type]
    depths = ruler.expand(side**2, -1)

    def look(t: Tensor) -> tuple[Tensor, Tensor]:
        points = pose[:3, 3] + rays[:, None] * t[..., None]
        raw, colour = field(family, state, maps, points.reshape(-1, 3))
        return raw.reshape(t.shape), colour.reshape(*t.shape, -1)

    raw, colour = look(depths)
    fine = fine_depths(depths, march(raw, depths), KWARGS["depth_resolution_importance"])  # type: ignore[arg-type]
    more, colour_2 = look(fine)
    depths, order = torch.cat([depths, fine], dim=1).sort(dim=1)
    raw = torch.cat([raw, more], dim=1).gather(1, order)
    colour = torch.cat([colour, colour_2], dim=1).gather(1, order[..., None].expand(-1, -1, colour.shape[-1]))
    weights = march(raw, depths)
    summed = (weights[..., None] * (colour[:, 1:] + colour[:, :-1]) / 2).sum(dim=1)
    return summed.T, weights.sum(dim=1)


def picture(  # what it takes to draw one
    family: str, state: State, z: Tensor, camera: Tensor, pose: Tensor, factor: int, side: int
) -> dict[str, Tensor]:
    """Image, raw image and mask of latents (B, Z), conditioned on and seen by cameras (B, 25), at rest."""
    told = torch.cat([camera, pose], dim=1) if family == "3DPortraitGAN" else camera
    w = mapped(state, "backbone.mapping", z, told * KWARGS["c_scale"])  # type: ignore[operator]
    maps = synthesis(state, "backbone.synthesis", w, 16)
    seen = [rendered(family, state, one, c, side) for one, c in zip(maps, camera, strict=True)]
    features = torch.stack([f for f, _ in seen]).reshape(len(z), -1, side, side)
    opacity = torch.stack([o for _, o in seen]).reshape(len(z), 1, side, side)
    if family == "EG3D":
        features = features * 2 - 1
        raw = features[:, :3]
    else:
        behind = synthesis(state, "bcg_synthesis", w, RAW_INPUT)
        features = features + (1 - opacity) * F.interpolate(behind, (side, side), mode="bilinear", antialias=True)
        raw = coloured(state, "torgb", features, w)
    image = super_resolution(state, raw, features, w, factor)
    return {"image": image, "raw": raw, "mask": opacity * 1.002 - 0.001}


def features(family: str, state: State, image: Tensor, raw: Tensor, mask: Tensor) -> Tensor:
    """(B, C, 4, 4) what the discriminator sees."""
    side = image.shape[-1]
    raw, mask = (F.interpolate(part, (side, side), mode="bilinear", antialias=True) for part in (raw, mask))
    x = torch.cat([image, raw] if family == "EG3D" else [image, raw, 2 * mask - 1], dim=1)
    x = conv(state, f"b{side}.fromrgb", x, pad=0)
    while side > 4:
        name = f"b{side}.skip.weight"
        skip = F.conv2d(filtered(x, 1, 1, 1.0)[:, :, ::2, ::2], state[name] / math.sqrt(state[name][0].numel()))
        x = conv(state, f"b{side}.conv0", x)
        x = skip * math.sqrt(0.5) + conv(state, f"b{side}.conv1", filtered(x, 2, 2, 1.0), 2, 0, 1.0)
        side //= 2
    return x


def conv(state: State, name: str, x: Tensor, stride: int = 1, pad: int = 1, gain: float = math.sqrt(2)) -> Tensor:
    weight = state[f"{name}.weight"]
    y = F.conv2d(x, weight / math.sqrt(weight[0].numel()), state.get(f"{name}.bias"), stride, pad)
    return torch.where(y > 0, y, 0.2 * y) * gain


def seen_pose(state: State, image: Tensor, raw: Tensor, mask: Tensor, camera: Tensor) -> Tensor:
    """(B, 6) of 3DPortraitGAN's predictor, for cameras (B, 25) on the left: mirrored pictures, the camera as it is."""
    seen = features("3DPortraitGAN", state, *(part.flip(-1) for part in (image, raw, mask))).flatten(1)
    x = dense(state, "pose_branch.net.0", torch.cat([seen, camera], dim=1), activate=True)
    return dense(state, "pose_branch.net.1", x) * torch.tensor([1, -1, -1, 1, -1, -1])


def judged(family: str, state: State, image: Tensor, raw: Tensor, mask: Tensor, labels: Tensor) -> Tensor:
    """Logits (B, 1) of a batch that is one group."""
    x = features(family, state, image, raw, mask)
    spread = (x.var(dim=0, unbiased=False) + 1e-8).sqrt().mean()
    x = conv(state, "b4.conv", torch.cat([x, spread.expand(len(x), 1, 4, 4)], dim=1)).flatten(1)
    x = dense(state, "b4.out", dense(state, "b4.fc", x, activate=True))
    return (x * mapped(state, "mapping", None, labels)).sum(dim=1, keepdim=True) / math.sqrt(x.shape[1])
