"""A dressed person as one mesh that hangs on the body model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phq.pose.body import load_body
from phq.synth.bust import Bust, Seat, load_bust
from phq.synth.sheets import Sheet
from phq.system.arrays import Doubles


@dataclass(frozen=True)
class Figure:
    """V vertices: those of the bust, then those of the sheets on it."""

    points: Doubles
    """(V, 3) at rest on the mean shape, metres, neck at the origin; what is painted depends on them."""
    directions: Doubles
    """(V, 3, 10) their movement with the shape."""
    weights: Doubles
    """(V, 24) skinning weights."""
    faces: NDArray[np.int64]
    """(F, 3) counter-clockwise from outside; those of sheets are seen from both sides."""
    part: NDArray[np.int64]
    """(V,) see `Part`."""
    open_to_light: Doubles
    """(V,) 0..1, see `Bust`."""

    def posed(self, pose: Doubles, betas: Doubles, transl: Doubles) -> Doubles:
        """(V, 3) vertices of the posed figure; arguments as for `phq.pose.body.Body.forward`."""
        return load_body().carry(self.points, self.directions, self.weights, pose, betas, transl)


def assemble(thickness: Doubles, sheets: list[Sheet], seat: Seat) -> Figure:
    """A figure of the bust, lifted by `thickness` (V,) metres, and of sheets.

    Args:
        seat: of that bust; sheets take their shape directions, and some their weights, from what is beneath.
    """
    body, bust = load_body(), load_bust().grown(thickness)
    count = np.cumsum([len(bust.points), *(sheet.points[..., 0].size for sheet in sheets)])
    laid = [_seated(sheet, seat, bust) for sheet in sheets]
    return Figure(
        np.concatenate([bust.points, *(sheet.points.reshape(-1, 3) for sheet in sheets)]),
        np.concatenate([body.shapedirs[bust.rows], *(directions for directions, _ in laid)]),
        np.concatenate([body.weights[bust.rows], *(weights for _, weights in laid)]),
        np.concatenate([bust.faces, *(s.faces() + n for s, n in zip(sheets, count, strict=False))]),
        np.concatenate([bust.part, *(np.full(s.points[..., 0].size, s.part) for s in sheets)]),
        np.concatenate([bust.open_to_light, np.ones(count[-1] - count[0])]),
    )


def _seated(sheet: Sheet, seat: Seat, bust: Bust) -> tuple[Doubles, Doubles]:
    """Shape directions (N, 3, 10) and weights (N, 24) of a sheet's points."""
    body = load_body()
    near, share = seat.nearest(sheet.points.reshape(-1, 3))
    rows = bust.rows[near]
    directions = np.einsum("nk,nkij->nij", share, body.shapedirs[rows])
    weights = np.einsum("nk,nkj->nj", share, body.weights[rows]) if sheet.on_skin else sheet.weights()
    return directions, weights
