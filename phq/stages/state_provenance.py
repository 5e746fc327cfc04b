"""Stage: licence, author, source, identity and consent of a photo, as stated by its user. No network measures them."""

from __future__ import annotations

from phq.config import build as config
from phq.dataset.sidecar import Sidecar
from phq.people.person import Photo
from phq.people.record import Provenance


class StateProvenance:
    """Sets the provenance of every photo, rejected ones too.

    Args:
        defaults: for what the sidecar leaves open.
        sidecar: None if there is none.
    """

    name = "provenance"

    def __init__(self, defaults: config.Provenance, sidecar: Sidecar | None) -> None:
        self.defaults = Provenance(**defaults.model_dump())
        self.sidecar = sidecar

    def setup(self) -> None:
        """Nothing to load."""

    def process(self, photos: list[Photo]) -> None:
        """Every photo, in place."""
        for photo in photos:
            row = self.sidecar.about(photo.name, photo.source.source_sha256) if self.sidecar else None
            stated = Provenance(*row.fields).columns() if row else {}
            photo.provenance = Provenance(**{
                name: stated.get(name) or default for name, default in self.defaults.columns().items()
            })  # fmt: skip
