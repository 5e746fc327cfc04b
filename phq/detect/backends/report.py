"""What ``phq backends`` prints."""

from __future__ import annotations

from collections.abc import Iterator

from phq.config.build import Models
from phq.detect.backends.conformance import complaints
from phq.detect.backends.offers import added, offers, open_backend, split_word, weights_of
from phq.detect.backends.protocols import PLACES
from phq.errors import ConfigError, InputError, PhqError
from phq.photos.decode import PhotoRejectError, decode
from phq.photos.discover import discover
from phq.system.arrays import Image

MOST_PHOTOS = 8
"""More would tell no more."""


def listing() -> Iterator[str]:
    """A line for each back end: place, word, where it comes from, licence of its weights or what is missing."""
    default = Models()
    rows = [("place", "name", "comes with", "weights")]
    for place in PLACES:
        own = {name: f"phq[{offer.extra}]" if offer.extra else "phq" for name, offer in offers(place).items()}
        others = {name: point.value for name, point in added(place).items() if name not in own}
        for name, source in {**own, **others}.items():
            mark = "*" if getattr(default, place).partition(":")[0] == name else ""
            rows.append((place, name + mark, source, _weights(place, name)))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        yield "   ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[3]])
    yield "*: what the default configuration has"


def _weights(place: str, name: str) -> str:
    try:
        weights = weights_of(place, name)
    except PhqError as error:
        return str(error)
    return ", ".join(f"{weight.name} ({weight.licence})" for weight in weights) or "none of its own"


def checked(place: str, word: str, source: str) -> Iterator[str]:
    """`phq.detect.backends.conformance.complaints` of the back end that a word names, on some photos.

    Raises:
        ConfigError: no such place or word. WeightError, MissingExtraError: it cannot be loaded. InputError: no photos.
    """
    if place not in PLACES:
        raise ConfigError(f"there is no place {place!r}; there are: {', '.join(PLACES)}")
    backend = open_backend(place, word)
    if backend is None:
        raise ConfigError(f"{place} {word!r} is nothing that could be checked")
    yield from complaints(place, backend, _photos(source), split_word(word)[1])


def _photos(source: str) -> list[Image]:
    pictures = []
    for found in discover(source):
        try:
            pictures.append(decode(found.path).pixels)
        except PhotoRejectError:
            continue
        if len(pictures) == MOST_PHOTOS:
            break
    if not pictures:
        raise InputError(f"there is no photo that can be read in {source}")
    return pictures
