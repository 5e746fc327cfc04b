"""Downloads: what a bad server, a bad line or a second process can do to them."""

from __future__ import annotations

import errno
import io
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
import requests
from unreliable_server import Server
from weights_catalogue import CONTENT, SHA256, catalogue_of

from phq.errors import OutputError, WeightError
from phq.weights import catalogue
from phq.weights.download import CHUNK
from phq.weights.store import pull, weights_path

CUT = 6 * CHUNK

pytestmark = pytest.mark.usefixtures("cache")


def only_file(folder: Path) -> list[str]:
    """Everything in the cache but locks."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_it_comes_once_and_is_checked_before_each_use(server: Server, cache: Path) -> None:
    with pytest.raises(WeightError, match="not here: phq weights pull known"):
        weights_path("known")
    first = pull("known")
    assert first.downloaded
    assert first.path.read_bytes() == CONTENT
    assert only_file(cache) == ["known.bin"]
    assert not pull("known").downloaded
    assert len(server.asked) == 1
    assert weights_path("known") == first.path
    first.path.write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(WeightError, match="sha256"):
        weights_path("known")
    assert pull("known").downloaded, "a damaged file is fetched anew"


def test_a_cut_connection_is_continued_where_it_broke(server: Server, cache: Path) -> None:
    server.cuts = [CUT, 3 * CHUNK, 0, 0]
    assert pull("known").path.read_bytes() == CONTENT
    starts = [asked for _, asked in server.asked]
    assert starts == ["", f"bytes={CUT}-", *[f"bytes={CUT + 3 * CHUNK}-"] * 3]
    assert server.sent == len(CONTENT)


def test_a_later_call_continues_what_an_earlier_one_began(server: Server, cache: Path) -> None:
    server.cuts = [CUT] + [0] * 10
    with pytest.raises(WeightError, match=f"breaks the connection.*{CUT} bytes are kept"):
        pull("known")
    assert only_file(cache) == ["known.bin.part"]
    server.cuts = []
    pull("known")
    assert server.sent == len(CONTENT)
    assert only_file(cache) == ["known.bin"]


def test_a_server_that_ignores_ranges_sends_all_again(server: Server) -> None:
    server.ranges, server.cuts = False, [CUT]
    assert pull("known").path.read_bytes() == CONTENT
    assert server.sent == CUT + len(CONTENT)


def test_a_server_that_always_cuts_at_the_same_place_is_given_up(server: Server) -> None:
    server.ranges, server.cuts = False, [CUT] * 50
    with pytest.raises(WeightError, match="5 times in a row"):
        pull("known")
    assert len(server.asked) == 6


def test_a_file_that_changed_between_two_requests_is_not_mixed(server: Server, cache: Path) -> None:
    server.files["known.bin"], server.cuts = CONTENT[::-1], [CUT] + [0] * 10
    with pytest.raises(WeightError):
        pull("known")
    server.files["known.bin"], server.cuts = CONTENT, []
    assert pull("known").path.read_bytes() == CONTENT


def test_wrong_bytes_are_refused_and_deleted(server: Server, cache: Path) -> None:
    server.files["known.bin"] = CONTENT[:-1] + b"x"
    with pytest.raises(WeightError, match=rf"127\.0\.0\.1 sends another file \(sha256 .*expected {SHA256}"):
        pull("known")
    assert only_file(cache) == []
    with pytest.raises(WeightError, match="not here"):
        weights_path("known")


def test_a_part_of_the_full_length_is_taken_if_right_and_fetched_anew_if_not(server: Server, cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "known.bin.part").write_bytes(CONTENT)
    pull("known")
    assert server.asked == []
    (cache / "known.bin").rename(cache / "known.bin.part")
    with (cache / "known.bin.part").open("r+b") as part:
        part.write(b"wrong")
    assert pull("known").path.read_bytes() == CONTENT


@pytest.mark.parametrize("rest", [b"", CONTENT])
def test_a_part_that_is_too_long_is_dropped(cache: Path, rest: bytes) -> None:
    cache.mkdir(parents=True)
    (cache / "known.bin.part").write_bytes(CONTENT + b"more" + rest)
    assert pull("known").path.read_bytes() == CONTENT


def test_a_file_of_another_size_is_left_alone(server: Server, cache: Path) -> None:
    server.files["known.bin"] = CONTENT + b"x"
    with pytest.raises(WeightError, match="300001 bytes there, expected 300000"):
        pull("known")
    assert server.sent <= 300_001
    assert only_file(cache) == []


@pytest.mark.parametrize(
    ("status", "said"),
    [(404, r"has no such file \(404 Not Found\)"), (403, "does not allow it"), (401, "asks for a login"), (418, "418")],
)
def test_a_refusal_is_final(server: Server, status: int, said: str) -> None:
    server.status = {"known.bin": [status] * 9}
    with pytest.raises(WeightError, match=said):
        pull("known")
    assert len(server.asked) == 1


def test_a_server_in_trouble_is_asked_again(server: Server) -> None:
    server.status = {"known.bin": [503, 500, 429]}
    pull("known")
    assert len(server.asked) == 4
    server.status = {"other.bin": [503] * 9}
    with pytest.raises(WeightError, match="answers 503 Service Unavailable, 5 times in a row"):
        pull("other")


def test_redirects_are_followed_unless_they_have_no_end(server: Server) -> None:
    server.files["elsewhere"], server.cuts = CONTENT, [1000]
    server.redirects = {"known.bin": "/elsewhere", "other.bin": "/a/other.bin"}
    assert pull("known").path.read_bytes() == CONTENT
    with pytest.raises(WeightError, match="redirects without end"):
        pull("other")


def test_https_does_not_become_http(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(*_: object, **__: object) -> requests.Response:
        answer = requests.Response()
        answer.status_code, answer.url, answer.raw = 200, "http://elsewhere.test/known.bin", io.BytesIO()
        return answer

    monkeypatch.setattr(requests.Session, "get", get)
    monkeypatch.setenv("PHQ_MIRROR", "https://mirror.test")
    with pytest.raises(WeightError, match=r"mirror\.test leads away from https"):
        pull("known")


def test_an_encoded_answer_is_not_taken_for_the_file(server: Server) -> None:
    server.extra = {"Content-Encoding": "gzip"}
    with pytest.raises(WeightError, match="another encoding"):
        pull("known")


def test_a_cut_is_seen_where_the_server_states_no_length(server: Server) -> None:
    server.lengths, server.cuts = False, [CUT]
    assert pull("known").path.read_bytes() == CONTENT
    assert len(server.asked) == 2


def moved(to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address of ``known`` is another."""
    entry = vars(catalogue.remotes()["known"]) | {"url": to}
    monkeypatch.setattr(catalogue, "FILE", catalogue_of(tmp_path / "moved.json", entry))


