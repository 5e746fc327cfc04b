"""The networks of tests/data where ``phq weights pull`` puts the real ones, from a server that packs them as theirs."""

from __future__ import annotations

import hashlib
import io
from functools import cache
from pathlib import Path
from zipfile import ZipFile

import cv2
import numpy as np
import pytest
from unreliable_server import misbehaving
from weights_catalogue import catalogue_of, entry_of

from phq.weights import catalogue
from phq.weights.store import pull

DATA = Path(__file__).parents[1] / "data"
NETWORKS = {
    "rfdetr-small": "rfdetr-tiny",
    "rtmpose-m": "rtmpose-tiny",
}
"""Weights by name, and the file that stands in for them."""
RTMDET = f"rtmdet:{DATA / 'rtmdet-tiny.onnx'}"
DEIMV2 = f"deimv2:{DATA / 'deimv2-tiny.onnx'}"
SIXD = DATA / "6drepnet360-tiny.onnx"
RTMW = f"rtmpose:{DATA / 'rtmw-tiny.onnx'}"
"""Networks that are not downloaded: named by their path."""
RED, GREEN, BLUE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (90, 90, 90)


@cache  # a zip has the time in it
def packed(name: str) -> bytes:
    """A zip with a folder, the network and the texts of MMDeploy, as OpenMMLab's are; RF-DETR's come bare."""
    network = (DATA / f"{NETWORKS[name]}.onnx").read_bytes()
    if name.startswith("rfdetr"):
        return network
    stream = io.BytesIO()
    with ZipFile(stream, "w") as pack:
        for member in ("deploy.json", "detail.json", "pipeline.json"):
            pack.writestr(f"20230831/{name}/{member}", "{}")
        pack.writestr(f"20230831/{name}/end2end.onnx", network)
    return stream.getvalue()


def pull_all(folder: Path) -> Path:
    """Write ``remote.json`` and a cache with all of `NETWORKS` pulled into it."""
    with misbehaving() as server, pytest.MonkeyPatch.context() as patch:
        entries: list[dict[str, object]] = []
        for name in NETWORKS:
            content, file = packed(name), f"{name}.{'onnx' if name.startswith('rfdetr') else 'zip'}"
            server.files[file] = content
            entries.append(entry_of(name, f"{server.url}/{file}", content))
        catalogue_of(folder / "remote.json", *entries)
        use_cache(folder, patch)
        for name in NETWORKS:
            pull(name)
    return folder


def use_cache(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Let phq know only the weights of such a folder."""
    patch.setenv("PHQ_CACHE", str(folder / "cache"))
    patch.setattr(catalogue, "FILE", folder / "remote.json")
    for variable in ("PHQ_OFFLINE", "PHQ_MIRROR", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        patch.delenv(variable, raising=False)


def sha256(name: str) -> str:
    """Of what the server has under a name."""
    return hashlib.sha256(packed(name)).hexdigest()


def scene(width: int, height: int, *rectangles: tuple[tuple[int, int, int], tuple[int, int, int, int]]) -> np.ndarray:
    """A grey picture with rectangles: colour and x0, y0, x1, y1."""
    picture = np.full((height, width, 3), GREY, np.uint8)
    for colour, (x0, y0, x1, y1) in rectangles:
        cv2.rectangle(picture, (x0, y0), (x1 - 1, y1 - 1), colour, -1)
    return picture
