"""The review page's server: who may speak to it, what it shows, and how it starts and stops."""

from __future__ import annotations

import asyncio
import json
import re
import tracemalloc
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from review_client import BASE, HEADERS, client_of, mark, throw_out
from review_dataset import HOSTILE, TOKEN, WAIT, Server, review_dataset, start_server
from starlette.testclient import TestClient

from phq.dataset.marks import Marks
from phq.dataset.marks_log import open_log, read_log
from phq.dataset.reader import Dataset
from phq.errors import OutputError
from phq.view.review.app import STATIC
from phq.view.review.guard import POLICY
from phq.view.review.serving import serve


def _chosen(client: TestClient, **choice: Any) -> list[int]:
    response = client.get("/api/choose", params={"q": json.dumps(choice)})
    assert response.status_code == 200, response.text
    return np.frombuffer(response.content, "<i4").tolist()


# --- who may speak to it


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}, {"Cookie": "a=b; =; c"}]
)
def test_without_the_token_everything_is_refused(opened: Any, headers: dict[str, str]) -> None:
    client = opened[0]
    del client.headers["Authorization"]
    for path in ("/", "/?token=wrong", "/?token=", "/api/about", "/static/main.js", "/nothing", "/static/../app.py"):
        response = client.get(path, headers=headers)
        assert response.status_code == 403, path
        assert "default-src 'none'" in response.headers["content-security-policy"]


def test_a_wrong_token_marks_nothing(opened: Any) -> None:
    client, keys, log = opened
    client.headers["Authorization"] = "Bearer " + TOKEN[:-1]
    assert mark(client, keys[:1]).status_code == 403
    assert log.marks.seq == 0


def test_the_link_sets_a_cookie_and_leaves_the_address(opened: Any) -> None:
    client = opened[0]
    del client.headers["Authorization"]
    first = client.get(f"/?token={TOKEN}", follow_redirects=False)
    assert (first.status_code, first.headers["location"]) == (303, "/")
    assert "HttpOnly" in first.headers["set-cookie"]
    assert "SameSite=lax" in first.headers["set-cookie"]
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY


def test_a_page_of_another_origin_or_another_host_name_is_refused(opened: Any) -> None:
    client, keys, log = opened
    body = {"reviewer": "ann", "mark": "keep", "keys": keys[:1]}
    assert client.post("/api/marks", json=body, headers={"Origin": "http://127.0.0.1:9999"}).status_code == 403
    assert client.get("/api/about", headers={"Host": "evil.example"}).status_code == 400
    assert client.post("/api/marks", json=body, headers={"Origin": BASE}).status_code == 200
    assert log.marks.seq == 1


