"""One shard: a WebDataset tar with fixed headers, whose members are found again by offset alone."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from phq.dataset.content import sample_digest
from phq.dataset.layout import BLOCK, shard_bytes
from phq.dataset.measured import Measured
from phq.schema import Fields
from phq.system.atomic import atomic_write

MEMBERS = {"jpg": "jpg", "json": "json", "mask.png": "mask"}
"""Members of every sample in the order they are written, and the prefix of their columns in the manifest."""
STORAGE = ("shard", *(f"{prefix}_{what}" for prefix in MEMBERS.values() for what in ("offset", "size")))
"""Columns that locate a sample's bytes."""


class ShardWriter:
    """Context manager that writes one tar; it has its final name only once it is whole.

    Modification time 0, owner 0, mode 0644: the same samples in the same order give the same bytes.

    Args:
        path: where the file grows.
        name: path of the shard inside the dataset, for the rows of its samples.

    Raises:
        OutputError: full disk, no permission and the like; nothing is left under the final name.
    """

    measured: Measured
    """Size and checksum of the whole file, once it is left."""

    def __init__(self, path: Path, name: str = "") -> None:
        self.path = path
        self.name = name
        self.digests: list[str] = []
        """`phq.dataset.content.sample_digest` of each sample so far."""

    def __enter__(self) -> ShardWriter:
        import tarfile  # 0.03 s, and those who read shards by offset need none

        self._header = tarfile.TarInfo
        with ExitStack() as stack:
            self.measured = Measured(stack.enter_context(atomic_write(self.path)))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.measured.write(bytes(shard_bytes(self.measured.size) - self.measured.size))
        self._stack.__exit__(kind, error, trace)

    def add(self, key: str, members: Mapping[str, bytes]) -> Fields:
        """Append a sample.

        Returns:
            The columns `STORAGE` of its row.

        Raises:
            ValueError: the members are not exactly those of `MEMBERS`.
        """
        if members.keys() != MEMBERS.keys():
            raise ValueError(f"sample {key} has members {sorted(members)}, expected {sorted(MEMBERS)}")
        storage: Fields = {"shard": self.name}
        for name, prefix in MEMBERS.items():
            storage[f"{prefix}_offset"] = self._append(key, name, members[name])
            storage[f"{prefix}_size"] = len(members[name])
        self.digests.append(sample_digest(members[name] for name in MEMBERS))
        return storage

    def _append(self, key: str, name: str, content: bytes) -> int:
        # The very bytes of webdataset's TarWriter, whose import takes over a second (it brings torch where that is
        # installed), without the copies that TarFile makes of every header.
        member = self._header(f"{key}.{name}")
        member.size, member.mode, member.uname, member.gname = len(content), 0o644, "phq", "phq"
        start = self.measured.size + self.measured.write(member.tobuf())
        self.measured.write(content + bytes(-len(content) % BLOCK))
        return start


def read_member(path: Path, offset: int, size: int) -> bytes:
    """Bytes of one member, by the offset and size that the manifest has.

    Raises:
        OSError: the shard cannot be read.
        ValueError: the shard ends before the member does.
    """
    with path.open("rb") as shard:  # not pread, which Windows does not have
        shard.seek(offset)
        content = shard.read(size)
    if len(content) != size:
        raise ValueError(f"{path} ends before byte {offset + size}: not the shard its manifest describes")
    return content
