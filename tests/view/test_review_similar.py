"""Which samples are like which: order by likeness, outliers, the map and its lasso, and two revisions compared."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from review_client import client_of
from review_dataset import review_samples
from starlette.testclient import TestClient
from tiny_datasets import write_tiny

from phq.dataset.marks_log import open_log
from phq.dataset.overlays import write_overlay
from phq.dataset.reader import Dataset
from phq.view.review.choosing import inside
from phq.view.similar import ALL, FACE, LOOKS, POSE, REFERENCES, Similar, tsne

RED, BLUE = [50.0, 60, 40, 5, 5, 5] * 4, [50.0, 0, -60, 5, 5, 5] * 4
ODD = 7
"""The one sample with colours of its own."""


def _face(direction: int) -> dict[str, str]:
    unit = np.eye(4, dtype="<f2")[direction]
    return {"face_embedding": base64.b64encode(unit.tobytes()).decode(), "face_network": "net"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve samples, red and blue in turn, but one; the first four have faces, of two people."""
    found = tmp_path_factory.mktemp("similar") / "dataset"
    samples = review_samples(12)
    for number, sample in enumerate(samples):
        sample.row["appearance"] = (RED, BLUE)[number % 2] if number != ODD else [95.0, 0, 0, 30, 0, 0] * 4
        sample.row.update(_face(number % 2) if number < 4 else {})
    write_tiny(found, samples)
    return found


@pytest.fixture
def client(folder: Path) -> Any:
    with open_log(folder) as log:
        yield client_of(folder, log)


def _chosen(client: TestClient, **choice: Any) -> list[int]:
    response = client.get("/api/choose", params={"q": json.dumps(choice)})
    assert response.status_code == 200, response.text
    return np.frombuffer(response.content, "<i4").tolist()


def _map(client: TestClient, space: str) -> Any:
    return np.frombuffer(client.get("/api/map", params={"space": space}).content, "<i2").reshape(-1, 2)


# --- vectors


def test_like_samples_come_first_in_each_space(folder: Path) -> None:
    similar = Similar(Dataset(folder))
    assert similar.spaces == [ALL, LOOKS, POSE, FACE]
    looks = similar.distances(LOOKS, [0])
    assert set(np.argsort(looks, kind="stable")[:6]) == {0, 2, 4, 6, 8, 10}
    assert np.argsort(similar.distances(POSE, [5]))[:3].tolist() in ([5, 4, 6], [5, 6, 4])  # 10° of yaw apart
    faces = similar.distances(FACE, [1])
    assert faces[3] == 0
    assert faces[0] == pytest.approx(np.sqrt(2))
    assert np.isnan(faces[4:]).all()


def test_neighbours_among_some_samples_are_the_nearest_others_of_them(folder: Path) -> None:
    similar = Similar(Dataset(folder, rejects=True))
    among = [0, 1, 2, 3, 4, ODD]
    found = similar.neighbours(LOOKS, among, 2)
    assert [sorted(near) for near in found[:5]] == [[2, 4], found[1], [0, 4], found[3], [0, 2]]
    assert found[1][0] == 3 and found[3][0] == 1
    assert all(place not in near for place, near in enumerate(found))


def test_several_samples_are_asked_for_the_nearest_of_them(folder: Path) -> None:
    both = Similar(Dataset(folder)).distances(LOOKS, [0, 1])
    assert np.flatnonzero(both > 0).tolist() == [ODD]


def test_the_one_that_is_like_no_other_is_farthest_apart(folder: Path) -> None:
    assert int(np.argmax(Similar(Dataset(folder)).apart(LOOKS))) == ODD


def test_a_region_without_colours_does_not_set_a_sample_apart(tmp_path: Path) -> None:
    samples = review_samples(4)
    for sample in samples:
        sample.row["appearance"] = list(RED)
    samples[1].row["appearance"] = [0.0] * 6 + RED[6:]
    samples[2].row["appearance"] = [0.0] * 24
    write_tiny(tmp_path / "dataset", samples)
    distances = Similar(Dataset(tmp_path / "dataset")).distances(LOOKS, [0])
    assert distances[1] == 0
    assert np.isnan(distances[2])


# --- the map


def test_tsne_keeps_clusters_together_and_apart() -> None:
    rng = np.random.default_rng(0)
    of = np.arange(90) % 3
    vectors = (np.eye(3)[of] * 20 + rng.normal(size=(90, 3))).astype(np.float32)
    places = tsne(vectors, perplexity=10)
    assert np.abs(places).max() == pytest.approx(1)
    middles = np.stack([places[of == n].mean(0) for n in range(3)])
    nearest = np.linalg.norm(places[:, None] - middles, axis=2).argmin(1)
    assert (nearest == of).all()
    assert (tsne(vectors, perplexity=10) == places).all()


@pytest.mark.parametrize("count", [2, 3, 5])
def test_few_or_equal_vectors_have_places_too(count: int) -> None:
    for vectors in (np.ones((count, 4), np.float32), np.arange(4 * count, dtype=np.float32).reshape(count, 4)):
        assert np.isfinite(tsne(vectors)).all()


