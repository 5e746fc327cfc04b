"""`find_person`: the samples that may show the person of a photo, by face and by body, for a takedown.

The photo goes through the pipeline like any other, and is compared with every sample as a build compares samples: the
same picture (`phq.decisions.signs`), the same face, the same person in the same scene (`phq.decisions.scenes`), which
is how views from behind are found. Nothing is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phq.config.build import Config, load_config, stored_config
from phq.dataset.item import Item
from phq.dataset.reader import Dataset
from phq.dataset.tables import rows_table
from phq.dataset.whole_columns import columns
from phq.decisions.colour_grid import coarse
from phq.decisions.copies import Photos
from phq.decisions.duplicates import POINTS
from phq.decisions.groups import PROPORTION
from phq.decisions.hamming import Words, distance
from phq.decisions.likeness import FACE, LIKENESS, compact
from phq.decisions.numbered import lists, numbered, words
from phq.decisions.scenes import Seen
from phq.decisions.signs import NUMBERS as POINT_NUMBERS
from phq.decisions.signs import Signs
from phq.detect.backends.offers import network_id, open_backend, same_face
from phq.detect.backends.protocols import IdentityNetwork
from phq.detect.boxes import iou
from phq.detect.face_crop import HALF, embedding_to_text
from phq.errors import ConfigError, InputError, MissingExtraError, RejectError, WeightError
from phq.people.person import Face
from phq.photos.discover import Found
from phq.quality.appearance import NUMBERS as LOOK_NUMBERS
from phq.quality.appearance import REGIONS
from phq.schema import BOX, Sample
from phq.stages.annotator import Annotator
from phq.system.arrays import Floats, Ints
from phq.system.bars import bar

EMBEDDED = "faceres"
"""Identity network for datasets that were built without one, or with one that is not on this machine."""
FACE_COLUMNS = ("face_found", "face_score", "face_box", "face_points", "shard")
WHY = ("same photo", "same picture", "same face", "same scene", "same name", "similar face")
"""Why a sample is listed, the surest first: it is of the very photo; the stored picture is a copy; the face; colours,
proportions and background; the stated identity of a sample that is listed for another reason. A similar face is that of
the same person or of another: somebody has to look."""
NEARLY = 0.1
"""How far below the least cosine a face is still listed as similar; docs/swap-networks.md has how many pairs of one and
of two people are there."""
SAME_BOX = 0.5
"""Least intersection over union of two boxes of one person in the same photo."""
MOST = 20
"""Similar faces that are printed."""
LINKED = {"duplicate_group": "same picture", "scene_group": "same scene", "identity": "same name"}
"""Columns by which the dataset groups samples itself, and the reason that each stands for. ``identity_group`` is not
among them: faces that others link may be of many people (docs/swap-networks.md)."""


@dataclass(frozen=True)
class Alike:
    """A sample that may show the person."""

    key: str
    why: str
    """One of `WHY`."""
    likeness: float | None
    """Cosine of the face embeddings, which is 1 for the same; None where one of the two shows no face."""
    bits: int
    """Bits of 64 in which the perceptual hashes differ, plain or mirrored."""
    source_path: str
    """Photo of the sample, as recorded."""

    @property
    def sure(self) -> bool:
        """Whether it is taken for the same person, and not only similar."""
        return self.why != WHY[-1]


@dataclass(frozen=True)
class PersonFound:
    """The result of a search."""

    alike: tuple[Alike, ...]
    """The surest first."""
    least: float
    """Cosine from which two faces were taken for one person's."""
    faceless: int
    """Samples with a face of which neither a picture nor an embedding is stored, as of most rejects: they were compared
    by picture, scene and name alone."""
    uncompared: int
    """Records of people rejected before they were cropped: nothing is there to compare."""
    of_photo: int
    """Those of them that are of the very photo."""

    @property
    def sure(self) -> list[Alike]:
        """Those taken for the person."""
        return [one for one in self.alike if one.sure]

    @property
    def similar(self) -> list[Alike]:
        """Those that somebody has to look at."""
        return [one for one in self.alike if not one.sure]


@dataclass(frozen=True)
class _Network:
    """The identity network that all faces are compared by."""

    spec: str
    name: str
    """As ``face_network`` states it."""
    least: float
    """Cosine from which two faces are one person's."""


def find_person(
    dataset: str | Path, photo: str | Path, *, person: int | None = None, least: float | None = None, quiet: bool = True
) -> PersonFound:
    """Samples, kept and rejected, that may show the person of a photo.

    Face embeddings are those that the dataset stores; where it has none of the network that is used, they are made of
    the stored pictures. The network is the dataset's own (``models.identity``) if it is on this machine, else the
    embedded one.

    Args:
        dataset: folder or URL of a dataset.
        photo: a photo of the person, any file that a build reads.
        person: number of the person in the photo, from 0, left to right; None if there is only one.
        least: least cosine of two faces of one person, by default ``identity.same`` of the dataset or the network; from
            `NEARLY` below it on, faces are listed as similar.
        quiet: no progress bar.

    Raises:
        InputError: no dataset, the photo cannot be used, has several people and none is named, or no such person.
    """
    every = Dataset(dataset, rejects=True)
    samples = every.filter("key <> ''")
    config = _config(samples)
    network = _network(config, least)
    models = config.models.model_copy(update={"identity": network.spec})
    wanted, digest = _person(Path(photo), config.model_copy(update={"models": models}), person)
    needed = tuple(dict.fromkeys((*LIKENESS, *LINKED, *FACE_COLUMNS)))
    table = _with_faces(columns(samples, needed), samples, network, quiet)
    everyone = pa.concat_tables([_row(wanted, digest, table.schema), table]).drop_columns(list(FACE_COLUMNS))
    alike = tuple(sorted(_alike(compact(everyone), network, config), key=_order))
    return PersonFound(alike, network.least, _faceless(table, network), *_uncompared(every, digest))


