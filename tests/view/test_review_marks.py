"""Marks of the review page: one that was confirmed is never lost, and an overlay says them all."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from review_client import client_of, mark, throw_out
from review_dataset import review_dataset

from phq.dataset.folder import MARKS_LOG as LOG
from phq.dataset.marks import Action, Marks
from phq.dataset.marks_log import no_review, open_log, read_log, without_keys
from phq.dataset.reader import Dataset
from phq.errors import InputError, OutputError
from phq.view.review.overlay import fold

# --- the log


def test_a_mark_is_on_the_disk_before_the_answer(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client, keys, log = opened
    synced: list[bytes] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (fsync(handle), synced.append(log.path.read_bytes()))[0])
    answer = mark(client, keys[:2], "reject", "review_blur").json()
    assert len(synced) == 1
    assert all(key.encode() in synced[0] for key in keys[:2])
    assert answer["seq"] == 1
    assert [m["mark"] for m in answer["changes"][keys[0]]["marks"]] == ["reject"]
    assert answer["counts"] == {"keep": 0, "reject": 2, "flip": 0}


def test_a_mark_that_cannot_be_written_has_not_happened(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client, keys, log = opened
    mark(client, keys[:1])
    before = log.path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    response = mark(client, keys[1:2])
    assert response.status_code == 507
    assert "disk is full" in response.json()["error"]
    monkeypatch.undo()
    assert log.path.read_bytes() == before
    assert mark(client, keys[1:2]).json()["seq"] == 2
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
    assert mark(client, [keys[0], "../../etc/passwd"]).status_code == 404
    assert log.marks.seq == 0


def test_two_reviewers_have_opinions_of_their_own(opened: Any) -> None:
    client, keys, log = opened
    mark(client, keys[:1], "keep", reviewer="ann")
    news = mark(client, keys[:1], "reject", "review_cut", reviewer="bob").json()
    said = [(m["reviewer"], m["mark"]) for m in news["changes"][keys[0]]["marks"]]
    assert said == [("ann", "keep"), ("bob", "reject")]
    assert news["counts"] == {"keep": 0, "reject": 1, "flip": 0}  # the newest holds
    client.post("/api/undo", json={"reviewer": "bob"})
    assert [m["reviewer"] for m in client.get("/api/rows?n=0").json()[0]["marks"]] == ["ann"]
    assert log.marks.counts()["keep"] == 1


def test_undo_takes_back_ones_own_newest_marks_one_after_the_other(opened: Any) -> None:
    client, keys, log = opened
    mark(client, keys[:1], "keep")
    mark(client, keys[:1], "flip")
    mark(client, keys[:5], "reject", "review_blur")  # many at once are one action
    mark(client, keys[5:6], "keep", reviewer="bob")
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
    mark(client, keys[:2])
    mark(client, keys[1:2], "flip")
    client.post("/api/undo", json={"reviewer": "ann"})
    log.path.write_bytes(without_keys(log.path.read_bytes(), {keys[1]}))
    assert keys[1].encode() not in log.path.read_bytes()
    assert Marks(read_log(log.path.parents[1])).keys == [keys[0]]


def test_actions_are_checked_alike_from_the_log_and_from_the_page() -> None:
    Action(1, "", "ann", "reject", "review_other", ("k",)).checked()
    with pytest.raises(InputError, match="is not a reason"):
        Action(1, "", "ann", "reject", "", ("k",)).checked()
    with pytest.raises(InputError, match="each once"):
        Action(1, "", "ann", "keep", "", ("k", "k")).checked()


# --- marks as an overlay


def test_marks_become_an_overlay_with_reviewer_and_time(tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    keys = review_dataset(folder, 6)
    throw_out(folder, keys[:2])
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
    throw_out(folder, keys[:1])
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
    assert Dataset(folder, revision="review-1").keys == [keys[0], keys[1], *keys[3:]]  # a state keeps its meaning


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
    throw_out(folder, keys[:1])
    with open_log(folder) as log:
        log.mark("ann", "keep", "", [keys[0]])
        fold(folder, log.marks)
        record = client_of(folder, log).get("/api/rows?n=0").json()[0]
    assert (record["rejected"], record["reason"]) == (True, "blurred")
    assert [mark["mark"] for mark in record["marks"]] == ["keep"]


# --- tags, and doing again


def _tag(client: Any, keys: list[str], tag: str, mark: str = "tag", reviewer: str = "ann") -> Any:
    return client.post("/api/marks", json={"reviewer": reviewer, "mark": mark, "tag": tag, "keys": keys})


def test_a_tag_is_no_opinion_and_reaches_the_overlay(opened: Any) -> None:
    client, keys, log = opened
    folder = log.path.parents[1]
    mark(client, keys[:1], "reject", "review_blur")
    news = _tag(client, keys[:3], "hat").json()
    assert news["changes"][keys[0]]["tags"] == ["hat"]
    assert (news["counts"], news["tags"]) == ({"keep": 0, "reject": 1, "flip": 0}, {"hat": 3})
    _tag(client, keys[2:3], "hat", "untag", reviewer="bob")
    assert _tag(client, keys[1:2], "a b").json()["tags"] == {"hat": 2, "a b": 1}
    assert client.get("/api/choose?q=" + '{"tags":["hat"]}').content == b"\0\0\0\0\1\0\0\0"
    fold(folder, log.marks)
    rows = Dataset(folder, rejects=True, where="tags like '%hat%'")
    assert [(row.row["tags"], row.row["decision"], row.row["review"]) for row in rows] == [
        ("hat", "rejected", "reject"), ("a b;hat", "kept", ""),
    ]  # fmt: skip
    _tag(client, keys[1:2], "hat", "untag")
    fold(folder, log.marks)
    assert Dataset(folder, rejects=True, where="tags = 'a b'").keys == keys[1:2]


def test_a_tag_that_was_taken_back_leaves_the_overlay(opened: Any) -> None:
    client, keys, log = opened
    folder = log.path.parents[1]
    _tag(client, keys[:1], "hat")
    fold(folder, log.marks)
    client.post("/api/undo", json={"reviewer": "ann"})
    fold(folder, log.marks)
    assert Dataset(folder, rejects=True)[keys[0]].row["tags"] == ""
    assert Marks(read_log(folder)).tag_counts() == {}


def test_what_was_undone_is_done_again_until_something_new_is_done(opened: Any) -> None:
    client, keys, log = opened
    who = {"reviewer": "ann"}
    mark(client, keys[:2])
    _tag(client, keys[:1], "hat")
    for _ in range(2):
        client.post("/api/undo", json=who)
    assert client.post("/api/redo", json={"reviewer": "bob"}).json()["changes"] == {}
    first = client.post("/api/redo", json=who).json()
    assert (first["counts"]["keep"], first["tags"]) == (2, {})
    undone = Marks(read_log(log.path.parents[1])).undone_of("ann")  # as a new server reads it
    assert undone is not None
    assert undone.tag == "hat"
    assert client.post("/api/redo", json=who).json()["tags"] == {"hat": 1}
    assert client.post("/api/redo", json=who).json()["changes"] == {}
    client.post("/api/undo", json=who)
    mark(client, keys[3:4])
    assert client.post("/api/redo", json=who).json()["changes"] == {}
    client.post("/api/undo", json=who)
    client.post("/api/undo", json=who)
    assert log.marks.counts()["keep"] == 0


@pytest.mark.parametrize(
    "body",
    [{"tag": ""}, {"tag": "a;b"}, {"tag": " a"}, {"tag": "x" * 65}, {"tag": "a\n"}, {"mark": "keep", "tag": "a"}],
)
def test_a_tag_that_is_none_is_refused(opened: Any, body: dict[str, str]) -> None:
    client, keys, log = opened
    sent = {"reviewer": "ann", "mark": "tag", "keys": keys[:1]} | body
    assert client.post("/api/marks", json=sent).status_code == 400
    assert log.path.read_bytes() == b""
