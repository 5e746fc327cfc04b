"""`TorchBody`: the body model as a differentiable torch module, for training. It gives what `Body.forward` gives."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from phq.pose.body import Body


class TorchBody(nn.Module):
    """A `Body` in torch: batched, differentiable in pose, betas and transl, on any device.

    Arrays of the body become buffers of `dtype`; inputs are cast to it, so float64 poses may go into a float32 body.
    """

    v_template: Tensor
    shapedirs: Tensor
    posedirs: Tensor | None
    weights: Tensor
    joints_template: Tensor
    joint_shapedirs: Tensor
    faces: Tensor
    """(F, 3) vertex numbers."""
    point_rows: Tensor

    def __init__(self, body: Body, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.parents = body.parents
        for name in ("v_template", "shapedirs", "weights", "joints_template", "joint_shapedirs"):
            self.register_buffer(name, torch.as_tensor(getattr(body, name)).to(dtype, copy=True))
        self.register_buffer("posedirs", None if body.posedirs is None else torch.tensor(body.posedirs, dtype=dtype))
        self.register_buffer("faces", torch.tensor(body.faces))
        self.register_buffer("point_rows", torch.tensor(np.array(list(body.face_points.values()), dtype=np.int64)))

    def forward(
        self, pose: Tensor, betas: Tensor | None = None, transl: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Vertices (…, V, 3), joints (…, 24, 3) and named points (…, P, 3); arguments as for `Body.forward`."""
        turns, b, t = self._inputs(pose, betas, transl)
        rest = _shaped(self.v_template, self.shapedirs, b)
        if self.posedirs is not None:
            bends = turns[..., 1:, :, :] - torch.eye(3, dtype=turns.dtype, device=turns.device)
            rest = _shaped(rest, self.posedirs, bends.flatten(-3))
        linear, joints, shift = self._chain(turns, _shaped(self.joints_template, self.joint_shapedirs, b), t)
        affine = torch.cat([linear, shift[..., None]], dim=-1).flatten(-2)
        blend = (self.weights @ affine).reshape(*rest.shape, 4)
        vertices = (blend[..., :3] * rest[..., None, :]).sum(-1) + blend[..., 3]
        return vertices, joints, vertices[..., self.point_rows, :]

    def _inputs(self, pose: Tensor, betas: Tensor | None, transl: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Rotations (…, 24, 3, 3), betas (…, 10) and translations (…, 3) of equal batches."""
        template = self.v_template
        by_joint = pose if pose.shape[-2:] == (24, 3) else pose.reshape(*pose.shape[:-1], 24, 3)
        turns = rotvec_to_rotmat(by_joint.to(template.dtype))
        b = template.new_zeros(10) if betas is None else betas.to(template.dtype)
        t = template.new_zeros(3) if transl is None else transl.to(template.dtype)
        batch = np.broadcast_shapes(turns.shape[:-3], b.shape[:-1], t.shape[:-1])
        return turns.expand(*batch, 24, 3, 3), b.expand(*batch, 10), t.expand(*batch, 3)

    def _chain(self, turns: Tensor, rest: Tensor, transl: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rotation (…, 24, 3, 3), joint (…, 24, 3) and shift (…, 24, 3) from rest of each part."""
        linear, joints = [turns[..., 0, :, :]], [rest[..., 0, :] + transl]
        for j, parent in enumerate(self.parents[1:], start=1):
            bone = (rest[..., j, :] - rest[..., parent, :])[..., None]
            joints.append(joints[parent] + (linear[parent] @ bone)[..., 0])
            linear.append(linear[parent] @ turns[..., j, :, :])
        parts, places = torch.stack(linear, dim=-3), torch.stack(joints, dim=-2)
        return parts, places, places - (parts @ rest[..., None])[..., 0]


def rotvec_to_rotmat(rotvec: Tensor) -> Tensor:
    """Axis-angle vectors (…, 3) in radians to rotation matrices (…, 3, 3); value and derivatives are right at zero too.

    Rodrigues' formula R = I + sin θ / θ · K + (1 − cos θ) / θ² · K², K the skew matrix of the vector. Both factors are
    taken as functions of θ², since θ itself has no derivative at zero: sinc θ, and ½ sinc² (θ / 2).
    """
    squared = (rotvec * rotvec).sum(-1)[..., None, None]
    x, y, z = rotvec.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).reshape(*x.shape, 3, 3)
    eye = torch.eye(3, dtype=rotvec.dtype, device=rotvec.device)
    half = _sinc(squared / 4)
    return eye + _sinc(squared) * skew + 0.5 * half * half * (skew @ skew)


def _sinc(squared: Tensor) -> Tensor:
    """sin x / x as a function of x² ≥ 0; below x = 0.1 by its Taylor series, whose rest is under 1e-17."""
    small = squared < 1e-2
    series = 1.0 - squared / 6 * (1 - squared / 20 * (1 - squared / 42 * (1 - squared / 72)))
    root = torch.where(small, 1.0, squared).sqrt()  # no division by zero in the branch not taken: NaN × 0 is NaN
    return torch.where(small, series, torch.sin(root) / root)


def _shaped(template: Tensor, directions: Tensor, factors: Tensor) -> Tensor:
    """Template (N, 3) or (…, N, 3) plus directions (N, 3, B) times factors (…, B)."""
    moved = factors @ directions.flatten(0, 1).T
    return template + moved.reshape(*factors.shape[:-1], *directions.shape[:-1])
