"""Servers that fail for a moment: while photos are read, while a dataset is read."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator

import fsspec
import pytest
from encoded_pictures import encoded, small_picture
from unreliable_server import Server, misbehaving

from phq.building.finalise import shards
from phq.building.finalise.gather import DamagedUnitError, unit_errors
from phq.dataset.root import Root
from phq.errors import InputError, OutputError
from phq.photos.decode import PhotoRejectError, decode
from phq.system import retrying
from phq.system.place import place
from phq.system.retrying import ATTEMPTS, ShortReadError, is_passing, retried

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were waited; none are."""
    waited: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waited.append)
    return waited


@pytest.fixture
def server(waits: list[float]) -> Iterator[Server]:
    with misbehaving() as found:
        found.files["a.bin"] = CONTENT
        yield found


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_refusal_that_passes_is_asked_again_and_told(server: Server, caplog, status: int) -> None:
    server.status["a.bin"] = [status] * 3
    with caplog.at_level(logging.WARNING, "phq"):
        assert Root(server.url).read("a.bin", 100, 50) == CONTENT[100:150]
    assert len(server.asked) == 4
    told = [record.getMessage() for record in caplog.records if record.name == "phq"]
    assert [f"attempt {n} of {ATTEMPTS}" in line for n, line in enumerate(told, 2)] == [True] * 3
    assert all(f"a.bin of {server.url}" in line and str(status) in line for line in told)


def test_retry_after_is_kept_to_but_not_for_hours(server: Server, waits: list[float]) -> None:
    server.status["a.bin"], server.extra["Retry-After"] = [503], "7"
    Root(server.url).read("a.bin", 0, 5)
    assert waits == [7.0]
    server.status["a.bin"], server.extra["Retry-After"] = [503], "86400"
    Root(server.url).read("a.bin", 0, 5)
    assert waits[1:] == [retrying.LONGEST_WAIT_S]


def test_a_body_cut_short_is_asked_for_again(server: Server) -> None:
    server.cuts = [10, 20]
    assert Root(server.url).read("a.bin", 100, 50) == CONTENT[100:150]
    server.cuts = [1000]
    assert Root(server.url).read("a.bin") == CONTENT
    server.cuts = [3]
    assert Root(server.url).read_ranges("a.bin", [(0, 10), (5000, 5010)]) == [CONTENT[:10], CONTENT[5000:5010]]


def test_a_body_cut_short_without_a_length_is_told_from_the_end_of_the_file(server: Server, waits) -> None:
    server.lengths, server.cuts = False, [10]
    assert Root(server.url).read("a.bin", 100, 50) == CONTENT[100:150]
    assert len(waits) == 1
    end = len(CONTENT)
    assert Root(server.url).read("a.bin", end - 5, 50) == CONTENT[-5:]  # the file is no longer than this
    assert len(waits) == 1
    server.cuts = [10] * 50
    with pytest.raises(InputError, match=r"the server sent 10 bytes from 100 on, of a file of 10240"):
        Root(server.url).read("a.bin", 100, 50)


def test_what_does_not_pass_is_said_at_once(server: Server, waits: list[float]) -> None:
    with pytest.raises(InputError, match="has no file gone"):
        Root(server.url).read("gone.bin", 0, 5)
    server.status["a.bin"] = [403]
    with pytest.raises(InputError, match="403"):
        Root(server.url).read("a.bin", 0, 5)
    assert not waits
    server.status["a.bin"] = [503] * 50
    with pytest.raises(InputError, match="503"):
        Root(server.url).read("a.bin", 0, 5)
    assert len(waits) == ATTEMPTS - 1


def test_a_photo_is_asked_for_again(server: Server, waits: list[float]) -> None:
    server.files["a.jpg"] = photo = encoded(small_picture(), "JPEG")
    server.status["a.jpg"], server.cuts = [503, 429], [500]
    assert decode(place(f"{server.url}/a.jpg")).pixels.shape == (120, 160, 3)
    server.lengths, server.cuts = False, [500]
    assert decode(place(f"{server.url}/a.jpg")).pixels.shape == (120, 160, 3)
    assert len(waits) == 4
    server.files["cut.jpg"] = photo[: len(photo) // 2]  # damage: the server has no more
    with pytest.raises(PhotoRejectError, match="truncated"):
        decode(place(f"{server.url}/cut.jpg"))
    assert len(waits) == 4
    server.status["a.jpg"] = [503] * 50
    with pytest.raises(PhotoRejectError, match=r"unreadable.*503"):
        decode(place(f"{server.url}/a.jpg"))


def test_samples_of_an_unfinished_build_are_asked_for_again(waits: list[float], monkeypatch) -> None:
    work = place("memory://retried/work")
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/retried/work/000000.bin", CONTENT)
    samples = [{"unit": 0, "jpg_offset": n, "jpg_size": 10, "json_size": 0, "mask_size": 0} for n in (0, 100)]
    whole, failing = type(fs).cat_file, [TimeoutError(), b"short", OSError(errno.EBUSY, "slow down")]

    def cat_file(self, path, start=None, end=None, **more):
        result = failing.pop(0) if failing else whole(self, path, start, end, **more)
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(type(fs), "cat_file", cat_file)
    assert shards.contents(work, samples) == [CONTENT[:10], CONTENT[100:110]]
    failing.extend([TimeoutError("no answer")] * 50)
    with pytest.raises(OutputError, match="the server fails again and again: no answer; what was finished is kept"):
        shards.contents(work, samples)


def test_damage_is_no_failing_server() -> None:
    with pytest.raises(DamagedUnitError), unit_errors(3):
        raise EOFError("no data")
    with pytest.raises(OutputError, match="unit 3 cannot be read"), unit_errors(3):
        raise ConnectionResetError("gone")


def test_errors_that_pass() -> None:
    class ClientError(Exception):  # as botocore's
        def __init__(self, status: int) -> None:
            self.response = {"ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {"retry-after": "3"}}}

    def wrapped(cause: Exception) -> Exception:
        error = OSError("translated")
        error.__cause__ = cause
        return error

    passing = [ClientError(503), wrapped(ClientError(429)), TimeoutError(), ShortReadError(), ConnectionResetError()]
    assert all(is_passing(error) for error in passing)
    lasting = [ClientError(403), wrapped(ClientError(404)), FileNotFoundError(), PermissionError(), ValueError()]
    assert not any(is_passing(error) for error in lasting)


def test_the_result_of_the_first_success(waits: list[float]) -> None:
    answers = iter([TimeoutError(), TimeoutError(), "here"])

    def request() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert retried("it", request) == "here"
    assert len(waits) == 2
    assert max(waits) <= 1.0
