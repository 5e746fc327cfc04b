"""`annotate_from_predictions`: labels of another program as an overlay. ``phq annotate --predictions`` is this call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from phq.camera.angles import apart_deg as yaw_apart
from phq.camera.rotations import between
from phq.curate.annotate.samples import left_out, samples_to_annotate
from phq.curate.predictions.comparison import Pair, distances, of_record, other_conventions, predicted
from phq.curate.predictions.conventions import KINDS, Convention, Program, parse
from phq.curate.predictions.files import PredictedRow, read_predictions
from phq.curate.predictions.fusion import Fused, Source, estimated, fused, replaced
from phq.curate.predictions.keypoints import decode_keypoints, mean_keypoints, share_of_points
from phq.curate.predictions.labels import (
    COLUMNS,
    attach,
    body_joints,
    columns_of,
    head_scores,
    joints_of,
    state_body,
    state_head,
    state_keypoints,
)
from phq.curate.predictions.matches import Left, Matches, match
from phq.curate.predictions.rotations import EULER, RowError, UnitError, decode_body, decode_head, decode_neck
from phq.curate.predictions.stored_pose import StoredPose
from phq.curate.predictions.suspicion import LEAST_PEOPLE, constant_turn, suspect
from phq.dataset.embedded import EmbeddedLabels
from phq.dataset.overlays import LATEST, local_folder, write_overlay
from phq.dataset.reader import Dataset
from phq.errors import ConfigError, InputError
from phq.people.person import known
from phq.pose.body import Body, load_body
from phq.pose.body_choice import body_entry, open_body
from phq.pose.orient.angles import angles_of
from phq.system.atomic import disk_errors_explained
from phq.system.version import __version__
from phq.weights.licences import Model

FUSE, REPLACE = "fuse", "replace"
MOST_JUDGED = 120
"""Samples by which the convention and the agreement are judged, spread over all."""
UNKNOWN_SIGMA_DEG = 10.0
"""Of records that state no uncertainty."""


@dataclass(frozen=True)
class Predictions:
    """A file of predictions, and what its user says of it."""

    file: str | Path
    kind: str
    """One of `phq.curate.predictions.conventions.KINDS`."""
    convention: str = ""
    """See `phq.curate.predictions.conventions.parse`."""
    mode: str = REPLACE
    """`FUSE` or `REPLACE`."""
    sigma: float | None = None
    """Standard deviation, degrees (of keypoints: pixels); None: a row's own, or estimated from the agreement."""
    source: str = ""
    """Program that made it; by default the one that the convention names."""
    version: str = ""
    licence: str = ""
    trusted: bool = False
    """Take the convention as stated even if the labels say otherwise."""


@dataclass(frozen=True)
class PredictionsResult:
    """The result."""

    name: str
    """Of the overlay."""
    kind: str
    mode: str
    convention: str
    rows: int
    matched: int
    """Samples with new labels."""
    unmatched: int
    """Samples without a row."""
    left: list[Left]
    """Rows that are about no sample, or cannot be used, with the reason."""
    apart: float
    """Median distance from the labels before: degrees of head or torso, per cent of the box for keypoints."""
    sigma: float
    """Standard deviation that was used, degrees or pixels."""
    model: Model
    columns: list[str] = field(default_factory=list)


@disk_errors_explained
def annotate_from_predictions(
    dataset: str | Path,
    name: str,
    predictions: Predictions,
    *,
    revision: str = LATEST,
    where: str | None = None,
    body: str | None = None,
    notify: Callable[[str], object] = lambda _: None,
) -> PredictionsResult:
    """Match rows with samples, check the convention, and write the labels as overlay `name`; nothing before all is
    checked.

    Args:
        dataset: a folder.
        name: of the new overlay.
        predictions: the file.
        revision: that the overlay stands on; ones above it are left out of the new one.
        where: only samples for which this condition holds.
        body: spec of the body that `predictions` speaks of (`phq.pose.body_choice`); then its shape numbers are taken
            too. By default rotations alone are, for the embedded body.
        notify: receives sentences about rows that are not used.

    Raises:
        ConfigError: an unknown kind or convention.
        InputError: the file cannot be read, none of its rows can be used, or the labels say that its convention is
            another one.
        OutputError: the dataset cannot be written, or has got another overlay meanwhile.
        WeightError: see `phq.pose.body_choice.open_body`.
    """
    _check(predictions)
    convention, program = parse(predictions.convention, predictions.kind)
    samples, model = samples_to_annotate(dataset, name, revision, where), _model(predictions, program)
    if line := left_out(samples, name):
        notify(line)
    rows, digest = read_predictions(Path(predictions.file))
    matches = match(rows, samples, head=predictions.kind == "headpose")
    work = _Annotation(samples, predictions, convention, matches, open_body(body) if body else load_body(), bool(body))
    work.program = f"{model.name} {predictions.version}".strip()
    work.leave_unreadable()
    if not matches.pairs:
        lines = "\n".join(matches.sentences())
        raise InputError(f"none of the {len(rows)} rows of {predictions.file} is taken:\n{lines}")
    for line in matches.sentences():
        notify(line)
    if len(work.judged) < LEAST_PEOPLE:
        notify(f"{len(work.judged)} people are too few to check the convention by the labels of the dataset")
    elif not predictions.trusted:
        work.check_convention()
        if line := work.unit_doubt():
            notify(line)
    columns = list(COLUMNS[predictions.kind])
    about = _about(work, model, digest, len(rows))
    folder = local_folder(samples.root, dataset)
    write_overlay(folder, name, work.rows(), columns, about, read=samples.run, base=revision)
    return PredictionsResult(
        name, predictions.kind, predictions.mode, convention.text(), len(rows), work.stated, matches.unmatched,
        matches.left, work.apart, work.source.sigma_deg, model, columns,
    )  # fmt: skip


