"""The first stage of an annotation: a record and the picture it speaks of."""

from __future__ import annotations

from phq.config.build import Read
from phq.curate.annotate.groups import Selection
from phq.curate.annotate.stage_outputs import restored_face, restored_fit
from phq.curate.annotate.views import (
    CROP,
    RAW,
    RECORD,
    StoredPerson,
    StoredPhoto,
    View,
    bystanders,
    crop_view,
    cut_again,
    person_in,
    raw_view,
    view_of,
)
from phq.dataset.embedded import EmbeddedLabels
from phq.dataset.item import Item
from phq.dataset.reader import Dataset
from phq.people.person import Person, Photo
from phq.people.record import BodyLabel
from phq.photos.decode import Decoded, PhotoRejectError
from phq.pose.body import load_body
from phq.schema import Fields


class ReadStored:
    """Gives every stored person a view, and the parts of the record."""

    name = "read"

    def __init__(self, dataset: Dataset, read: Read, selection: Selection) -> None:
        self.dataset = dataset
        self.read = read
        self.selection = selection
        self.embedded = EmbeddedLabels(dataset)

    def setup(self) -> None:
        """Nothing to load."""

    def process(self, photos: list[Photo]) -> None:
        """Every `StoredPhoto`; where its file cannot be decoded the stored crops stand in."""
        for photo in photos:
            assert isinstance(photo, StoredPhoto)
            decoded = self._decoded(photo)
            people = [self._person(self.dataset[number], decoded) for number in photo.samples]
            for person in people:
                if person.view.kind == RAW:
                    person.view.people = bystanders(person, photo.boxes)
            photo.people = list[Person](people)

    def _decoded(self, photo: StoredPhoto) -> Decoded | None:
        if not photo.found or photo.rejected is not None:
            return None
        try:
            return photo.decode(self.read.max_pixels, self.read.background)
        except PhotoRejectError:
            return None

    def _person(self, item: Item, decoded: Decoded | None) -> StoredPerson:
        row = item.row
        view = self._view(item, row, decoded)
        person = person_in(row, view)
        if row["body_model"] != load_body().name:  # the stages know the embedded body alone: its labels replace these
            person.body = BodyLabel.of(row | (self.embedded.of(row) or {}))
        if self.selection.crop_pixels:
            person.crop = cut_again(row, view.pixels) if view.kind == RAW and view.pixels is not None else item.image
            person.crop_mask = item.mask
        if "pose" not in self.selection.names:
            person.fit = person.start = restored_fit(person)
        if "face" not in self.selection.names:
            person.face = restored_face(person)
        return person

    def _view(self, item: Item, row: Fields, decoded: Decoded | None) -> View:
        raw = raw_view(row, decoded) if decoded else None
        if raw is not None:
            return raw
        if self.selection.photo_pixels:
            return crop_view(row, item.image)
        return view_of(row, CROP if self.selection.crop_pixels else RECORD)
