"""What is passed on of a library's message."""

from __future__ import annotations

import io

import numpy as np
import pytest

from phq.system.said import reason_of


def test_no_advice_to_load_a_program_is_passed_on() -> None:
    packed = io.BytesIO()
    np.savez(packed, w=np.array([{}], object))
    for data in (b"not numpy", packed.getvalue()):
        with pytest.raises(ValueError, match="pickle") as refused:
            np.load(io.BytesIO(data), allow_pickle=False)["w"]
        assert reason_of(refused.value) == "it holds Python objects, which could run a program and are not loaded"


def test_other_messages_are_their_first_line() -> None:
    assert reason_of(ValueError("damaged\nsecond line")) == "damaged"
    assert reason_of(EOFError()) == "EOFError"