def _check(predictions: Predictions) -> None:
    if predictions.kind not in KINDS:
        raise ConfigError(f"--as {predictions.kind!r}: there are {', '.join(KINDS)}")
    if predictions.mode not in (FUSE, REPLACE):
        raise ConfigError(f"mode {predictions.mode!r}: there are {FUSE} and {REPLACE}")
    if predictions.sigma is not None and not 0 < predictions.sigma < np.inf:
        raise ConfigError(f"sigma {predictions.sigma}: a standard deviation is a positive number")


def _model(predictions: Predictions, program: Program) -> Model:
    file = Path(predictions.file).name
    title, licence = predictions.source or program.title or file, predictions.licence or program.licence
    return Model(
        title, f"predicted {predictions.kind}", licence or "not stated", f"{file} {predictions.version}".strip()
    )


class _Annotation:
    """The samples of a file's rows, and how they are stated."""

    def __init__(
        self,
        samples: Dataset,
        predictions: Predictions,
        convention: Convention,
        matches: Matches,
        body: Body,
        with_betas: bool,
    ) -> None:
        self.samples, self.predictions, self.convention = samples, predictions, convention
        self.matches, self.body, self.with_betas = matches, body, with_betas
        self.embedded = EmbeddedLabels(samples)
        self.kind = predictions.kind
        self.program = ""
        """For the records: what made the predictions."""
        self.stated = 0

    def leave_unreadable(self) -> None:
        """Leave out rows that are no predictions of this kind, and samples that have no labels to start from.

        Raises:
            InputError: the numbers of the file are in another unit.
        """
        readable = []
        for number, row in self.matches.pairs:
            seen = self._seen(number)
            try:
                if seen is None:
                    raise RowError("its sample has no labels of a body")
                predicted(Pair(seen, row), self.kind, self.convention)
                decode_neck(row)
            except UnitError as error:
                raise InputError(f"{self.predictions.file}, {row.where}: {error}; nothing was written") from error
            except RowError as error:
                self.matches.left.append(Left(row.where, f"rows that are not taken as {self.kind}", str(error)))
                continue
            readable.append((number, row))
        self.matches.unmatched += len(self.matches.pairs) - len(readable)
        self.matches.pairs = readable

    def _seen(self, number: int) -> StoredPose | None:
        row = self.samples[number].row
        embedded = self.embedded.of(row)
        return None if embedded is None else StoredPose.of(row, embedded)

    @cached_property
    def judged(self) -> list[Pair]:
        """Some pairs, spread over all."""
        pairs = self.matches.pairs
        chosen = np.unique(np.linspace(0, len(pairs) - 1, min(len(pairs), MOST_JUDGED)).astype(int))
        found = [(self._seen(pairs[i][0]), pairs[i][1]) for i in chosen]
        return [Pair(seen, row) for seen, row in found if seen is not None]

    @cached_property
    def apart(self) -> float:
        """Median distance between rows and labels."""
        found = distances(self.judged, self.kind, self.convention)
        return float(np.median(found)) if found is not None else 0.0

    def check_convention(self) -> None:
        """Raise where another convention explains the file better.

        Raises:
            InputError: naming it.
        """
        stated = distances(self.judged, self.kind, self.convention)
        if stated is None or len(stated) < LEAST_PEOPLE:
            return
        others = other_conventions(self.judged[0].row, self.kind, self.convention)
        found = suspect(stated, others, lambda other: distances(self.judged, self.kind, other))
        if found is None and self.kind != "keypoints":
            now = np.stack([predicted(pair, self.kind, self.convention) for pair in self.judged])
            found = constant_turn(now, np.stack([of_record(pair.seen, self.kind) for pair in self.judged]))
        if found is not None:
            unit = " %" if self.kind == "keypoints" else "°"
            raise InputError(
                f"the convention looks wrong: with {found.phrase}, {self.predictions.file} is {found.other:.1f}{unit} "
                f"from the labels of {len(self.judged)} people at the median, as stated {found.stated:.1f}{unit}; "
                "nothing was written (--convention states it, --trust-convention takes it as stated)"
            )

    def unit_doubt(self) -> str:
        """A sentence where every angle that is stated in degrees could be one in radians; '' otherwise."""
        rows = [row.numbers for _, row in self.matches.pairs]
        euler = self.kind == "headpose" and not any("rotation" in numbers for numbers in rows)
        if not euler or self.convention.unit != "degrees":
            return ""
        largest = max(float(np.abs(numbers[name]).max()) for numbers in rows for name in EULER)
        if largest > np.pi:
            return ""
        return (
            f"every angle of {len(rows)} people is within ±{largest:.2f}°: if these are radians, --convention radians"
        )

    @cached_property
    def source(self) -> Source:
        """How far the predictions are off."""
        if self.kind == "keypoints":
            return Source(self._of_points[0], 0.0)
        pairs = self.judged
        both = [(predicted(pair, self.kind, self.convention), of_record(pair.seen, self.kind)) for pair in pairs]
        yaws = np.array([[angles_of(rotation)[0] for rotation in two] for two in both])
        own = [self._own(pair.seen) for pair in pairs]
        sigmas, flips = (np.array(values) for values in ([s.sigma_deg for s in own], [s.p_flip for s in own]))
        return estimated(yaw_apart(yaws[:, 0], yaws[:, 1]), sigmas, flips, self.predictions.sigma)

    @cached_property
    def _of_points(self) -> tuple[float, float]:
        """Standard deviation of the keypoints, pixels, and their weight."""
        pairs = [(decode_keypoints(pair.row, self.convention, pair.seen), pair.seen) for pair in self.judged]
        return share_of_points(pairs, self.predictions.sigma)

    def _own(self, seen: StoredPose) -> Source:
        record = known(seen.person.uncertainty)
        return Source(record.yaw_sigma_deg or UNKNOWN_SIGMA_DEG, record.p_flip)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Key and columns of every sample with new labels, in the order of samples."""
        for number, row in self.matches.pairs:
            seen = self._seen(number)
            assert seen is not None
            person = attach(seen)
            self._state(Pair(seen, row))
            columns = columns_of(person, self.kind)
            if columns is None:
                why = known(person.rejected).detail
                self.matches.left.append(Left(row.where, "rows that turn the person out of the stored picture", why))
            else:
                self.stated += 1
                yield {"key": self.samples.keys[number], **columns}

    def _state(self, pair: Pair) -> None:
        if self.kind == "keypoints":
            self._state_keypoints(pair)
        elif self.kind == "headpose":
            head, neck = decode_head(pair.row, self.convention, pair.seen), decode_neck(pair.row)
            joined, source = self._joined(pair, head), self._of_row(pair.row)
            pair.seen.person.head_pose = head_scores(pair.seen, head, neck, self.program, source, joined.share)
            turned = None if neck is None else between(pair.seen.joints[0], neck, joined.share)
            state_head(pair.seen, joined.rotation, load_body(), turned)
        else:
            found = decode_body(pair.row, self.kind, self.convention, pair.seen)
            torso = self._joined(pair, found.torso)
            joints = body_joints(found, joints_of(pair.seen), torso.share)
            betas = found.betas if self.with_betas and found.betas is not None else None
            own = known(pair.seen.person.body).smpl_betas
            state_body(pair.seen, torso, joints, own if betas is None else betas, self.body)

    def _joined(self, pair: Pair, rotation: Any) -> Fused:
        own, before = self._own(pair.seen), of_record(pair.seen, self.kind)
        join = fused if self.predictions.mode == FUSE else replaced
        return join(rotation, before, own, self._of_row(pair.row))

    def _of_row(self, row: PredictedRow) -> Source:
        stated = row.numbers.get("sigma_deg")
        usable = self.predictions.sigma is None and stated is not None and stated.size == 1 and float(stated) > 0
        return replace(self.source, sigma_deg=float(stated)) if usable and stated is not None else self.source

    def _state_keypoints(self, pair: Pair) -> None:
        points = decode_keypoints(pair.row, self.convention, pair.seen)
        box = pair.seen.person.box
        if self.predictions.mode == FUSE and box.has_coco_keypoints:
            points = mean_keypoints(box.coco_keypoints, points, self._of_points[1])
        state_keypoints(pair.seen, points)


def _about(work: _Annotation, model: Model, digest: str, rows: int) -> dict[str, Any]:
    """What the overlay states about its origin."""
    predictions = work.predictions
    models: Sequence[Model] = [model, *([body_entry(work.body)] if work.with_betas else [])]
    return {
        "command": "annotate",
        "version": __version__,
        "stages": ["predictions"],
        "below": work.samples.overlays,
        "predictions": {
            "file": Path(predictions.file).name, "sha256": digest, "kind": predictions.kind, "mode": predictions.mode,
            "convention": work.convention.text(), "source": model.name, "source_version": predictions.version,
            "licence": model.licence, "rows": rows, "matched": len(work.matches.pairs),
            "unmatched": work.matches.unmatched, "left": work.matches.counts(),
            "sigma": round(work.source.sigma_deg, 6), "p_flip": round(work.source.p_flip, 6),
        },
        "models": [vars(entry) for entry in models],
    }  # fmt: skip
