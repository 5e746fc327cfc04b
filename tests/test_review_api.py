"""The review page's server: who may speak to it, what it shows, and that a mark which was confirmed is never lost."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from review_samples import HOSTILE, TOKEN, WAIT, Server, review_dataset, start_server
from starlette.testclient import TestClient

from phq.dataset.reader import Dataset
from phq.errors import InputError, OutputError
from phq.review.app import STATIC, Review, make_app
from phq.review.catalogue import Catalogue
from phq.review.guard import POLICY
from phq.review.log import LOG, MarkLog, no_review, open_log, read_log, without_keys
from phq.review.marks import Action, Marks
from phq.review.overlay import fold
from phq.review.serving import serve

HEADERS = {"Authorization": f"Bearer {TOKEN}"}
BASE = "http://127.0.0.1"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("review") / "dataset"
    return folder, review_dataset(folder, 12)


@pytest.fixture
def opened(made: tuple[Path, list[str]], tmp_path: Path) -> Iterator[tuple[TestClient, list[str], MarkLog]]:
    folder, keys = tmp_path / "dataset", made[1]
    shutil.copytree(made[0], folder)
    with open_log(folder) as log:
        yield _client(folder, log), keys, log


def _client(folder: Path, log: MarkLog, **headers: str) -> TestClient:
    app = make_app(Review(Catalogue(folder), log, "ann"), TOKEN)
    return TestClient(app, base_url=BASE, headers=headers or HEADERS)


def _mark(client: TestClient, keys: list[str], mark: str = "keep", reason: str = "", reviewer: str = "ann") -> Any:
    return client.post("/api/marks", json={"reviewer": reviewer, "mark": mark, "reason": reason, "keys": keys})


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
    assert _mark(client, keys[:1]).status_code == 403
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


def test_filters_by_yaw_score_reason_source_and_mark(tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    keys = review_dataset(folder, 36)  # yaw 10° × number, blur number / 100
    fold_rejects(folder, keys[5:8])
    with open_log(folder) as log:
        client = _client(folder, log)
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
        _mark(client, keys[:2])
        _mark(client, keys[5:6], reviewer="bob")
        assert _chosen(client, marked="unmarked") == [2, 3, 4, *everything[6:]]
        assert _chosen(client, marked="mine", reviewer="bob") == [5]
        assert _chosen(client, marked="against") == [5]  # kept by bob, thrown out by the thresholds
        bad = client.get("/api/choose", params={"q": json.dumps({"ranges": {"nose": [0, 1]}})})
        assert (bad.status_code, "no score 'nose'" in bad.text) == (400, True)


def fold_rejects(folder: Path, keys: list[str]) -> None:
    """Let an overlay throw samples out as blurred."""
    from phq.dataset.overlays import write_overlay

    rows = [{"key": key, "decision": "rejected", "reason": "blurred"} for key in keys]
    write_overlay(folder, "decided", rows, ["decision", "reason"], {"command": "decide"})


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    keys = review_dataset(folder, 3, source_path=HOSTILE, source=HOSTILE)
    with open_log(folder) as log:
        client = _client(folder, log)
        for path in ("/api/about", f"/api/sample/{keys[0]}", "/api/rows?n=0"):
            response = client.get(path)
            assert response.headers["content-type"] == "application/json"
            assert response.headers["x-content-type-options"] == "nosniff"
        assert HOSTILE not in client.get("/").text
    ours = [path.read_text() for path in STATIC.glob("*.js") if path.name != "three.js"]
    assert not any(re.search(r"innerHTML|insertAdjacentHTML|document\.write", text) for text in ours)


# --- marks


def test_a_mark_is_on_the_disk_before_the_answer(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client, keys, log = opened
    synced: list[bytes] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (fsync(handle), synced.append(log.path.read_bytes()))[0])
    answer = _mark(client, keys[:2], "reject", "review_blur").json()
    assert len(synced) == 1
    assert all(key.encode() in synced[0] for key in keys[:2])
    assert answer["seq"] == 1
    assert [m["mark"] for m in answer["changes"][keys[0]]] == ["reject"]
    assert answer["counts"] == {"keep": 0, "reject": 2, "flip": 0}


def test_a_mark_that_cannot_be_written_has_not_happened(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client, keys, log = opened
    _mark(client, keys[:1])
    before = log.path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    response = _mark(client, keys[1:2])
    assert response.status_code == 507
    assert "disk is full" in response.json()["error"]
    monkeypatch.undo()
    assert log.path.read_bytes() == before
    assert _mark(client, keys[1:2]).json()["seq"] == 2
    assert [action.keys for action in read_log(log.path.parents[1])] == [(keys[0],), (keys[1],)]


def test_a_mark_that_is_none_is_refused_and_not_stored(opened: Any) -> None:
    client, keys, log = opened
    for body in (
        {"mark": "maybe"}, {"mark": "reject"}, {"mark": "reject", "reason": "ugly"}, {"reason": "review_blur"},
        {"reviewer": ""}, {"reviewer": "a\nb"}, {"reviewer": "x" * 65}, {"keys": []}, {"keys": "all"}, {"more": 1},
    ):  # fmt: skip
        response = client.post("/api/marks", json={"reviewer": "ann", "mark": "keep", "keys": keys[:1]} | body)
        assert response.status_code == 400, body
    assert log.path.read_bytes() == b""


def test_a_mark_of_no_sample_is_refused(opened: Any) -> None:
    client, keys, log = opened
    assert _mark(client, [keys[0], "../../etc/passwd"]).status_code == 404
    assert log.marks.seq == 0


def test_two_reviewers_have_opinions_of_their_own(opened: Any) -> None:
    client, keys, log = opened
    _mark(client, keys[:1], "keep", reviewer="ann")
    news = _mark(client, keys[:1], "reject", "review_cut", reviewer="bob").json()
    assert [(m["reviewer"], m["mark"]) for m in news["changes"][keys[0]]] == [("ann", "keep"), ("bob", "reject")]
    assert news["counts"] == {"keep": 0, "reject": 1, "flip": 0}  # the newest holds
    client.post("/api/undo", json={"reviewer": "bob"})
    assert [m["reviewer"] for m in client.get("/api/rows?n=0").json()[0]["marks"]] == ["ann"]
    assert log.marks.counts()["keep"] == 1


def test_undo_takes_back_ones_own_newest_marks_one_after_the_other(opened: Any) -> None:
    client, keys, log = opened
    _mark(client, keys[:1], "keep")
    _mark(client, keys[:1], "flip")
    _mark(client, keys[:5], "reject", "review_blur")  # many at once are one action
    _mark(client, keys[5:6], "keep", reviewer="bob")
    marks = []
    for _ in range(4):
        client.post("/api/undo", json={"reviewer": "ann"})
        marks.append([action.mark for action in log.marks.opinions(keys[0])])
    assert marks == [["flip"], ["keep"], [], []]
    assert log.marks.keys == [keys[5]]
    assert Marks(read_log(log.path.parents[1])).keys == [keys[5]]


def test_a_torn_line_is_cut_off_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    keys = review_dataset(folder, 4)
    with open_log(folder) as log:
        log.mark("ann", "keep", "", keys[:1])
    whole = (folder / LOG).read_bytes()
    (folder / LOG).write_bytes(whole + b'{"seq":2,"time":"2026-01')
    assert len(read_log(folder)) == 1
    with open_log(folder) as log:
        log.mark("ann", "keep", "", keys[1:2])
    assert (folder / LOG).read_bytes().startswith(whole)
    assert [action.seq for action in read_log(folder)] == [1, 2]


@pytest.mark.parametrize("line", ["no json", "[]", '{"seq":9}', '{"seq":1,"time":"now","reviewer":"a","undo":1}'])
def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "reviews").mkdir()
    good = b'{"seq":1,"time":"2026-01-01T00:00:00.000+00:00","reviewer":"a","mark":"keep","keys":["k"]}\n'
    (tmp_path / LOG).write_bytes(good + line.encode() + b"\n" + good)
    with pytest.raises(InputError, match=r"damaged in line 2"):
        read_log(tmp_path)


def test_a_second_review_of_the_same_dataset_is_refused(opened: Any) -> None:
    folder = opened[2].path.parents[1]
    with pytest.raises(OutputError, match="another phq review is open"), open_log(folder):
        pass
    with pytest.raises(OutputError, match="another phq review is open"), no_review(folder):
        pass


def test_redacted_keys_leave_the_log(opened: Any) -> None:
    client, keys, log = opened
    _mark(client, keys[:2])
    _mark(client, keys[1:2], "flip")
    client.post("/api/undo", json={"reviewer": "ann"})
    log.path.write_bytes(without_keys(log.path.read_bytes(), {keys[1]}))
    assert keys[1].encode() not in log.path.read_bytes()
    assert Marks(read_log(log.path.parents[1])).keys == [keys[0]]


# --- marks as an overlay


def test_marks_become_an_overlay_with_reviewer_and_time(tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    keys = review_dataset(folder, 6)
    fold_rejects(folder, keys[:2])
    with open_log(folder, clock=lambda: "2026-01-02T03:04:05.678+00:00") as log:
        log.mark("ann", "keep", "", [keys[0]])
        log.mark("ann", "reject", "review_cut", [keys[3]])
        log.mark("bob", "keep", "", [keys[3]])
        log.mark("bob", "flip", "", [keys[4]])
        assert fold(folder, log.marks) == "review-1"
        assert fold(folder, log.marks) is None
    samples = Dataset(folder)
    assert samples.overlays == ["decided", "review-1"]
    assert samples.keys == [keys[0], keys[2], keys[3], keys[5]]
    row = samples[keys[3]].row
    assert (row["review"], row["reviewer"], row["reviewed_at"]) == ("keep", "bob", "2026-01-02T03:04:05.678+00:00")
    assert (row["reviewers"], row["reviewers_agree"]) == (2, False)
    assert Dataset(folder, rejects=True)[keys[4]].row["reason"] == "review_flip"


def test_what_is_taken_back_after_a_fold_is_again_as_without_any_review(tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    keys = review_dataset(folder, 5)
    fold_rejects(folder, keys[:1])
    with open_log(folder) as log:
        log.mark("ann", "reject", "review_blur", [keys[2]])
        log.mark("ann", "keep", "", [keys[0]])
        fold(folder, log.marks)
        assert Dataset(folder).keys == [keys[0], keys[1], *keys[3:]]
        log.undo("ann")
        log.undo("ann")
        assert fold(folder, log.marks) == "review-2"
    assert Dataset(folder).keys == keys[1:]
    assert Dataset(folder, rejects=True)[keys[0]].row["reason"] == "blurred"
    assert Dataset(folder, overlay="review-1").keys == [keys[0], keys[1], *keys[3:]]  # a state keeps its meaning


def test_marks_whose_log_is_gone_stay_in_their_overlay(tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    keys = review_dataset(folder, 4)
    with open_log(folder) as log:
        log.mark("ann", "reject", "review_blur", keys[:1])
        fold(folder, log.marks)
    (folder / LOG).unlink()
    with open_log(folder) as log:
        assert fold(folder, log.marks) is None
        log.mark("bob", "reject", "review_cut", keys[1:2])  # number 1 again
        assert fold(folder, log.marks) == "review-2"
    assert Dataset(folder).keys == keys[2:]


def test_the_page_shows_the_thresholds_decision_beside_the_marks(tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    keys = review_dataset(folder, 4)
    fold_rejects(folder, keys[:1])
    with open_log(folder) as log:
        log.mark("ann", "keep", "", [keys[0]])
        fold(folder, log.marks)
        record = _client(folder, log).get("/api/rows?n=0").json()[0]
    assert (record["rejected"], record["reason"]) == (True, "blurred")
    assert [mark["mark"] for mark in record["marks"]] == ["keep"]


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
            assert news["changes"][keys[5]][0]["reviewer"] == "bob"
    finally:
        server.kill()


def test_actions_are_checked_alike_from_the_log_and_from_the_page() -> None:
    Action(1, "", "ann", "reject", "review_other", ("k",)).checked()
    with pytest.raises(InputError, match="is no reason"):
        Action(1, "", "ann", "reject", "", ("k",)).checked()
    with pytest.raises(InputError, match="each once"):
        Action(1, "", "ann", "keep", "", ("k", "k")).checked()
