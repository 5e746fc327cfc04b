"""Stage: what is stated about a photo, beside its facts. No network sees it."""

from __future__ import annotations

from phq.config.build import Provenance
from phq.dataset.sidecar import Sidecar
from phq.people import Photo
from phq.schema import PROVENANCE


class StateProvenance:
    """Fills licence, author, source and identity of every photo, rejected ones too.

    Args:
        defaults: for what the sidecar leaves open. sidecar: None if there is none.
    """

    name = "provenance"

    def __init__(self, defaults: Provenance, sidecar: Sidecar | None) -> None:
        self.defaults = {name: getattr(defaults, name, "") for name in PROVENANCE}
        self.sidecar = sidecar

    def setup(self) -> None:
        """Nothing to load."""

    def process(self, photos: list[Photo]) -> None:
        """Every photo, in place."""
        for photo in photos:
            stated = self.sidecar.about(photo.name, photo.fields.get("source_sha256", "")) if self.sidecar else None
            fields = dict(zip(PROVENANCE, stated.fields, strict=True)) if stated else {}
            photo.fields |= {name: fields.get(name) or default for name, default in self.defaults.items()}
