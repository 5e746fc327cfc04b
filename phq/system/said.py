"""What a library says of a file that it cannot read, as far as phq passes it on."""

from __future__ import annotations

import re

_UNSAFE = re.compile(r"unsafe|allow_pickle|weights_only|weights only|pickle|trust", re.IGNORECASE)


def reason_of(error: BaseException) -> str:
    """The first line of an error's message, or its class where it has none.

    numpy and torch advise to load a file that they refuse in a way that runs the program in it; none of that is passed
    on.
    """
    line = str(error).strip().split("\n", 1)[0] or type(error).__name__
    return "it holds Python objects, which could run a program and are not loaded" if _UNSAFE.search(line) else line