def _faceless(table: pa.Table, network: _Network) -> int:
    compared = pc.equal(pc.fill_null(table["face_network"], ""), network.name)
    return _count(pc.and_not(pc.fill_null(table["face_found"], False), compared))


def _uncompared(every: Dataset, digest: str) -> tuple[int, int]:
    """Records of people without a key, and those of them of the photo with this sha256."""
    table = every.columns(["key", "box_x0", "source_sha256"])
    bare = pc.equal(pc.fill_null(table["key"], ""), "")
    people = pc.and_(bare, pc.is_valid(table["box_x0"]))
    of_photo = pc.and_(bare, pc.fill_null(pc.equal(table["source_sha256"], digest), False))
    return _count(people), _count(of_photo)


def _count(rows: pa.ChunkedArray) -> int:
    return int(pc.sum(rows).as_py() or 0)


def _config(samples: Dataset) -> Config:
    """Configuration of the dataset; one that rejects nothing where it states none."""
    stated = samples.run.get("config")
    try:
        config = stored_config(stated) if isinstance(stated, dict) else load_config("everything")
    except ConfigError:  # of an imported or an older dataset
        config = load_config("everything")
    return config.storing_all()


def _network(config: Config, least: float | None) -> _Network:
    for spec in (config.models.identity, EMBEDDED):
        if spec != "none":
            try:
                name = network_id("identity", spec)
            except (ConfigError, MissingExtraError, WeightError):
                continue
            return _Network(spec, name, same_face(name, config.identity.same) if least is None else least)
    raise AssertionError("the embedded network is always there")


def _person(photo: Path, config: Config, number: int | None) -> tuple[Sample, str]:
    """The record of a person in a photo, and the sha256 of the photo's bytes."""
    found = Found(photo, photo.name)
    try:
        pixels = found.decode(config.read.max_pixels, config.read.background).pixels
        people = [one.sample for one in Annotator(config).annotate(pixels, name=photo.name)]
    except RejectError as error:
        raise InputError(f"{photo} cannot be compared: {error}") from error
    if number is None and len(people) > 1:
        raise InputError(f"{photo} shows {len(people)} people: name one with --person, from 0, left to right")
    wanted = [one for one in people if one.person_index == (number if number is not None else one.person_index)]
    if not wanted:
        there = ", ".join(str(one.person_index) for one in people)
        raise InputError(f"{photo} has no person {number}; it has {there}")
    return wanted[0], found.sha256()


def _row(sample: Sample, digest: str, schema: pa.Schema) -> pa.Table:
    """A table of one row that looks like those of a dataset; `digest` is the sha256 of the photo."""
    fields = sample.model_dump() | {"source_sha256": digest}
    known = {name: fields[name] for name in schema.names if name in fields}
    return rows_table([known | {"shard": ""}], schema.names).cast(schema)


def _with_faces(table: pa.Table, samples: Dataset, network: _Network, quiet: bool) -> pa.Table:
    """The table with an embedding of the network wherever a stored picture shows a face."""
    texts, names = table["face_embedding"].to_pylist(), table["face_network"].to_pylist()
    seen = zip(table["face_found"].to_pylist(), table["shard"].to_pylist(), names, strict=True)
    missing = [n for n, (face, shard, name) in enumerate(seen) if face and shard and name != network.name]
    if missing:
        backend: IdentityNetwork = open_backend("identity", network.spec)
        for number in bar(missing, desc="faces", unit="face", quiet=quiet):
            texts[number] = _embedded(backend, samples[number], table.slice(number, 1).to_pylist()[0])
            names[number] = network.name if texts[number] else ""
    for name, values in (("face_embedding", texts), ("face_network", names)):
        index = table.schema.get_field_index(name)
        table = table.set_column(index, table.schema.field(index), pa.array(values, pa.string()))
    return table


def _embedded(backend: IdentityNetwork, item: Item, row: dict[str, Any]) -> str:
    face = Face(row["face_score"], np.array(row["face_box"]), np.reshape(row["face_points"], (-1, 2)))
    try:
        return embedding_to_text(backend.embed(item.image, face))
    except ValueError:  # a face without a direction
        return ""


