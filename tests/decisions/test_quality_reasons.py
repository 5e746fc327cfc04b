from __future__ import annotations

import re
from pathlib import Path
from runpy import run_path

import pytest
from encoded_pictures import has_heif
from PIL import features
from unusable_photos import bad_inputs

from phq.config.build import Config
from phq.config.reading import setting_names
from phq.reasons import REASONS, RULE_BY_ADDRESS, RULES, reason_names, reasons_markdown
from phq.schema import Sample


def test_every_score_of_a_sample_has_a_rule_and_every_rule_a_score() -> None:
    fields = list(Sample.model_fields)
    scores = set(fields[fields.index("source_px_per_px") : fields.index("phash")])
    scores |= {"p_flip", "yaw_sigma_deg", "face_score", "face_pixelation"}
    scores |= {"detection_score", "detector_score", "skeleton_score", "box_px", "crop_side_px"}
    assert {rule.score for rule in RULES} == scores


def test_names_are_unique_and_plain() -> None:
    names = [r.name for r in REASONS] + [rule.reason for rule in RULES]
    assert len(names) == len(set(names)) == len(reason_names())
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", name) for name in names)
    assert len(RULE_BY_ADDRESS) == len(RULES)


def test_a_threshold_is_never_taken_for_a_setting() -> None:
    assert not {name.split(".")[0] for name in setting_names(Config)} & {rule.name for rule in RULES}


def test_the_markdown_tables_have_a_row_for_each() -> None:
    lines = reasons_markdown().splitlines()
    assert sum(line.startswith("`") for line in lines) == len(REASONS) + len(RULES)
    assert all(line.count(" | ") == 2 for line in lines if "`blur" in line)
    assert any("`blurred`" in line and "`blur.min`" in line for line in lines)
    assert any("`truncated`" in line for line in lines)


def test_the_document_is_that_of_the_code() -> None:
    if not (has_heif() and features.check("avif")):
        pytest.skip("the document names files that cannot be made here")
    root = Path(__file__).parents[2]
    document, made = root / "docs" / "reasons.md", run_path(str(root / "tools" / "reasons_page.py"))["page"]()
    assert document.read_text("utf-8") == made, "run: python tools/reasons_page.py > docs/reasons.md"
    assert sum(len(names) for names in bad_inputs().values()) >= 100
