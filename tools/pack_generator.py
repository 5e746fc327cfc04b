"""Packs the averaged generator of a run into ``phq/weights``, where ``--pretrained NAME`` finds it.

Usage: python tools/pack_generator.py RUN NAME SOURCE [--folder FOLDER]

Writes ``generator-NAME.safetensors`` with weights of 16 bits and its entry in ``registry.json``; SOURCE says what it
was trained on and by which command. ``NOTICE`` and the model card, ``generator-NAME.md``, are written by hand.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

from phq.generator.use.exporting import weights
from phq.generator.use.opening import open_trained
from phq.weights import embedded

LARGEST = 5_000_000
"""Bytes of a file that is shipped."""


def pack(run: Path, name: str, source: str, folder: Path) -> Path:
    """The file.

    Raises:
        ValueError: it is larger than `LARGEST`.
    """
    entry = embedded.GENERATOR + name
    content = weights(open_trained(run, "cpu"), half=True)
    if len(content) > LARGEST:
        raise ValueError(f"{entry} has {len(content)} bytes; at most {LARGEST} are shipped")
    path, registry = folder / f"{entry}.safetensors", folder / "registry.json"
    path.write_bytes(content)
    facts = {
        "name": entry,
        "file": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "licence": "Apache-2.0",
        "source": source,
        "purpose": f"generator of people (phq gan … --pretrained {name})",
    }
    entries = [known for known in json.loads(registry.read_text(encoding="utf-8")) if known["name"] != entry]
    registry.write_text(json.dumps([*entries, facts], indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("source")
    parser.add_argument("--folder", type=Path, default=embedded.FOLDER)
    arguments = parser.parse_args()
    path = pack(arguments.run, arguments.name, arguments.source, arguments.folder)
    print(f"{path.stat().st_size} bytes   {path}")


if __name__ == "__main__":
    main()
