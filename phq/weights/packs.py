"""Weights that come as a zip of several files, unpacked once and checked before each use."""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from phq.errors import WeightError
from phq.system.atomic import output_errors
from phq.weights.catalogue import remote
from phq.weights.digest import BLOCK
from phq.weights.store import cache_folder, turn, weights_path


def pack_folder(name: str) -> Path:
    """Folder of the unpacked files of a pulled zip, ``CACHE/models/NAME``, each as it is in the zip.

    The zip is held to its checksum, and each file to the zip's. insightface finds its packs there by root=CACHE.

    Raises:
        WeightError: not pulled, not the expected bytes, or not a zip that can be unpacked.
        OutputError: the cache cannot be written.
    """
    path, folder = weights_path(name), cache_folder() / "models" / name
    try:
        with ZipFile(path) as pack, turn(remote(name)):
            for member in pack.infolist():
                if not member.is_dir():
                    _unpack(pack, member, folder / _inside(member))
    except (BadZipFile, EOFError, NotImplementedError, zlib.error) as error:
        raise WeightError(f"{path} is not a zip that can be unpacked: {error}") from error
    return folder


def pack_file(name: str, ending: str) -> Path:
    """The one unpacked file of a pulled zip with this ending.

    Args:
        name: of the weights.
        ending: of the file's name, as ``.onnx``.

    Raises:
        WeightError: see `pack_folder`; or none has that ending, or several have.
        OutputError: the cache cannot be written.
    """
    files = sorted(path for path in pack_folder(name).rglob("*") if path.name.endswith(ending))
    if len(files) != 1:
        raise WeightError(f"the weights {name} hold {len(files)} files that end in {ending}, not one")
    return files[0]


def _inside(member: ZipInfo) -> PurePosixPath:
    """The member's path, guaranteed to be below the folder that it is unpacked into."""
    path = PurePosixPath(member.filename)
    if path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in member.filename:
        raise BadZipFile(f"its member {member.filename!r} would lie outside")
    return path


def _unpack(pack: ZipFile, member: ZipInfo, path: Path) -> None:
    if path.is_file() and path.stat().st_size == member.file_size and _crc32(path) == member.CRC:
        return
    part = path.with_name(path.name + ".part")
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with pack.open(member) as source, part.open("wb") as target:
            shutil.copyfileobj(source, target, BLOCK)  # zipfile checks length and CRC-32
        part.replace(path)


def _crc32(path: Path) -> int:
    crc = 0
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            crc = zlib.crc32(block, crc)
    return crc
