"""A walk through one shard: where its members are, and every byte that deviates from the format."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from phq.dataset.layout import BLOCK, blocks, shard_bytes

Headers = Mapping[int, tuple[str, int]]
"""Offset of a member's header → its name and size, as the manifest has them."""
_ZEROS = bytes(BLOCK)
_CHUNK = 1 << 20
_FIELDS = {
    "name": (0, 100), "mode": (100, 108), "owner": (108, 124), "size": (124, 136), "mtime": (136, 148),
    "checksum": (148, 156), "type": (156, 157), "link": (157, 257), "magic": (257, 265), "owner's name": (265, 329),
    "device": (329, 345), "prefix": (345, 500), "unused end": (500, 512),
}  # fmt: skip
"""First and last byte of the fields of a header (POSIX.1-1988, ustar)."""


@dataclass(frozen=True)
class Entry:
    """One member: its name, the offset of its first byte, and its size."""

    name: str
    offset: int
    size: int

    @property
    def end(self) -> int:
        """Offset of the next header."""
        return self.offset + BLOCK * blocks(self.size)


@dataclass(frozen=True)
class Fault:
    """A violation of the tar format; `name` is the member that it belongs to, '' if none."""

    kind: str
    name: str
    detail: str


def header(name: str, size: int) -> bytes:
    """The header of a member with this name and size."""
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.uname, info.gname = size, 0o644, "phq", "phq"
    return info.tobuf(tarfile.USTAR_FORMAT)


def walk(stream: BinaryIO, size: int, expected: Headers) -> Iterator[Entry | Fault]:
    """Members and faults of a shard in the order of their offsets; a fault never ends the walk.

    After a damaged header the walk goes on at the next offset with an expected or a sound header. Contents are not
    read. The position of the stream may be changed between two steps.

    Args:
        stream: the shard.
        size: bytes of the shard.
        expected: headers by the manifest.

    Raises:
        OSError: the shard cannot be read.
    """
    position = 0
    while True:
        block = _read(stream, position, BLOCK)
        if len(block) < BLOCK or (block == _ZEROS and _not_zero(stream, position) is None):
            yield from _end(stream, position, size)
            return
        stated = _parsed(block)
        following = None if stated else _shifted(stream, position, size, expected)
        member = None if following else stated or expected.get(position)
        found, faults = _member(block, position, member, stated is not None)
        yield from faults
        if found is None:
            following = following or _next_header(stream, position + BLOCK, size, expected)
            if following is None:
                yield from _end(stream, position, size)
                return
            yield Fault("bytes_unaccounted", "", f"{following - position} bytes at {position} belong to no member")
            position = following
            continue
        if found.offset + found.size > size:
            yield Fault("shard_truncated", found.name, f"it ends at byte {size}, the member at {found.end}")
            position = min((offset for offset in expected if offset > position), default=size)
            continue
        yield found
        padding = _read(stream, found.offset + found.size, found.end - found.offset - found.size)
        if padding.strip(b"\0"):
            yield Fault("padding_not_zero", found.name, f"between byte {found.offset + found.size} and {found.end}")
        position = found.end


def _read(stream: BinaryIO, offset: int, size: int) -> bytes:
    stream.seek(offset)
    return stream.read(size)


def _parsed(block: bytes) -> tuple[str, int] | None:
    """Name and size in a header; None if its checksum is wrong."""
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError):
        return None
    return (info.name, info.size) if info.isreg() and info.size >= 0 else None


def _member(
    block: bytes, position: int, member: tuple[str, int] | None, sound: bool
) -> tuple[Entry | None, list[Fault]]:
    """The member of this name and size, and the differences of its header from the right one."""
    try:
        right = header(*member) if member else None
    except ValueError:  # a name that ustar cannot hold
        right = None
    if member is None or right is None:
        return None, []
    found = Entry(member[0], position + BLOCK, member[1])
    if block == right:
        return found, []
    kind = "header_not_canonical" if sound else "header_damaged"
    return found, [Fault(kind, member[0], f"{_differing(block, right)} of the header at {position}")]


def _differing(block: bytes, right: bytes) -> str:
    return ", ".join(field for field, (start, stop) in _FIELDS.items() if block[start:stop] != right[start:stop])


def _next_header(stream: BinaryIO, position: int, size: int, expected: Headers) -> int | None:
    """Offset of the next header that is expected or sound, None if none follows."""
    for offset in range(position, size - BLOCK + 1, BLOCK):
        if offset in expected or _parsed(_read(stream, offset, BLOCK)):
            return offset
    return None


def _shifted(stream: BinaryIO, position: int, end: int, expected: Headers) -> int | None:
    """Offset of the header expected here, if bytes were inserted before it; None if it is not found."""
    if position not in expected:
        return None
    name, size = expected[position]
    for offset in range(position + BLOCK, min(end, position + BLOCK * (2 + blocks(size))), BLOCK):
        if _parsed(_read(stream, offset, BLOCK)) == (name, size):
            return offset
    return None


def _end(stream: BinaryIO, position: int, size: int) -> Iterator[Fault]:
    """Check that zeros fill the tar's last record after the last member, and that nothing follows."""
    strange = _not_zero(stream, position)
    if strange is not None:
        yield Fault("end_damaged", "", f"byte {strange} is not zero")
    if size != shard_bytes(position):
        yield Fault("end_damaged", "", f"the shard has {size} bytes, and by its members {shard_bytes(position)}")


def _not_zero(stream: BinaryIO, position: int) -> int | None:
    """Offset of the first byte from `position` on that is not zero, None if all are."""
    stream.seek(position)
    while chunk := stream.read(_CHUNK):
        if rest := chunk.lstrip(b"\0"):
            return position + len(chunk) - len(rest)
        position += len(chunk)
    return None