@pytest.mark.parametrize("path", ["/api/marks", "/api/undo"])
def test_a_body_of_many_megabytes_is_refused_without_being_kept(opened: Any, path: str) -> None:
    client, _, log = opened
    left, answers = [64], []

    async def receive() -> dict[str, Any]:
        left[0] -= 1
        return {"type": "http.request", "body": b"x" * (1 << 20), "more_body": left[0] > 0}

    async def send(message: dict[str, Any]) -> None:
        answers.append(message)

    headers = [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {TOKEN}".encode())]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers, "scheme": "http"}
    tracemalloc.start()
    asyncio.run(client.app(scope, receive, send))  # the test client would collect the body itself
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answers[0]["status"] == 413
    # 64 KiB, and 32 bytes for each of the twelve keys
    assert b"has at most 65920 bytes, and this one had 67108864" in answers[1]["body"]
    assert most < 16 << 20
    assert log.marks.seq == 0


def test_nothing_but_samples_can_be_reached(opened: Any) -> None:
    for path in (
        "/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2f..%2fconfig.py", "/static//etc/passwd",
        "/picture/../run.json", "/picture/..%2frun.json", "/picture/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/picture/manifest.parquet", "/run.json", "/manifest.parquet", "/reviews/marks.jsonl", "/etc/passwd",
        "/layer/..%2frun.json", "/vertices/%00", "/api/sample/..%2f..%2frun.json", "/picture/" + "0" * 16,
    ):  # fmt: skip
        assert opened[0].get(path).status_code == 404, path


# --- what it shows


def test_pictures_are_the_stored_ones_and_may_be_kept_for_ever(opened: Any) -> None:
    client, keys, log = opened
    response = client.get(f"/picture/{keys[3]}?size=512")
    assert response.content == Dataset(log.path.parents[1]).read(3)
    assert "immutable" in response.headers["cache-control"]
    assert client.get(f"/picture/{keys[3]}?size=7").status_code == 404


def test_the_layer_shows_the_body_where_the_contact_sheet_would(opened: Any) -> None:
    client, keys, _ = opened
    layer = cv2.imdecode(
        np.frombuffer(client.get(f"/layer/{keys[0]}?size=128").content, np.uint8), cv2.IMREAD_UNCHANGED
    )
    assert layer.shape == (128, 128, 4)
    covered = layer[..., 3] > 127
    assert 0.1 < covered.mean() < 0.9
    assert covered[64, 64]
    assert not covered[2, 2]


def test_the_mesh_stands_in_the_world_of_the_labels(opened: Any) -> None:
    """Whatever the camera's yaw, the same body faces +z of the world, with its neck at the origin."""
    client, keys, _ = opened
    faces = np.frombuffer(client.get(f"/faces/{keys[0]}").content, "<u2").reshape(-1, 3)
    bodies = [np.frombuffer(client.get(f"/vertices/{keys[n]}").content, "<f4").reshape(-1, 3) for n in (0, 7)]
    assert faces.max() == len(bodies[0]) - 1
    assert np.abs(bodies[0] - bodies[1]).max() < 1e-4
    head = bodies[0][bodies[0][:, 1] > 0.05]
    assert abs(head[:, 0].mean()) < 0.01  # straight ahead
    nose = head[head[:, 2].argmax()]
    assert abs(nose[0]) < 0.01


def test_filters_by_yaw_score_reason_source_andmark(tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    keys = review_dataset(folder, 36)  # yaw 10° × number, blur number / 100
    throw_out(folder, keys[5:8])
    with open_log(folder) as log:
        client = client_of(folder, log)
        everything = list(range(36))
        assert _chosen(client) == everything
        assert _chosen(client, ranges={"camera_yaw_deg": [-5, 45]}) == [0, 1, 2, 3, 4]
        assert _chosen(client, ranges={"camera_yaw_deg": [165, -165]}) == [17, 18, 19]  # over the seam
        assert _chosen(client, ranges={"blur": [0.2, 0.22]}) == [20, 21, 22]
        assert _chosen(client, ranges={"blur": [0.2, 0.22]}, order="blur", descending=True) == [22, 21, 20]
        assert _chosen(client, reasons=["blurred"]) == [5, 6, 7]
        assert _chosen(client, sources=["elsewhere"]) == []
        assert _chosen(client, text="PHOTOS/0012") == [12]
        assert _chosen(client, text=keys[9][:8]) == [9]
        mark(client, keys[:2])
        mark(client, keys[5:6], reviewer="bob")
        assert _chosen(client, marked="unmarked") == [2, 3, 4, *everything[6:]]
        assert _chosen(client, marked="mine", reviewer="bob") == [5]
        assert _chosen(client, marked="against") == [5]  # kept by bob, thrown out by the thresholds
        bad = client.get("/api/choose", params={"q": json.dumps({"ranges": {"nose": [0, 1]}})})
        assert (bad.status_code, "no score 'nose'" in bad.text) == (400, True)


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    keys = review_dataset(folder, 3, source_path=HOSTILE, source=HOSTILE)
    with open_log(folder) as log:
        client = client_of(folder, log)
        for path in ("/api/about", f"/api/sample/{keys[0]}", "/api/rows?n=0"):
            response = client.get(path)
            assert response.headers["content-type"] == "application/json"
            assert response.headers["x-content-type-options"] == "nosniff"
        assert HOSTILE not in client.get("/").text
    ours = [path.read_text() for path in STATIC.glob("*.js") if path.name != "three.js"]
    assert not any(re.search(r"innerHTML|insertAdjacentHTML|document\.write", text) for text in ours)


# --- a server of its own


def _http(server: Server) -> httpx.Client:
    return httpx.Client(base_url=f"{BASE}:{server.port}", headers=HEADERS, trust_env=False, timeout=WAIT)


def test_kill_9_loses_nothing_that_was_confirmed_and_a_stop_writes_the_overlay(tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    keys = review_dataset(folder, 8)
    server = start_server(folder)
    try:
        for key in keys[:5]:
            body = {"reviewer": "ann", "mark": "reject", "reason": "review_light", "keys": [key]}
            assert _http(server).post("/api/marks", json=body).status_code == 200
        server.kill()
        assert Marks(read_log(folder)).keys == sorted(keys[:5])
        server = start_server(folder)
        assert "marks of an earlier review are now in the overlay review-1" in "".join(server.lines)
        assert Dataset(folder).keys == keys[5:]
        rows = _http(server).get("/api/rows?n=0,5").json()
        assert [[mark["reviewer"] for mark in row["marks"]] for row in rows] == [["ann"], []]
        undo = _http(server).post("/api/undo", json={"reviewer": "ann"})
        assert list(undo.json()["changes"]) == [keys[4]]
        assert "marks are in the overlay review-2" in server.stop()
        assert Dataset(folder).keys == keys[4:]
    finally:
        server.kill()


def test_the_server_listens_on_this_machine_alone_and_says_when_the_port_is_taken(tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    review_dataset(folder, 2)
    review_dataset(tmp_path / "other", 2)
    server = start_server(folder)
    try:
        assert _http(server).get("/", headers={"Authorization": ""}).status_code == 403
        with pytest.raises(OutputError, match=f"port {server.port} is taken"):
            serve(tmp_path / "other", port=server.port)
        listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        own = [line[1] for line in listening if line[1].endswith(f":{server.port:04X}") and line[3] == "0A"]
        assert own == [f"0100007F:{server.port:04X}"]
    finally:
        server.kill()


def test_pages_that_come_back_are_told_what_they_missed(tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    keys = review_dataset(folder, 6)
    server = start_server(folder)
    try:
        client = _http(server)
        for key in keys[:3]:
            client.post("/api/marks", json={"reviewer": "ann", "mark": "keep", "keys": [key]})
        with client.stream("GET", "/api/events", headers={"Last-Event-ID": "1"}) as events:
            lines = events.iter_lines()
            missed = next(json.loads(line[6:]) for line in lines if line.startswith("data: "))
            assert sorted(missed["changes"]) == sorted(keys[1:3])
            _http(server).post("/api/marks", json={"reviewer": "bob", "mark": "flip", "keys": [keys[5]]})
            news = next(json.loads(line[6:]) for line in lines if line.startswith("data: "))
            assert news["changes"][keys[5]]["marks"][0]["reviewer"] == "bob"
    finally:
        server.kill()
