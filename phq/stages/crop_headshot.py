"""Stage: the one-quarter headshot of every person."""

from __future__ import annotations

from dataclasses import replace

from phq.align.crop import crop_box, crop_frame, cut
from phq.people.person import Person, Photo, known, living
from phq.quality.hashes import photo_phash


class CropHeadshot:
    """Square crop in which neck, shoulders and head land where the rest-pose template projects.

    The photo that it is cut from gets its hash here, as nothing later sees the whole photo.
    """

    name = "crop"

    def __init__(self, size: int) -> None:
        self.size = size

    def setup(self) -> None:
        """Nothing to load."""

    def process(self, photos: list[Photo]) -> None:
        """Every person that has a camera."""
        for person in living(photos):
            if person.fit is not None:
                crop_person(person, self.size)
                if not person.photo.source.photo_phash:
                    person.photo.source = replace(
                        person.photo.source, photo_phash=photo_phash(known(person.photo.pixels))
                    )


def crop_person(person: Person, size: int) -> None:
    """Cut the crop and record its place; a crop that misses the photo is a degenerate fit."""
    fit, photo = known(person.fit), person.photo
    box = crop_box(fit, known(person.camera).cam2world)
    person.frame = crop_frame(box, fit, photo.source.size, size)
    x0, y0, x1, y1 = person.frame.photo_in_crop
    if x1 - x0 < 1 or y1 - y0 < 1:
        person.reject("degenerate_pose", "the fitted headshot lies outside the photo")
        return
    person.crop = cut(known(photo.pixels), box, size)
