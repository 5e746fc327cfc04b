"""From posed to canonical space: the inverse of skinning by neck and head.

Skinning takes a canonical point x to F(x) = x + a(x) (R_n − 1) x + b(x) ((R_n R_h − 1)(x − h) + (R_n − 1) h), with
a and b the weights of neck and head (`phq.generator.networks.weight_field`), R_n and R_h the rotations of neck and
head, h the head joint, the neck joint the origin. A posed point p is brought back by a fixed number of Newton steps
for F(x) = p, each with a bounded length and a bounded inverse, from a guess: with the whole head above the neck, not
at all below. So the map is continuous in point and pose whatever the pose, and the identity at the rest pose. The
published generator takes the nearest face's frame instead, and jumps to the identity 0.25 m from the mesh.

Derivatives are those of the implicit function: the last step alone is differentiated, with weights and Jacobian fixed.
"""

from __future__ import annotations

import math
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from phq.generator.networks.weight_field import CENTRE, HALF, SCALE, embedded_weight_field, weight_field
from phq.pose.body import Body

LEAST_DETERMINANT = 0.5
"""Of a Jacobian that is divided by. Near 0 skinning folds space (chin into chest) and has no inverse."""
LONGEST_STEP = 0.1
"""Metres of a Newton step."""
GUESS_HEIGHTS = (-0.02, 0.08)
"""Where the guess goes from torso to head, metres over the neck, of the point 0.3 as it is and 0.7 turned back."""
GUESS_WIDTHS = (0.1, 0.2)
"""Where it goes from head to arms, metres from the middle."""


class Deformation(nn.Module):
    """Posed points to canonical points.

    Args:
        steps: Newton steps. Two bring the skin of the embedded body back within 2 mm for rotations of neck and of head
            by up to 20° each; three for 25° each, and for nods, turns and tilts of 30°. Pose blend shapes, which a
            SMPL file has, are left out.
        body: the body; the embedded one if None. Its arrays are buffers, but not part of the saved state.
    """

    field: Tensor
    head: Tensor
    centre: Tensor
    corners: Tensor

    def __init__(self, steps: int, body: Body | None = None) -> None:
        super().__init__()
        found = embedded_weight_field() if body is None else weight_field(body)
        self.steps = steps
        self.side = found.values.shape[-1]
        rows = torch.tensor(found.values.reshape(8, -1).T, dtype=torch.float32).contiguous()
        self.register_buffer("field", rows, persistent=False)
        self.register_buffer("head", torch.tensor(found.head, dtype=torch.float32), persistent=False)
        self.register_buffer("centre", torch.tensor(CENTRE, dtype=torch.float32)[:, None], persistent=False)
        corners = [x + self.side * (y + self.side * z) for z, y, x in product((0, 1), repeat=3)]
        self.register_buffer("corners", torch.tensor(corners, dtype=torch.int32), persistent=False)

    def forward(self, points: Tensor, pose: Tensor) -> Tensor:
        """Canonical points (B, 3, N) of posed points (B, 3, N), metres; pose (B, 6) as in `neck_head_pose`."""
        turns, shift = self._movement(pose)
        with torch.no_grad():
            x = _guess(points, turns, shift)
            for _ in range(self.steps - 1):
                weights = self.weights(x)
                residual, moves = _residual(weights, x, points, turns, shift)
                x = _minus(x, _inverse(weights, moves, turns, residual), residual)
            weights = self.weights(x)
        residual, moves = _residual(weights, x, points, turns, shift)
        return _minus(x, _inverse(weights, moves, turns, residual), residual)

    def weights(self, points: Tensor) -> Tensor:
        """(B, 8, N): weights of neck and head, and the gradient of each, at canonical points (B, 3, N).

        Trilinear interpolation by `embedding_bag`, which reads the eight numbers of a node at once; on a CPU that is
        three times as fast as `grid_sample`.
        """
        y = (points - self.centre) / SCALE
        warped = torch.log(y + torch.sqrt(y * y + 1)) / math.asinh(HALF / SCALE)  # asinh, vectorised
        place = (warped.transpose(0, 1).flatten(1) + 1) * ((self.side - 1) / 2)
        place = place.nan_to_num(0.0).clamp(0, self.side - 1)  # a point that is no number stays so in `points`
        low = place.floor().clamp(max=self.side - 2)
        node = (low[2] * self.side + low[1]) * self.side + low[0]
        part = place - low
        shares = torch.stack([(1 - part), part])  # (low or high, axis, points)
        each = torch.stack([shares[i, 2] * shares[j, 1] * shares[k, 0] for i, j, k in product((0, 1), repeat=3)])
        index = node.to(torch.int32)[:, None] + self.corners
        found = F.embedding_bag(index, self.field, per_sample_weights=each.T.contiguous(), mode="sum")
        return found.reshape(len(points), points.shape[-1], 8).transpose(1, 2).contiguous()

    def _movement(self, pose: Tensor) -> tuple[Tensor, Tensor]:
        """R − 1 of neck and head (B, 2, 3, 3), and what each adds (B, 2, 3): they move x by (R − 1) x + shift."""
        rotations = rotvec_to_rotmat(pose.reshape(-1, 2, 3))
        neck = rotations[:, 0]
        head = neck @ rotations[:, 1]
        turns = torch.stack([neck, head], dim=1) - torch.eye(3, dtype=pose.dtype, device=pose.device)
        shift = (turns[:, 0] - turns[:, 1]) @ self.head.to(pose.dtype)
        return turns, torch.stack([torch.zeros_like(shift), shift], dim=1)