def test_an_unreachable_server_is_said(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHQ_MIRROR", "http://127.0.0.1:1 nonsense://mirror")
    pull("known").path.unlink()
    moved("http://127.0.0.1:1/known.bin", tmp_path, monkeypatch)
    with pytest.raises(WeightError, match=r"cannot be reached.*mirror is no address.*127\.0\.0\.1 cannot be reached"):
        pull("known")


def test_mirrors_come_first_and_are_held_to_the_checksum(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHQ_MIRROR", f"{server.url}/one/, {server.url}/two")
    server.status = {"known.bin": [404]}
    pull("known")
    assert [path for path, _ in server.asked] == ["/one/known.bin", "/two/known.bin"]


def test_a_mirror_with_wrong_bytes_does_not_spoil_the_next(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHQ_MIRROR", f"{server.url}/mirror")
    right, wrong = CONTENT, CONTENT[:-1] + b"x"
    server.before = lambda: server.files.update({"known.bin": wrong if "mirror" in server.asked[-1][0] else right})
    assert pull("known").path.read_bytes() == CONTENT


def test_the_company_proxy_of_the_environment_is_used(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved("http://weights.test/known.bin", tmp_path, monkeypatch)
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    pull("known").path.unlink()
    assert server.asked[0][0] == "http://weights.test/known.bin", "the proxy is asked for the whole address"
    monkeypatch.setenv("http_proxy", "http://user:secret@127.0.0.1:1")
    with pytest.raises(WeightError, match=r"weights\.test is behind a proxy.*HTTPS_PROXY") as caught:
        pull("known")
    assert "secret" not in str(caught.value)


def test_an_untrusted_certificate_names_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(session: requests.Session, *_: object, **__: object) -> None:
        assert session.verify == "/company.pem"
        raise requests.exceptions.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate")

    monkeypatch.setenv("SSL_CERT_FILE", "/company.pem")
    monkeypatch.setattr(requests.Session, "get", get)
    with pytest.raises(WeightError, match="REQUESTS_CA_BUNDLE"):
        pull("known")


def test_offline_connects_to_nothing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WeightError, match=r"offline; .*weights pull known', then copy known\.bin into .*weights"):
        pull("known", connect=False)
    monkeypatch.setenv("PHQ_OFFLINE", "1")
    with pytest.raises(WeightError, match="offline"):
        pull("known")
    assert server.asked == []
    monkeypatch.setenv("PHQ_OFFLINE", "0")
    pull("known")
    assert not pull("known", connect=False).downloaded


def test_a_disk_without_room_is_told_before_anything_comes(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**6, 9 * 10**5, 10**5))
    with pytest.raises(OutputError, match=r"known\.bin needs 300\.0 kB more.*100\.0 kB left.*PHQ_CACHE"):
        pull("known")
    assert only_file(cache) == []


def test_a_disk_that_fills_up_keeps_what_came(server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"the disk is full.*continues from what is finished"):
        pull("known")
    monkeypatch.undo()
    assert (cache / "known.bin.part").is_file()


def test_a_cache_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PHQ_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="cannot write"):
        pull("known")


PULLING = """
import sys
from pathlib import Path
from phq.weights import catalogue
from phq.weights.store import pull
catalogue.FILE = Path(sys.argv[1])
print(pull("known").downloaded)
"""


def test_two_processes_that_pull_the_same_take_turns(server: Server, cache: Path) -> None:
    server.cuts = [CUT, CUT]
    call = [sys.executable, "-c", PULLING, str(catalogue.FILE)]
    running = [subprocess.Popen(call, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(process.communicate(timeout=60)[0].strip() for process in running)
    assert said == ["False", "True"]
    assert (cache / "known.bin").read_bytes() == CONTENT
    assert server.sent == len(CONTENT)


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(WeightError, match=r"no weights 'knwon': did you mean known\?"):
        pull("knwon")
