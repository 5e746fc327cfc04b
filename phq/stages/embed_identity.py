"""Stage: whose face is it? An embedding of every face that was found; of backs and hidden faces there is none."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from phq.detect.backends.offers import open_backend, split_word, weights_of
from phq.detect.face_crop import embedding_to_text
from phq.people import Photo, living, pixels_of
from phq.system.resources import Resources

if TYPE_CHECKING:
    from phq.detect.backends.protocols import IdentityNetwork


class EmbedIdentity:
    """An identity network on the face that is stored, in the photo's own pixels."""

    name = "identity"
    wants = Resources(memory=100 << 20)

    def __init__(self, word: str) -> None:
        self.word = word

    def setup(self) -> None:
        """Load the network."""
        self.network: IdentityNetwork = open_backend("identity", self.word)
        self.called = network_called(self.word)

    def process(self, photos: list[Photo]) -> None:
        """Every person whose face was found at the head."""
        for person in living(photos):
            if person.face is not None and person.fields.get("face_found"):
                vector = self.network.embed(pixels_of(person), person.face)
                person.fields |= {"face_embedding": embedding_to_text(vector), "face_network": self.called}


def network_called(word: str) -> str:
    """As ``face_network`` calls it: the back end, and the beginning of a hash of what it runs.

    Embeddings can be compared if, and only if, they are of one network; where the file lies does not matter.

    Raises:
        ConfigError, WeightError, MissingExtraError: see `phq.detect.backends.offers.weights_of`.
    """
    digests = "".join(weight.sha256 for weight in weights_of("identity", word))
    return f"{split_word(word)[0]}:{hashlib.sha256(digests.encode()).hexdigest()[:8]}"