def _alike(table: pa.Table, network: _Network, config: Config) -> Iterator[Alike]:
    """Every row that may show the person of the first.

    Args:
        table: `COMPARED`, `COMPACT` and `LINKED` of the person who is looked for, then of every sample.
        network: of the faces that are compared.
        config: what counts as a duplicate.
    """
    rows = np.arange(len(table))
    first = np.zeros_like(rows)
    plain, mirrors = words(table["phash"]), words(table["phash_mirror"])
    bits = distance(plain, mirrors, plain[0], mirrors[0]).astype(np.int64)
    cosines = _cosines(table, network)
    looks = lists(table["appearance"], LOOK_NUMBERS)
    signs = Signs.of(looks, lists(table[POINTS], POINT_NUMBERS))
    copies = (bits <= config.duplicates.bits) & (
        signs.agree(first, rows, bits, False) | signs.agree(first, rows, bits, True)
    )
    copies |= Photos.of(table, numbered(table["source_sha256"])).copied(first, rows, signs) >= 0
    boxes = np.column_stack([np.asarray(pc.fill_null(table[name], 0.0)) for name in BOX])
    photos = np.asarray(pc.equal(table["source_sha256"], table["source_sha256"][0]))
    photos &= copies | (iou(boxes, boxes[:1])[:, 0] >= SAME_BOX)
    scenes = np.isfinite(_seen(table, looks, plain, mirrors).apart(first, rows))
    why = np.select([photos, copies, cosines >= network.least, scenes], [0, 1, 2, 3], len(WHY))
    why = _with_linked(why, table)
    why[(why == len(WHY)) & (cosines >= network.least - NEARLY)] = len(WHY) - 1
    keys, paths = table["key"].to_pylist(), table["source_path"].to_pylist()
    for row in np.flatnonzero(why[1:] < len(WHY)) + 1:
        likeness = None if np.isnan(cosines[row]) else round(float(cosines[row]), 4)
        yield Alike(keys[row], WHY[why[row]], likeness, int(bits[row]), paths[row])


def _seen(table: pa.Table, looks: Floats, plain: Words, mirrors: Words) -> Seen:
    """The rows as scenes compare them."""
    by_region = looks.reshape(-1, len(REGIONS), 6)
    return Seen(
        np.arange(len(table)), coarse(by_region), table[PROPORTION].to_numpy(), plain, mirrors,
        numbered(table["source_sha256"]), numbered(table["identity"]), by_region, None,
    )  # fmt: skip


def _with_linked(why: Ints, table: pa.Table) -> Ints:
    """(N,) with the rows added that the dataset groups with one of those found: by picture, by scene, by name."""
    for name, reason in LINKED.items():
        values = np.array(pc.fill_null(table[name], "").to_pylist(), object)
        theirs = set(values[why < len(WHY)].tolist()) - {""}
        linked = np.array([value in theirs for value in values.tolist()])
        why = np.where(linked, np.minimum(why, WHY.index(reason)), why)
    return why


def _cosines(table: pa.Table, network: _Network) -> Floats:
    """(N,) cosine of each row's embedding with the first's; NaN where one has none of this network."""
    faces, names = table[FACE].to_pylist(), table["face_network"].to_pylist()
    found = np.full(len(faces), np.nan)
    if not faces[0]:
        return found
    first = _unit(faces[0])
    for row, (face, name) in enumerate(zip(faces, names, strict=True)):
        if face and name == network.name:
            found[row] = _unit(face).dot(first)
    return found


def _unit(face: bytes) -> Floats:
    vector = np.frombuffer(face, HALF).astype(np.float32)
    return np.asarray(vector / np.sqrt(vector.dot(vector)))


def _order(found: Alike) -> tuple[int, float, int, str]:
    return WHY.index(found.why), -(found.likeness or -1.0), found.bits, found.key


def lines(found: PersonFound) -> Iterator[str]:
    """What was found, as text: a line for each sample, how many for which reason, and what was not compared."""
    sure, similar = found.sure, found.similar
    if not sure:
        yield "no sample shows this person, as far as face, picture and scene tell"
    if found.alike:
        yield f"{'key':<16}  {'why':<12}  {'face':>5}  {'bits':>4}  photo"
    for one in (*sure, *similar[:MOST]):
        face = "" if one.likeness is None else f"{one.likeness:.2f}"
        yield f"{one.key:<16}  {one.why:<12}  {face:>5}  {one.bits:4d}  {one.source_path}"
    counts = Counter(one.why for one in found.alike)
    if sure:
        yield f"samples {len(sure)}: " + ", ".join(f"{counts[why]} {why}" for why in WHY[:-1] if counts[why])
    if similar:
        yield (f"similar faces {len(similar)}, below {found.least:.2f}: somebody has to look; they stay, and "
               "--least COSINE takes those from there on")  # fmt: skip
    if found.faceless:
        yield (f"{found.faceless} samples, most of them rejects, have a face but neither a stored picture nor its "
               "embedding: they were compared by picture and scene alone")  # fmt: skip
    if found.uncompared:
        yield f"{found.uncompared} people were rejected before they were cropped: nothing of them can be compared"
    if found.of_photo:
        yield f"{found.of_photo} records of this very photo have no key: --source PHOTO, not --like, removes them"
