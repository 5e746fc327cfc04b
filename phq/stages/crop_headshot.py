"""Stage: the one-quarter headshot of every person."""

from __future__ import annotations

from phq.align.crop import CropBox, cut
from phq.align.padding import padding_fraction
from phq.camera.convention import VISIBLE_HEIGHT, project
from phq.people import Person, Photo, TorsoFit, living
from phq.pose import template
from phq.system.arrays import Floats


class CropHeadshot:
    """Square crop in which neck, shoulders and head land where the rest-pose template projects."""

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


def crop_box(fit: TorsoFit, cam2world: Floats) -> CropBox:
    """Square of the photo that the normalised camera sees.

    Its side spans `VISIBLE_HEIGHT` template metres, so the fitted head has the template's size; the neck lands where
    the world origin projects. The head's size replaces 360°PHQ's DensePose measurement in this.
    """
    side = fit.px_per_metre * VISIBLE_HEIGHT
    x0, y0 = fit.neck_px - side * project(template.points(("neck",))[0], cam2world)
    return CropBox(float(x0), float(y0), float(side))


def crop_person(person: Person, size: int) -> None:
    """Cut the crop and note where it came from; a crop that misses the photo is a degenerate fit."""
    photo = person.photo
    assert person.fit is not None
    assert photo.pixels is not None
    width, height = photo.fields["image_width"], photo.fields["image_height"]
    box = crop_box(person.fit, person.fields["cam2world"])
    part = box.photo_part(width, height, size)
    person.fields |= {
        "image_size": size,
        "crop_to_source": box.to_source(size),
        "crop_side_px": box.side,
        "source_px_per_px": box.side / size,
        "head_px": person.fit.px_per_metre * (template.HEAD_TOP[1] - template.HEAD[1]),
        "photo_in_crop": part,
        "padding_fraction": padding_fraction(part, size),
    }
    if (part[2] - part[0]) < 1 or (part[3] - part[1]) < 1:
        person.reject("degenerate_pose", "the fitted headshot lies outside the photo")
        return
    person.crop = cut(photo.pixels, box, size)
