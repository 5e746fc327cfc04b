"""Stage: an embedding of every face at a fitted head; backs and hidden faces have none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phq.detect.backends.offers import network_id, open_backend
from phq.detect.face_crop import embedding_to_text
from phq.people.person import Photo, known, living
from phq.people.record import FaceIdentity
from phq.system.resources import Resources

if TYPE_CHECKING:
    from phq.detect.backends.protocols import IdentityNetwork


class EmbedIdentity:
    """An identity network on the stored face, in the photo's own pixels."""

    name = "identity"
    wants = Resources(memory=100 << 20)

    def __init__(self, spec: str) -> None:
        self.spec = spec

    def setup(self) -> None:
        """Load the network."""
        self.network: IdentityNetwork = open_backend("identity", self.spec)
        self.network_id = network_id("identity", self.spec)

    def process(self, photos: list[Photo]) -> None:
        """Every person with a face at the head."""
        for person in living(photos):
            if person.face is not None and person.head_face is not None and person.head_face.face_found:
                vector = self.network.embed(known(person.photo.pixels), person.face)
                person.identity = FaceIdentity(embedding_to_text(vector), self.network_id)
