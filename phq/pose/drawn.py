"""The body drawn for a record: the one it names, or the embedded one without its file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from phq.pose.body import Body, load_body
from phq.system.arrays import Doubles

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class DrawnBody:
    """A posed body."""

    body: Body
    vertices: Doubles
    """(V, 3) in the crop camera's axes, metres."""
    joints: Doubles
    """(24, 3)."""


@dataclass(frozen=True)
class Bodies:
    """Draws records."""

    given: Body | None = None
    """A body of the user's; records that name it are drawn with it."""
    embedded: Callable[[Fields], Fields | None] = lambda _: None
    """Labels of the embedded body for a record of another body, see `phq.dataset.embedded.EmbeddedLabels.of`; None if
    there are none."""

    def drawn(self, row: Fields) -> DrawnBody | None:
        """The body of a record; None if its file was not given and the embedded body has no labels."""
        name = row["body_model"]
        if self.given is not None and name == self.given.name:
            return _posed(self.given, row)
        if name in ("", load_body().name):
            return _posed(load_body(), row)
        labels = self.embedded(row)
        return None if labels is None else _posed(load_body(), labels)

    def note(self, row: Fields) -> str:
        """Note for the picture; '' if the body that the record names is drawn."""
        name = row["body_model"]
        if name in ("", load_body().name) or (self.given is not None and name == self.given.name):
            return ""
        return f"{load_body().name} for {name} (no file)" if self.embedded(row) else f"no body: no file of {name}"


BODIES = Bodies()
"""Draws the embedded body alone."""


def _posed(body: Body, row: Fields) -> DrawnBody:
    pose, betas, transl = (np.asarray(row[name], float) for name in ("smpl_pose", "smpl_betas", "smpl_transl"))
    vertices, joints, _ = body.forward(pose, betas, transl)
    return DrawnBody(body, vertices, joints)
