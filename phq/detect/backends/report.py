"""What ``phq backends`` prints."""

from __future__ import annotations

from collections.abc import Iterator

from phq.config.build import Models
from phq.detect.backends.conformance import complaints
from phq.detect.backends.offers import added, offers, open_backend, split_spec, weights_of
from phq.detect.backends.protocols import SLOTS
from phq.errors import ConfigError, InputError, PhqError
from phq.photos.contents import photos_of
from phq.photos.decode import PhotoRejectError
from phq.system.arrays import Image

MOST_PHOTOS = 8
"""More find no further faults."""


def listing() -> Iterator[str]:
    """A line for each back end: slot, name, package, licence of its weights or what is missing."""
    default = Models()
    rows = [("slot", "name", "comes with", "weights")]
    for slot in SLOTS:
        own = {name: f"phq[{offer.extra}]" if offer.extra else "phq" for name, offer in offers(slot).items()}
        others = {name: point.value for name, point in added(slot).items() if name not in own}
        for name, source in {**own, **others}.items():
            mark = "*" if getattr(default, slot).partition(":")[0] == name else ""
            rows.append((slot, name + mark, source, _weights(slot, name)))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        yield "   ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[3]])
    yield "*: what the default configuration has"


def _weights(slot: str, name: str) -> str:
    try:
        weights = weights_of(slot, name)
    except PhqError as error:
        return str(error)
    return ", ".join(f"{weight.name} ({weight.licence})" for weight in weights) or "none of its own"


def checked(slot: str, spec: str, source: str) -> Iterator[str]:
    """`phq.detect.backends.conformance.complaints` of the back end that a spec names, on some photos.

    Raises:
        ConfigError: no such slot or spec.
        WeightError: it cannot be loaded.
        MissingExtraError: it cannot be loaded.
        InputError: no photos.
    """
    if slot not in SLOTS:
        raise ConfigError(f"there is no slot {slot!r}; there are: {', '.join(SLOTS)}")
    backend = open_backend(slot, spec)
    if backend is None:
        raise ConfigError(f"{slot} {spec!r} is an empty slot: there is nothing to check")
    yield from complaints(slot, backend, _photos(source), split_spec(spec)[1])


def _photos(source: str) -> list[Image]:
    pictures = []
    for found in photos_of(source):
        try:
            pictures.append(found.decode().pixels)
        except PhotoRejectError:
            continue
        if len(pictures) == MOST_PHOTOS:
            break
    if not pictures:
        raise InputError(f"there is no photo that can be read in {source}")
    return pictures
