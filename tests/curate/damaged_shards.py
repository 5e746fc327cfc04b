"""Ways to break shards and the samples in them."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
from dataset_damage import (
    FIRST,
    KEYS,
    PAIR,
    SAMPLES,
    SECOND,
    SHARDS,
    Damage,
    collector,
    edited_bytes,
    edited_row,
    encoded,
    members_of,
    place,
    rebuilt,
    rewritten,
    rows_of,
    with_members,
    write_rows,
)
from sound_datasets import sound_sample
from tiny_datasets import SIDE, TinySample

from phq.dataset.tar import ShardWriter

DAMAGES: list[Damage] = []
damage = collector(DAMAGES)


# shards as files


@damage("header_damaged", mended=True)
def header_byte(folder: Path) -> tuple[str, str]:
    with edited_bytes(folder / PAIR) as content:
        content[place(folder, SECOND, "json")[0] - 512 + 3] ^= 1
    return PAIR, SECOND


@damage("header_damaged", mended=True)
def header_of_zeros(folder: Path) -> tuple[str, str]:
    start = place(folder, SECOND, "jpg")[0]
    with edited_bytes(folder / PAIR) as content:
        content[start - 512 : start] = bytes(512)
    return PAIR, SECOND


@damage("header_not_canonical", mended=True)
def header_with_a_time(folder: Path) -> tuple[str, str]:
    start = place(folder, FIRST, "mask")[0] - 512
    with edited_bytes(folder / PAIR) as content:
        info = tarfile.TarInfo.frombuf(bytes(content[start : start + 512]), "utf-8", "strict")
        info.mtime = 1_600_000_000
        content[start : start + 512] = info.tobuf(tarfile.USTAR_FORMAT)
    return PAIR, FIRST


@damage("padding_not_zero", mended=True)
def padding(folder: Path) -> tuple[str, str]:
    with edited_bytes(folder / PAIR) as content:
        content[sum(place(folder, FIRST, "json"))] = 7
    return PAIR, FIRST


@damage("end_damaged", mended=True)
def byte_in_the_end(folder: Path) -> tuple[str, str]:
    with edited_bytes(folder / PAIR) as content:
        content[-1] = 1
    return PAIR, ""


@damage("end_damaged", mended=True)
def end_cut_off(folder: Path) -> tuple[str, str]:
    with edited_bytes(folder / PAIR) as content:
        del content[-600:]
    return PAIR, ""


@damage("end_damaged", mended=True)
def bytes_appended(folder: Path) -> tuple[str, str]:
    with edited_bytes(folder / PAIR) as content:
        content.extend(bytes(512))
    return PAIR, ""


@damage("shard_truncated")
def shard_cut_off(folder: Path) -> tuple[str, str]:
    with edited_bytes(folder / PAIR) as content:
        del content[place(folder, SECOND, "mask")[0] + 5 :]
    return PAIR, SECOND


@damage("bytes_unaccounted")
def block_between_members(folder: Path) -> tuple[str, str]:
    start = place(folder, SECOND, "jpg")[0] - 512
    with edited_bytes(folder / PAIR) as content:
        content[start:start] = b"x" * 512
    return PAIR, ""


@damage("shard_missing")
def shard_removed(folder: Path) -> tuple[str, str]:
    (folder / PAIR).unlink()
    return PAIR, ""


@damage("shard_unreadable")
def folder_in_the_place_of_a_shard(folder: Path) -> tuple[str, str]:
    (folder / PAIR).unlink()
    (folder / PAIR).mkdir()
    return PAIR, ""


@damage("shard_numbering")
def shard_with_another_number(folder: Path) -> tuple[str, str]:
    name = PAIR.replace("-000007-", "-000009-")
    (folder / PAIR).rename(folder / name)
    return name, ""


@damage("shard_name")
def tar_of_somebody_else(folder: Path) -> tuple[str, str]:
    (folder / "val" / "more.tar").write_bytes((folder / PAIR).read_bytes())
    return "val/more.tar", ""


@damage("shards_too_few")
def two_samples_in_one_shard(folder: Path) -> tuple[str, str]:
    (folder / SHARDS["val"][1]).unlink()
    with ShardWriter(folder / SHARDS["val"][0]) as shard:
        for sample in SAMPLES:
            if sample.row["split"] == "val":
                shard.add(str(sample.row["key"]), sample.members)
    return "val", ""


# samples in shards


@damage("member_order")
def json_before_the_image(folder: Path) -> tuple[str, str]:
    jpg, text, *rest = members_of(folder)
    rewritten(folder, [text, jpg, *rest])
    return PAIR, FIRST


@damage("member_missing")
def no_mask(folder: Path) -> tuple[str, str]:
    rewritten(folder, members_of(folder)[:-1])
    return PAIR, SECOND


@damage("member_unknown")
def member_of_somebody_else(folder: Path) -> tuple[str, str]:
    rewritten(folder, [*members_of(folder), (f"{SECOND}.txt", b"a note")])
    return PAIR, SECOND


@damage("sample_unlisted", mended=True)
def row_removed(folder: Path) -> tuple[str, str]:
    write_rows(folder, [row for row in rows_of(folder) if row["key"] != SECOND])
    return PAIR, SECOND


@damage("sample_missing")
def sample_removed(folder: Path) -> tuple[str, str]:
    rewritten(folder, members_of(folder)[:3])
    return PAIR, SECOND


@damage("key_order")
def samples_exchanged(folder: Path) -> tuple[str, str]:
    members = members_of(folder)
    rewritten(folder, [*members[3:], *members[:3]])
    return PAIR, FIRST


@damage("key_repeated")
def sample_in_two_shards(folder: Path) -> tuple[str, str]:
    rewritten(folder, [(name.replace(FIRST, KEYS[0]), content) for name, content in members_of(folder)])
    return PAIR, KEYS[0]


@damage("key_wrong")
def byte_of_an_image(folder: Path) -> tuple[str, str]:
    with edited_bytes(folder / PAIR) as content:
        content[place(folder, FIRST, "jpg")[0] + 700] ^= 4
    return PAIR, FIRST


@damage("jpg_damaged")
def image_that_is_none(folder: Path) -> tuple[str, str]:
    sample = with_members(sound_sample(90), jpg=b"no image at all")
    return rebuilt(folder, sample), str(sample.row["key"])


@damage("jpg_size")
def image_of_another_size(folder: Path) -> tuple[str, str]:
    sample = with_members(sound_sample(90), jpg=encoded(np.zeros((SIDE, SIDE + 8, 3), np.uint8), "JPEG"))
    return rebuilt(folder, sample), str(sample.row["key"])


@damage("mask_damaged")
def byte_of_a_mask(folder: Path) -> tuple[str, str]:
    offset, size = place(folder, SECOND, "mask")
    with edited_bytes(folder / PAIR) as content:
        content[offset + size // 2] ^= 32
    return PAIR, SECOND


@damage("mask_size")
def mask_of_another_size(folder: Path) -> tuple[str, str]:
    sample = with_members(sound_sample(90), mask=encoded(np.zeros((SIDE, SIDE - 1), np.uint8), "PNG"))
    return rebuilt(folder, sample), str(sample.row["key"])


@damage("mask_values")
def grey_mask(folder: Path) -> tuple[str, str]:
    sample = with_members(sound_sample(90), mask=encoded(np.full((SIDE, SIDE), 90, np.uint8), "PNG"))
    return rebuilt(folder, sample), str(sample.row["key"])


@damage("mask_differs")
def mask_of_somebody_else(folder: Path) -> tuple[str, str]:
    sample = with_members(sound_sample(90), mask=encoded(np.zeros((SIDE, SIDE), np.uint8), "PNG"))
    return rebuilt(folder, sample), str(sample.row["key"])


@damage("json_damaged", mended=True)
def bracket_of_a_json(folder: Path) -> tuple[str, str]:
    with edited_bytes(folder / PAIR) as content:
        content[place(folder, FIRST, "json")[0]] = ord("[")
    return PAIR, FIRST


@damage("json_invalid", mended=True)
def name_in_a_json(folder: Path) -> tuple[str, str]:
    with edited_bytes(folder / PAIR) as content:
        content[content.index(b'"blur"') + 1] = ord("B")
    return PAIR, FIRST


@damage("json_not_canonical", mended=True)
def json_in_another_order(folder: Path) -> tuple[str, str]:
    offset, size = place(folder, FIRST, "json")
    record = json.loads((folder / PAIR).read_bytes()[offset : offset + size])
    text = json.dumps(dict(reversed(record.items())), separators=(",", ":"), ensure_ascii=False).encode()
    with edited_bytes(folder / PAIR) as content:
        content[offset : offset + size] = text
    return PAIR, FIRST


@damage("json_differs", mended=True)
def digit_in_a_json(folder: Path) -> tuple[str, str]:
    with edited_bytes(folder / PAIR) as content:
        at = content.index(b'"image_width":') + 14
        content[at] = ord("1" if content[at] != ord("1") else "2")
    return PAIR, FIRST


@damage("json_differs", mended=True)
def number_in_the_manifest(folder: Path) -> tuple[str, str]:
    with edited_row(folder, FIRST) as row:
        row["focal_px"] = 1234.5
    return PAIR, FIRST


@damage("picture_repeated")
def same_picture_in_other_bytes(folder: Path) -> tuple[str, str]:
    first = sound_sample(90)
    jpg = first.members["jpg"]
    comment = jpg[:2] + b"\xff\xfe\x00\x06copy" + jpg[2:]
    looks = {name: first.row[name] for name in ("phash", "mask_fraction")}
    again = with_members(TinySample(sound_sample(91).row | looks, first.members), jpg=comment)
    rebuilt(folder, first, again)
    last = max(str(first.row["key"]), str(again.row["key"]))
    return str(next(row["shard"] for row in rows_of(folder) if row["key"] == last)), last


@damage("person_repeated")
def same_person_twice(folder: Path) -> tuple[str, str]:
    sample = sound_sample(90, source_sha256=SAMPLES[-1].row["source_sha256"])
    rebuilt(folder, sample)
    last = max(str(sample.row["key"]), KEYS[-1])
    return str(next(row["shard"] for row in rows_of(folder) if row["key"] == last)), last
