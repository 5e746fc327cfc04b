"""Groups of labels that can be annotated again: stages of the pipeline, and the columns that each writes.

Order and content of the stages are those of `phq.stages.pipeline.stages`; this is the one place that groups them.
Columns of no group are fixed by the shards: the picture, where it was cut, its mask, the person's box and the photo.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from phq.dataset.embedded import BODY_COLUMNS
from phq.errors import ConfigError
from phq.schema import DECISION

UNCERTAINTY = ("p_flip", "yaw_sigma_deg", "head_outside", "hand_on_head")
"""Stated again with every group that they follow from; pure functions of the record."""


@dataclass(frozen=True)
class Group:
    """Stages that are chosen together."""

    name: str
    stages: tuple[str, ...]
    """Names in `phq.stages.pipeline.stages`."""
    columns: tuple[str, ...]
    """Columns of `phq.schema.Row` that the group writes."""
    slots: tuple[str, ...] = ()
    """Where its networks stand, as `phq.stages.pipeline.weights_used` calls it."""
    also: tuple[tuple[str, str], ...] = ()
    """Groups that have to come with it, and why."""


GROUPS = (
    Group(
        "keypoints",
        ("keypoints",),
        ("keypoints_2d", "keypoints_3d", "keypoints_visibility", "pose_presence"),
        slots=("landmarks",),
    ),
    Group(
        "pose",
        ("pose", "orient", "fit", "headpose"),
        (
            "pass_disagreement_deg", "flip_disagreement_deg", "orientation_p_flip", "orientation_sigma_deg",
            "orientation_yaw_deg",
            "reprojection_error", "hypothesis_margin", *UNCERTAINTY,
        ),
        slots=("orientation", "body", "headpose"),
        also=(
            ("keypoints", "the three runs of the landmark network are not stored"),
            ("camera", "the fitted body is stored as camera and joint angles"),
        ),
    ),
    Group(
        "face",
        ("face", "store_face"),
        ("face_found", "face_score", "face_box", "face_points", "face_pixelation", *UNCERTAINTY),
        slots=("face",),
        also=(("identity", "an embedding is of the face that was found"),),
    ),
    Group(
        "identity",
        ("identity",),
        ("face_embedding", "face_network"),
        slots=("identity",),
        also=(("decisions", "samples of one face are grouped with them"),),
    ),
    Group(
        "camera",
        ("camera",),
        (
            *BODY_COLUMNS,
            "camera_convention", "cam2world", "intrinsics", "camera_yaw_deg", "camera_pitch_deg", "camera_roll_deg",
            "head_yaw_deg", "head_pitch_deg", "head_roll_deg", "head_px", *UNCERTAINTY,
        ),
    ),
    Group(
        "quality",
        ("score",),
        (
            "blur", "laplacian_var", "luminance", "underexposed", "overexposed", "niqe", "blockiness",
            "noise", "phash", "phash_mirror", "appearance",
            *UNCERTAINTY,
        ),
        also=(("decisions", "they follow from the scores"),),
    ),
    Group(
        "decisions",
        (),
        DECISION,
    ),
)  # fmt: skip
BY_NAME = {group.name: group for group in GROUPS}
BODY = Group("body", ("body",), BODY_COLUMNS)
"""The labels that are there, for another body (`phq.curate.annotate.bodies`); for itself, since it starts from the
fit that the dataset has."""

FIXED = ("read", "provenance", "detect", "gate", "turn", "crop", "mask", "encode")
"""Stages whose results are the bytes and boxes of the shards."""


@dataclass(frozen=True)
class Selection:
    """Groups to run, in the order of the pipeline."""

    groups: tuple[Group, ...]
    lines: tuple[str, ...] = ()
    """A sentence for each group that was not asked for and comes along."""

    @property
    def names(self) -> list[str]:
        """Names of the groups."""
        return [group.name for group in self.groups]

    @property
    def stages(self) -> list[str]:
        """Names of the pipeline's stages that run."""
        return [stage for group in self.groups for stage in group.stages]

    @property
    def columns(self) -> list[str]:
        """Columns that the stages write, each once; decisions are taken afterwards and are not among them."""
        found = [column for group in self.groups if group.stages for column in group.columns]
        return list(dict.fromkeys(found))

    @property
    def photo_pixels(self) -> bool:
        """A stage looks at the photo."""
        return not {"keypoints", "face", "identity"}.isdisjoint(self.names)

    @property
    def crop_pixels(self) -> bool:
        """A stage looks at the stored picture."""
        return "quality" in self.names

    @property
    def pixels(self) -> bool:
        """A stage looks at any picture."""
        return self.photo_pixels or self.crop_pixels

    @property
    def body(self) -> bool:
        """The body model takes part."""
        return bool({"camera", "body"} & set(self.names))

    @property
    def slots(self) -> set[str]:
        """Where networks are run."""
        return {slot for group in self.groups for slot in group.slots}


def select(names: Sequence[str] | None, body: str | None = None) -> Selection:
    """Groups by name with all that has to come along; every group if `names` is None.

    Args:
        body: the word of a body, for which the labels that are there are to be stated: then nothing else is done.

    Raises:
        ConfigError: no name at all, or one that is no group; stages beside a body.
    """
    if body is not None:
        if names is not None:
            raise ConfigError("--body states the labels that are there for another body, and runs no stages; annotate "
                              "first with --groups, then again with --body")  # fmt: skip
        return Selection((BODY,))
    if names is None:
        return Selection(GROUPS)
    asked = [_known(name) for name in names]
    if not asked:
        raise ConfigError(f"no groups are named; there are: {', '.join(BY_NAME)}")
    added = dict(_coming_along(asked))
    lines = tuple(f"{name} is annotated again too: {why}" for name, why in added.items())
    return Selection(tuple(g for g in GROUPS if g.name in {*asked, *added}), lines)


def _coming_along(asked: list[str]) -> Iterator[tuple[str, str]]:
    for name in asked:
        for other, why in BY_NAME[name].also:
            if other not in asked:
                yield other, f"{name} needs it, {why}"


def _known(name: str) -> str:
    if name in BY_NAME:
        return name
    if name in FIXED:
        raise ConfigError(f"{name} cannot be annotated again: what it makes is stored in the shards; build anew")
    near = difflib.get_close_matches(name, BY_NAME, n=1)
    guess = f"did you mean {near[0]}?" if near else f"there are: {', '.join(BY_NAME)}"
    raise ConfigError(f"unknown stage {name!r}; {guess}")
