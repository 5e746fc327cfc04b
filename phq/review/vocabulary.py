"""What a person can say of a sample, and why it is rejected."""

from __future__ import annotations

from dataclasses import dataclass



@dataclass(frozen=True)
class ReviewReason:
    """A reason that a person gives for a reject."""

    name: str
    """What stands in the column ``reason``."""
    short: str
    """For the page."""
    text: str
    """For the table of reasons."""


REASONS = (
    ReviewReason("review_pose", "body off", "a reviewer saw that the fitted body does not lie on the person"),
    ReviewReason("review_blur", "blurred", "a reviewer saw blur, noise or compression"),
    ReviewReason("review_light", "light", "a reviewer saw too much or too little light"),
    ReviewReason("review_occluded", "occluded", "a reviewer saw head or shoulders hidden"),
    ReviewReason("review_cut", "cut off", "a reviewer saw a head that the picture cuts off"),
    ReviewReason("review_crowded", "others", "a reviewer saw another person in the picture"),
    ReviewReason("review_no_person", "no person", "a reviewer saw no photo of a person: a statue, a drawing, a screen"),
    ReviewReason("review_duplicate", "duplicate", "a reviewer saw the same picture elsewhere in the dataset"),
    ReviewReason("review_other", "other", "a reviewer rejected it for something else"),
)
"""In the order of the keys 1 to 9."""
FLIPPED = ReviewReason("review_flip", "turned round", "a reviewer saw that the label is turned round by 180°")
"""Reason of every sample that is marked `FLIP`; no key chooses it."""
REASON_NAMES = tuple(reason.name for reason in REASONS)
