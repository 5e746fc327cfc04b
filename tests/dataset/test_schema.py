"""The published JSON Schema is the one of the code; records are rounded as numbers one by one would be."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from phq.schema import json_schema, plain, rounded, rounded_floats

STORED = Path(__file__).parents[2] / "schemas" / "sample.schema.json"


def test_stored_schema_is_that_of_the_code() -> None:
    stored = json.loads(STORED.read_text("utf-8"))
    assert stored == json_schema(), "run: python -m phq.schema > schemas/sample.schema.json"


@given(
    st.lists(st.floats(allow_nan=False) | st.integers(-(10**9), 10**9).map(lambda n: n / 2e6)), st.sampled_from([6, 9])
)
@example([0.0000005, 2.0000015, -0.0, 1e300, 5e-324, math.inf], 6)
def test_floats_rounded_at_once_are_what_round_gives(numbers: list[float], digits: int) -> None:
    found = rounded_floats(numbers, digits)
    assert found == [round(number, digits) + 0.0 for number in numbers]
    assert not any(math.copysign(1, number) < 0 for number in found if number == 0)


def test_a_record_keeps_its_order_and_its_kinds() -> None:
    record = {"b": np.float32(1.25), "key": "x", "cam2world": np.ones((2, 2)) / 3, "a": [1, 2.5], "n": -0.0, "e": [],
              "pose_observed": [True], "intrinsics": [1 / 3, 2.0], "i": 7, "none": None}  # fmt: skip
    assert repr(plain(record)) == repr({name: rounded(name, value) for name, value in record.items()})
