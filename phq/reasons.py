"""The one table of reasons: every name that can stand in the column ``reason``, and every threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Reason:
    """A reason that needs no threshold."""

    name: str
    about: Literal["photo", "person"]
    text: str


@dataclass(frozen=True)
class Rule:
    """A threshold that can be set, as ``NAME.min`` or ``NAME.max``, and the reason for crossing it."""

    name: str
    score: str
    """Field of `phq.schema.Sample`, or one that follows from others; see `phq.decisions.rules.scores_of`."""
    side: Literal["min", "max"]
    reason: str
    text: str
    """What the score is, in words that fit before "is 3"."""
    stated: bool = False
    """Whether somebody stated the score, and nothing measured it: it is either enough or not, and never nearly so."""

    @property
    def address(self) -> str:
        """Name of the threshold in a configuration file and in ``--set``."""
        return f"{self.name}.{self.side}"

    @property
    def meaning(self) -> str:
        """One line: what is rejected, and as what."""
        compared = "less" if self.side == "min" else "more"
        return f"{self.reason}, {compared} than this: {self.text}"


@dataclass(frozen=True)
class ReviewReason:
    """A reason that a person gives for a reject."""

    name: str
    """What stands in the column ``reason``."""
    short: str
    """For the page."""
    text: str
    """For the table of reasons."""


REVIEW_REASONS = (
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
REVIEW_REASON_NAMES = tuple(reason.name for reason in REVIEW_REASONS)

REASONS = (
    Reason("missing_file", "photo", "a listed file is not there"),
    Reason("unreadable", "photo", "the file cannot be opened or read (permission, a broken disk or link)"),
    Reason("is_empty", "photo", "the file has no bytes"),
    Reason("not_an_image", "photo", "the content is that of no image format, whatever the name says"),
    Reason("unsupported_format", "photo", "an image format that is not read (camera raw, SVG…)"),
    Reason("unsupported_colour", "photo", "its stated colour is not converted: HDR (PQ, HLG), unknown code points"),
    Reason("decoder_missing", "photo", "the format is read once an optional package is installed"),
    Reason("truncated", "photo", "the file ends before the image does"),
    Reason("corrupt", "photo", "the image data cannot be decoded"),
    Reason("too_many_pixels", "photo", "more pixels than read.max_pixels"),
    Reason("file_too_large", "photo", "more bytes than any photo of the allowed size has"),
    Reason("too_small", "photo", "too few pixels to hold a person"),
    Reason("animated", "photo", "an animation, not a photo"),
    Reason("multi_page", "photo", "several pages or images in one file"),
    Reason("no_person", "photo", "no detector found a person, or the landmark network sees none in a box"),
    Reason("internal_error", "photo", "a fault in phq itself; the detail is worth a report"),
    Reason("crashed_worker", "photo", "three worker processes died of it one after the other"),
    Reason("timed_out", "photo", "it takes longer than the time that --photo-timeout gives a photo"),
    Reason("no_landmarks", "person", "the landmark network gave no usable numbers"),
    Reason("degenerate_pose", "person", "the landmarks span no body frame (all in a point or on a line)"),
    Reason("exact_duplicate", "person", "the same photo bytes, or the same stored image, occur earlier"),
    Reason("duplicate", "person", "the stored image or its mirror image looks like a better sample"),
    Reason("same_scene", "person", "the same person in the same scene is in a better sample (duplicates.scene)"),
    *(Reason(reason.name, "person", reason.text) for reason in (*REVIEW_REASONS, FLIPPED)),
)

RULES = (
    Rule(
        "consent", "consent_level", "min", "no_consent",
        "consent as stated (1 yes, 0.5 limited, 0 unknown, -1 no)", stated=True,
    ),
    Rule("box", "box_px", "min", "box_too_small", "shorter side of the person's box in photo pixels"),
    Rule("detection", "detection_score", "min", "low_detection", "best score of any person detector"),
    Rule("detector", "detector_score", "min", "low_detector", "score of the network that finds boxes"),
    Rule("skeleton", "skeleton_score", "min", "low_skeleton", "score of the skeleton network"),
    Rule("presence", "pose_presence", "min", "low_presence", "the landmark network's confidence in a person"),
    Rule("resolution", "source_px_per_px", "min", "low_resolution", "photo pixels per stored pixel"),
    Rule("side", "crop_side_px", "min", "crop_too_small", "side of the crop in photo pixels"),
    Rule("head", "head_px", "min", "head_too_small", "height of the head in photo pixels"),
    Rule("padding", "padding_fraction", "max", "too_much_padding", "fraction of the crop beyond the photo"),
    Rule("mask", "mask_fraction", "min", "mask_too_small", "fraction of the crop inside the mask"),
    Rule("mask", "mask_fraction", "max", "mask_too_large", "fraction of the crop inside the mask"),
    Rule("mask_confidence", "mask_confidence", "min", "mask_uncertain", "mean certainty of the mask"),
    Rule("others", "others_in_crop", "max", "crowded", "fraction of the crop in other people's boxes"),
    Rule("occlusion", "occluded_fraction", "max", "occluded", "fraction of head and shoulders behind another person"),
    Rule(
        "pixelation",
        "face_pixelation",
        "max",
        "face_pixelated",
        "how clearly a grid of flat squares hides the face",
    ),
    Rule("second_face", "second_face", "max", "two_faces", "score of a second face inside the person's mask"),
    Rule("cut", "head_outside", "max", "head_cut_off", "fraction of the head beyond the photo"),
    Rule("hand", "hand_on_head", "max", "hand_before_head", "how far an own hand lies before the head"),
    Rule("blur", "blur", "min", "blurred", "sharpness of the person"),
    Rule("laplacian", "laplacian_var", "min", "low_laplacian", "variance of the Laplacian"),
    Rule("luminance", "luminance", "min", "too_dark", "mean luminance of the person"),
    Rule("luminance", "luminance", "max", "too_bright", "mean luminance of the person"),
    Rule("underexposed", "underexposed", "max", "underexposed", "fraction of the person crushed to black"),
    Rule("overexposed", "overexposed", "max", "overexposed", "fraction of the person blown to white"),
    Rule("noise", "noise", "max", "noisy", "standard deviation of the noise in grey levels"),
    Rule("niqe", "niqe", "max", "unnatural", "distance from the statistics of good photographs (NIQE)"),
    Rule("blocks", "blockiness", "max", "compressed", "strength of the blocks of compression"),
    Rule("reprojection", "reprojection_error", "max", "bad_fit", "reprojection error in head sizes"),
    Rule("hypotheses", "hypothesis_margin", "min", "ambiguous", "lead of the best hypothesis of the fit"),
    Rule("passes", "pass_disagreement_deg", "max", "unstable_pose", "degrees of yaw between two passes"),
    Rule("mirror", "flip_disagreement_deg", "max", "mirror_unstable", "degrees of yaw to the mirror image"),
    Rule("flip", "p_flip", "max", "flip_risk", "probability that front and back are confused"),
    Rule("sigma", "yaw_sigma_deg", "max", "yaw_uncertain", "standard deviation of the torso's yaw in degrees"),
    Rule("face", "face_score", "min", "no_face", "score of the face (0 on every back view)"),
)  # fmt: skip

SCORES = tuple(dict.fromkeys(rule.score for rule in RULES if not rule.stated))
"""Measured scores with a threshold."""
STORED_SCORES = tuple(score for score in SCORES if score != "box_px")
"""Those that are columns; ``box_px`` follows from the person's box."""
RULE_BY_ADDRESS = {rule.address: rule for rule in RULES}


def reason_names() -> frozenset[str]:
    """Every name that can stand in the column ``reason`` of ``rejects.parquet``."""
    return frozenset(reason.name for reason in REASONS) | {rule.reason for rule in RULES}


def reasons_markdown() -> str:
    """The tables of reasons as Markdown, for the documentation: of photos, of people, of thresholds."""
    lines: list[str] = []
    for about in ("photo", "person"):
        lines += [f"reason of a {about} | rejected when", "---|---"]
        lines += [f"`{r.name}` | {r.text}" for r in REASONS if r.about == about]
        lines += [""]
    lines += ["reason of a person | threshold | rejected when", "---|---|---"]
    for rule in RULES:
        compared = "low" if rule.side == "min" else "high"
        lines.append(f"`{rule.reason}` | `{rule.address}` | `{rule.score}` too {compared}: {rule.text}")
    return "\n".join(lines) + "\n"
