"""What the card says about licences, authors and sources."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from tiny_datasets import CARD, tiny_sample

from phq.dataset.card import dataset_card, stored_card
from phq.dataset.credits import MOST, counted, hub_licence
from phq.dataset.summary import COLUMNS, Summary
from phq.dataset.tables import rows_table


def rows(*stated: dict[str, str]) -> list[dict[str, Any]]:
    blank = {"licence": "", "author": "", "source": "", "identity": ""}
    return [tiny_sample(i).row | blank | fields for i, fields in enumerate(stated)]


def card(*stated: dict[str, str]) -> str:
    return dataset_card(CARD, {"train": len(stated)}, [], summary(rows(*stated)))


def summary(kept: list[dict[str, Any]]) -> Summary:
    """Counted in two parts."""
    return Summary(rows_table(part, COLUMNS) for part in (kept[:1], kept[1:]))


def licence_of(*licences: str) -> tuple[str, str | None]:
    front = yaml.safe_load(card(*({"licence": licence} for licence in licences)).split("---\n")[1])
    return front["license"], front.get("license_name")


@pytest.mark.parametrize(
    ("licence", "identifier"),
    [
        ("CC-BY-4.0", "cc-by-4.0"),
        ("CC BY-NC-SA 4.0", "cc-by-nc-sa-4.0"),
        ("CC0 1.0", "cc0-1.0"),
        ("https://creativecommons.org/licenses/by/2.0/", "cc-by-2.0"),
        ("http://www.creativecommons.org/publicdomain/zero/1.0/deed.en", "cc0-1.0"),
        ("https://creativecommons.org/licenses/by/9.9/", ""),
        ("All rights reserved", ""),
        ("", ""),
    ],
)
def test_usual_names_and_deeds_are_the_hubs_identifiers(licence: str, identifier: str) -> None:
    assert hub_licence(licence) == identifier


def test_the_front_matter_has_the_one_licence_if_all_agree() -> None:
    assert licence_of() == ("unknown", None)
    assert licence_of("", "") == ("unknown", None)
    assert licence_of("CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/") == ("cc-by-4.0", None)
    assert licence_of("My Own: terms!") == ("other", "my-own-terms")
    assert licence_of("私の") == ("other", "see-card")
    for mixed in (("MIT", "CC0-1.0"), ("MIT", ""), ("mine", "yours"), ("MIT", "mine")):
        assert licence_of(*mixed) == ("other", "per-sample")


def test_sources_count_by_host() -> None:
    urls = ("https://x.org/1", "http://x.org/2", "film roll 3", "http://[x", "")
    assert counted(rows(*({"source": url} for url in urls)), "source") == [
        ("x.org", 2), ("", 1), ("film roll 3", 1), ("http://[x", 1)
    ]  # fmt: skip


def test_a_long_list_of_authors_is_cut_and_says_so() -> None:
    text = card(*({"author": f"author {i:03d}"} for i in range(MOST + 7)), {"author": "author 000"})
    assert "| author 000 | 2 |\n| author 001 | 1 |" in text
    assert text.count("| author ") == MOST + 1  # and the head of the table
    assert "… and 7 more, of 7 samples." in text


def test_a_name_cannot_break_the_table() -> None:
    text = card({"author": "a|b\n<script>" + "x" * 1000})
    (line,) = [line for line in text.splitlines() if line.startswith("| a") and "script" in line]
    assert line.startswith("| a\\|b &lt;script>xxx")
    assert len(line) < 230


def test_people_in_two_splits_are_counted() -> None:
    kept = rows({"identity": "Anna; Bo"}, {"identity": "Bo"}, {"identity": "Cy"})
    kept[1]["split"] = "val"
    text = dataset_card(CARD, {"train": 2, "val": 1}, [], summary(kept))
    assert "tells 3 people apart; 1 of them are in two splits" in text
    assert "Anna" not in text


def test_a_stored_card_is_the_card() -> None:
    assert stored_card({"card": CARD.record(), "seed": 1}) == CARD
