"""The one table of violations: every name that `phq verify` can print, what it means, and what repair does about it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Kind:
    """A way in which a dataset can break the format."""

    name: str
    text: str
    """When it is found."""
    repair: str = ""
    """What `phq.curate.verify.repair` does about it, '' for nothing."""
    advice: str = ""
    """What a person can do where there is no repair."""

    @property
    def command(self) -> str:
        """The command that its advice begins with, without the program; '' if none."""
        found = re.match(r"`phq ([^`]*)`", self.advice)
        return found[1] if found else ""


@dataclass(frozen=True)
class Violation:
    """One breach, and where."""

    kind: str
    file: str
    """Path inside the dataset of the shard the sample lies in, or of the table or file at fault."""
    key: str = ""
    """The sample, '' if it is about the file as a whole."""
    detail: str = ""

    def __str__(self) -> str:
        return "  ".join(part for part in (self.kind, self.file, self.key, self.detail) if part)


_COPY = "restore or rebuild it"
_SAMPLE = "restore the shard, or `phq redact` the sample"
_ONE = "remove one of them with `phq redact`"
_PLACES = "the places are read again from the shards"
_REBUILT = "rebuilt from the shards, if jsons and run.json are whole"
_LAYOUT = "written again, if the manifest locates the members"
_JSON = "written again from the manifest, if that gives the same number of bytes"
_VALUE = "in the manifest: from the json"
_WITNESS = "whichever of them croissant.json has the checksum of decides"
_FOLDER = "that of the shard's folder"
_OVERLAY = "unlist it in run.json, then `phq annotate`"
_AGAIN = "`phq annotate` the sample again, or `phq redact` it"

KINDS = (
    # the folder
    Kind("journal_left", "a change of the dataset was interrupted", "it is carried out or dropped"),
    Kind("leftover", "an interrupted run left a `*.tmp` or the work folder of a finished build", "removed"),
    # shards as files
    Kind("shard_missing", "a shard that the manifest names is not there", "", _COPY),
    Kind("shard_unreadable", "disk or permission do not let a shard be read", "", _COPY),
    Kind("shard_name", "a tar beside the shards has no shard's name; readers take it for one", "", "move it away"),
    Kind("shard_numbering", "the numbers of a split's shards are not 0, 1, 2, …", "", _COPY),
    Kind("shard_too_large", "a shard has over 4,096 samples, or over 1 GiB with more than one", "", "`phq bake`"),
    Kind("shards_too_few", "a split has fewer than 8 shards, and fewer than samples", "", "`phq bake`"),
    Kind("shard_truncated", "the shard ends before a member does", "", _COPY),
    Kind("header_damaged", "a member's tar header is not what was written", _LAYOUT),
    Kind("header_not_canonical", "a sound tar header has another time, owner, mode, …", _LAYOUT),
    Kind("padding_not_zero", "the bytes that fill a member's last block are not zero", _LAYOUT),
    Kind("end_damaged", "what follows the last member is not exactly the end of a tar", _LAYOUT),
    Kind("bytes_unaccounted", "bytes of a shard belong to no member", "", _COPY),
    # samples in shards
    Kind("member_missing", "a sample lacks its jpg, json or mask.png", "", _SAMPLE),
    Kind("member_order", "the members are not in the order jpg, json, mask.png", "", _COPY),
    Kind("member_unknown", "a member that no sample has, or has twice", "", _COPY),
    Kind("sample_missing", "the manifest has a sample that its shard has not", "if another shard has it"),
    Kind("sample_unlisted", "a shard has a sample that the manifest has not", _REBUILT),
    Kind("offset_wrong", "a member is not where the manifest says", _PLACES),
    Kind("size_wrong", "a member has not the size that the manifest says", _PLACES),
    Kind("key_repeated", "a key is there twice: in a table, a shard, or two shards", "", _COPY),
    Kind("key_order", "keys do not ascend: in a table, a shard, or from shard to shard", "the manifest is sorted"),
    Kind("key_wrong", "the key is not the hash of the image: one of them was changed", "", _SAMPLE),
    Kind("jpg_damaged", "the image cannot be decoded, or is no RGB JPEG", "", _SAMPLE),
    Kind("jpg_size", "the image is not image_size × image_size", "", _SAMPLE),
    Kind("mask_damaged", "the mask cannot be decoded, is no grey PNG, or breaks a checksum in it", "", _SAMPLE),
    Kind("mask_size", "the mask is not image_size × image_size", "", _SAMPLE),
    Kind("mask_values", "the mask has values other than 0 and 255", "", _SAMPLE),
    Kind("mask_differs", "mask_fraction is not that of the mask", "", _SAMPLE),
    Kind("json_damaged", "the json cannot be read", _JSON),
    Kind("json_invalid", "the json breaks schema.json", _JSON),
    Kind("json_not_canonical", "the json has other bytes than its values have", _JSON),
    Kind("json_differs", "the json and the manifest's row have different values", _WITNESS),
    Kind("picture_repeated", "two samples show the very same picture", "", _ONE),
    Kind("person_repeated", "two samples are the same person of the same photo", "", _ONE),
    # the manifest
    Kind("manifest_missing", "there is no manifest.parquet", _REBUILT),
    Kind("manifest_unreadable", "manifest.parquet is damaged", _REBUILT),
    Kind("manifest_schema", "it has other columns, types or version", _REBUILT),
    Kind("row_not_kept", "a row of the manifest is not 'kept', or has a reason all the same", "", _COPY),
    Kind("split_unknown", "the split is not train or val", _FOLDER),
    Kind("split_differs", "a row's split is not that of its shard", _FOLDER),
    # values, in every table
    Kind("value_missing", "a null", _VALUE),
    Kind("value_invalid", "a list of the wrong length, or a text of the wrong form", _VALUE),
    Kind("not_finite", "a number is infinite or not a number", _VALUE),
    Kind("not_rounded", "a number has more decimals than its field", "", _AGAIN),
    Kind("camera_not_rigid", "cam2world is no right-handed rotation and position", "", _AGAIN),
    Kind("camera_radius", "the camera is not 2.7 from the neck", "", _AGAIN),
    Kind("camera_angles", "yaw, pitch or roll are not those of cam2world", "", _AGAIN),
    Kind("intrinsics_invalid", "a focal length is not positive, or the last row is not 0 0 1", "", _AGAIN),
    Kind("crop_invalid", "crop_to_source cannot be inverted", "", _AGAIN),
    # splits, in every state of the dataset
    Kind("source_shared", "people of one photo are in two splits", "", "`phq split --by source`"),
    Kind("identity_shared", "a person (`identity`) is in two splits", "", "`phq split --by identity`"),
    # rejects and tombstones
    Kind("rejects_missing", "there is no rejects.parquet", "if run.json says that there were none"),
    Kind("rejects_unreadable", "rejects.parquet is damaged", "if run.json says that there were none"),
    Kind("rejects_schema", "it has other columns, types or version", "", _COPY),
    Kind("reject_reason", "a reject has no reason, or one that is not in reasons.md", "", _COPY),
    Kind("reject_stored", "a reject names a shard or a place in one", "the place is blanked"),
    Kind("reject_kept", "a sample is both kept and rejected, and no exact duplicate", "", _COPY),
    Kind("tombstones_unreadable", "tombstones.parquet is damaged or has other columns", "", _COPY),
    Kind("tombstone_alive", "a redacted sample or photo is still named", "", "`phq redact` it again"),
    # overlays
    Kind("overlay_missing", "run.json names an overlay that is not there", "", _OVERLAY),
    Kind("overlay_unlisted", "an overlay is not in run.json", "put in force, on top, if it breaks nothing"),
    Kind("overlay_unreadable", "the overlay is damaged", "", _OVERLAY),
    Kind("overlay_schema", "it has other columns, types or metadata", "", _OVERLAY),
    Kind("overlay_key", "it speaks of a sample that the dataset has not", "", _OVERLAY),
    # files beside the tables
    Kind("index_missing", "a split has no index", "made from the shards"),
    Kind("index_wrong", "an index is not what the shards are", "made from the shards"),
    Kind("schema_wrong", "schema.json is missing or not that of the format", "written again"),
    Kind("run_missing", "run.json is missing", "", _COPY),
    Kind("run_unreadable", "run.json is damaged, of another version, or lists overlays wrongly", "", _COPY),
    Kind("run_counts", "counts in run.json are not those of the tables", "counted again"),
    Kind("card_missing", "README.md is missing", "written again, if run.json has what it says"),
    Kind("card_wrong", "README.md declares other features, splits, counts, licences", "these parts are written again"),
    Kind("croissant_missing", "croissant.json is missing", "made from manifest and shards"),
    Kind("croissant_wrong", "croissant.json is not what manifest and shards say", "made from manifest and shards"),
    Kind("checksum_differs", "a file has not the sha256 that croissant.json has of it", "stated anew for a sound file"),
)  # fmt: skip

KIND_BY_NAME = {kind.name: kind for kind in KINDS}
_MARK = "<!-- table: python -m phq.curate.verify.kinds docs/keep-healthy.md -->\n"


def violations_markdown() -> str:
    """The whole table as Markdown, for the documentation."""
    lines = ["| violation | when | `--repair` |", "|---|---|---|"]
    lines += [f"| `{kind.name}` | {kind.text} | {_remedy(kind)} |" for kind in KINDS]
    return "\n".join(lines) + "\n"


def _remedy(kind: Kind) -> str:
    return kind.repair or f"no: {kind.advice}"


def with_table(page: str) -> str:
    """A page of the documentation with everything behind its mark replaced by the table."""
    return page[: page.index(_MARK) + len(_MARK)] + "\n" + violations_markdown()


def advice(violations: list[Violation]) -> Iterator[str]:
    """A sentence a kind, in the order of the table: what is wrong, how often, and what to do."""
    for kind in KINDS:
        if count := sum(violation.kind == kind.name for violation in violations):
            yield f"{count:6d}  {kind.name}: {kind.text}. Repair: {_remedy(kind)}."


if __name__ == "__main__":
    document = Path(sys.argv[1])
    document.write_text(with_table(document.read_text("utf-8")), "utf-8")