def _guess(points: Tensor, turns: Tensor, shift: Tensor) -> Tensor:
    """Canonical points, roughly."""
    eye = torch.eye(3, dtype=points.dtype, device=points.device)
    back = (turns[:, 1] + eye).transpose(1, 2) @ (points - shift[:, 1, :, None])
    height = 0.3 * points[:, 1:2] + 0.7 * back[:, 1:2]
    share = _smooth_step(height, *GUESS_HEIGHTS) * (1 - _smooth_step(points[:, 0:1].abs(), *GUESS_WIDTHS))
    return points + share * (back - points)


def _smooth_step(x: Tensor, low: float, high: float) -> Tensor:
    """0 below `low`, 1 above `high`, a cubic between."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def _residual(weights: Tensor, x: Tensor, points: Tensor, turns: Tensor, shift: Tensor) -> tuple[Tensor, list[Tensor]]:
    """F(x) − p (B, 3, N), and how far the whole neck and the whole head would move x."""
    moves = [torch.baddbmm(shift[:, k, :, None], turns[:, k], x) for k in range(2)]
    residual = x - points
    for k, move in enumerate(moves):
        residual = torch.addcmul(residual, weights[:, k : k + 1], move)
    return residual, moves


def _minus(x: Tensor, columns: list[Tensor], residual: Tensor) -> Tensor:
    """x − M r for matrices M by their columns."""
    for column, r in zip(columns, residual.unbind(1), strict=True):
        x = torch.addcmul(x, column, r[:, None], value=-1)
    return x


@torch.no_grad()
def _inverse(weights: Tensor, moves: list[Tensor], turns: Tensor, residual: Tensor) -> list[Tensor]:
    """Columns (B, 3, N) of J⁻¹, scaled down where that times the residual is a long step."""
    rows = _jacobian_rows(weights, moves, turns)
    # cross products of the rows, over the determinant
    columns = [_cross(rows[i - 2], rows[i - 1]) for i in range(3)]
    factor = 1 / _dot(rows[0], columns[0]).clamp(min=LEAST_DETERMINANT)
    step = _minus(torch.zeros_like(residual), columns, residual) * factor
    factor = factor * (LONGEST_STEP * _dot(step, step).clamp(min=LONGEST_STEP**2).rsqrt())
    return [column * factor for column in columns]


def _jacobian_rows(weights: Tensor, moves: list[Tensor], turns: Tensor) -> list[Tensor]:
    """Rows (B, 3, N) of J = 1 + Σ_k w_k (R_k − 1) + d_k ∇w_kᵀ, with d_k the move by the whole of joint k."""
    eye = torch.eye(3, dtype=weights.dtype, device=weights.device)
    rows = []
    for i in range(3):
        row = eye[i, :, None]
        for k, move in enumerate(moves):
            row = torch.addcmul(row, weights[:, k : k + 1], turns[:, k, i, :, None])
            row = torch.addcmul(row, move[:, i : i + 1], weights[:, 2 + 3 * k : 5 + 3 * k])
        rows.append(row)
    return rows


def _cross(a: Tensor, b: Tensor) -> Tensor:
    """Cross products of (B, 3, N) vectors; torch.linalg.cross is slow along a middle axis."""
    ax, ay, az = a.unbind(1)
    bx, by, bz = b.unbind(1)
    return torch.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], dim=1)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """(B, 1, N) products of (B, 3, N) vectors."""
    return (a * b).sum(dim=1, keepdim=True)


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