def test_samples_beyond_the_references_are_placed_too(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr("phq.view.similar.REFERENCES", 6)
    assert REFERENCES > 6
    similar = Similar(Dataset(folder))
    places = similar.map(LOOKS)
    assert np.isfinite(places).all()
    assert np.abs(places).max() <= 1
    assert np.isfinite(similar.apart(LOOKS)).all()


def test_a_map_where_one_sample_or_none_is_known(tmp_path: Path) -> None:
    samples = review_samples(2)
    samples[0].row["appearance"], samples[1].row["appearance"] = [0.0] * 24, RED
    write_tiny(tmp_path / "one", samples)
    similar = Similar(Dataset(tmp_path / "one"))
    assert np.isnan(similar.map(LOOKS)).all(1).tolist() == [True, False]
    assert np.isnan(similar.apart(LOOKS)).all()
    assert np.isfinite(similar.map(ALL)).all()  # by its pose alone


def test_a_lasso_holds_what_is_inside() -> None:
    corners = [(-1.0, -1), (1, -1), (1, 1), (0, 0), (-1, 1)]  # a dent from above
    places = np.array([[0, -0.5], [0, 0.5], [0.9, 0.5], [2, 0], [np.nan, 0]], np.float32)
    assert inside(places, corners).tolist() == [True, False, True, False, False]


# --- what the page asks


def test_the_page_gets_a_place_for_each_sample(client: TestClient) -> None:
    assert client.get("/api/about").json()["spaces"] == [ALL, LOOKS, POSE, FACE]
    places = _map(client, FACE)
    assert len(places) == 12
    assert (places[4:] == -32768).all()
    assert np.abs(places[:4].astype(int)).max() == 32767
    assert client.get("/api/map?space=nonsense").status_code == 404


def test_the_lasso_of_an_address_chooses_what_it_shows(client: TestClient) -> None:
    places = _map(client, ALL)
    x = np.sort(places[:, 0] / 32767)
    edge = float(x[5] + x[6]) / 2
    lasso = [[-2, -2], [edge, -2], [edge, 2], [-2, 2]]
    assert _chosen(client, lasso=lasso) == np.flatnonzero(places[:, 0] / 32767 < edge).tolist()


def test_order_by_likeness_outliers_and_any_number(client: TestClient, folder: Path) -> None:
    keys = Dataset(folder).keys
    assert set(_chosen(client, like=keys[1], space=LOOKS, order="similar")[:5]) == {1, 3, 5, 9, 11}
    assert _chosen(client, space=LOOKS, order="apart")[0] == ODD
    assert _chosen(client, only=f"{keys[3]}.{keys[1]}") == [1, 3]
    histograms = client.get("/api/about").json()["histograms"]
    assert {"head_pitch_deg", "image_width", "mask_fraction"} <= set(histograms)
    assert not {"jpg_offset", "box_x0"} & set(histograms)
    values = np.frombuffer(client.get("/api/values?name=blur").content, "<f4")
    assert values == pytest.approx(np.arange(12) / 100)


@pytest.mark.parametrize("choice", [
    {"order": "similar", "space": "nonsense"}, {"order": "changed", "compare": ["none", "gone"]},
    {"lasso": [[0, 0]] * 201},
    {"only": "0" * 20_000}, {"like": "0" * 20_000}, {"compare": ["none"]}, {"lasso": [[0, "x"]]},
])  # fmt: skip
def test_what_an_address_cannot_mean_is_refused(client: TestClient, choice: dict[str, Any]) -> None:
    response = client.get("/api/choose", params={"q": json.dumps(choice)})
    assert response.status_code == 400


def test_two_revisions_are_compared(tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    samples = review_samples(4)
    write_tiny(folder, samples)
    key = Dataset(folder).keys[2]
    write_overlay(folder, "v2", [{"key": key, "camera_yaw_deg": -160.0}], ["camera_yaw_deg"], {"command": "annotate"})
    with open_log(folder) as log:
        client = client_of(folder, log)
        assert client.get("/api/about").json()["revisions"] == ["none", "v2"]
        assert _chosen(client, compare=["none", ""], order="changed")[0] == 2
        yaws = [client.get(f"/api/values?name=camera_yaw_deg&revision={name}").content for name in ("none", "v2", "")]
        assert [float(np.frombuffer(content, "<f4")[2]) for content in yaws] == [20, -160, -160]
        fields = [client.get(f"/api/sample/{key}?revision={name}").json()["fields"] for name in ("none", "")]
        assert [next(f["value"] for f in found if f["name"] == "camera_yaw_deg") for found in fields] == [20, -160]
        assert client.get(f"/layer/{key}?revision=none").status_code == 200
        for path in (f"/layer/{key}?revision=gone", f"/api/sample/{key}?revision=gone"):
            assert client.get(path).status_code == 400
        assert client.get("/api/values?name=gone").status_code == 404
        assert client.get("/api/values?name=blur&revision=none").status_code == 404
        assert client.get("/api/values?name=camera_yaw_deg&revision=gone").status_code == 400
