"""What is a URL, and what is a path on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from phq.dataset.root import Root
from phq.system.place import is_url


@pytest.mark.parametrize(
    "where", ["s3://bucket/set", "zip://a.tar::https://host/x.zip", "simplecache::s3://bucket/set", "zip::/tmp/x.zip"]
)
def test_urls(where: str) -> None:
    assert is_url(where)
    assert not is_url(Path(where))


def test_a_path_with_two_colons_is_a_path_where_it_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "zip::v1").mkdir()
    monkeypatch.chdir(tmp_path)
    for where in ("zip::v1", str(tmp_path / "zip::v1")):
        assert not is_url(where)
        assert Root(where).local == tmp_path / "zip::v1"
    assert is_url("zip::v2"), "nothing is there, and fsspec has such a protocol"
    assert not is_url(f"{tmp_path}/faces::v2"), "no protocol is called like that: a folder that is to be made"
