"""Licences, authors and sources of a dataset, summed up for the card and ``croissant.json``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

MOST = 50
"""Most lines of a table; the manifest has all values."""
_HUB = frozenset((
    "apache-2.0", "cc", "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0",
    "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0",
    "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cdla-permissive-1.0", "cdla-permissive-2.0",
    "cdla-sharing-1.0", "gfdl", "mit", "odbl", "odc-by", "pddl", "unlicense", "wtfpl",
))  # fmt: skip
"""Identifiers of https://huggingface.co/docs/hub/repositories-licenses that are used for photographs."""
_DEED = re.compile(r"https?://(?:www\.)?creativecommons\.org/(licenses|publicdomain)/([a-z-]+)/(\d\.\d)(?:/.*)?")


def counted(rows: Iterable[Mapping[str, Any]], name: str) -> list[tuple[str, int]]:
    """(value, samples) of a field, most frequent first; '' where nothing was stated.

    Sources that are URLs are counted by host, since there is one for each photo.
    """
    return most_first(Counter(stated_as(name, row.get(name) or "") for row in rows))


def most_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Most frequent first, then in the order of the values."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def stated_as(name: str, value: str) -> str:
    """The value of a field as it is counted: of a source that is a URL, the host."""
    return _host(value) if name == "source" else value


def _host(source: str) -> str:
    try:
        parts = urlsplit(source)
    except ValueError:  # as in http://[x
        return source
    return parts.netloc if parts.scheme in ("http", "https") and parts.netloc else source


def hub_licence(licence: str) -> str:
    """Hugging Face identifier of a licence, given its usual name or the URL of its deed; '' if it has none."""
    text = licence.strip().lower()
    deed = _DEED.fullmatch(text)
    if deed:
        kind = "cc0" if deed[2] == "zero" else f"cc-{deed[2]}"
        text = f"{kind}-{deed[3]}"
    slug = _slug(text)
    return slug if slug in _HUB else ""


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")


def licence_lines(licences: Iterable[str]) -> Iterator[str]:
    """Front matter of the card: the one licence if all samples agree, ``unknown`` if none is stated, else ``other``.

    Args:
        licences: all that are stated, '' for none.
    """
    stated = set(licences) or {""}
    known = {hub_licence(text) for text in stated}
    if stated == {""}:
        yield 'license: "unknown"'
    elif len(known) == 1 and "" not in known:
        yield f'license: "{known.pop()}"'
    else:
        name = _slug(next(iter(stated))) if len(stated) == 1 else "per-sample"
        yield from ('license: "other"', f'license_name: "{name[:64] or "see-card"}"')
