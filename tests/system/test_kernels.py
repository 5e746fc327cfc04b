"""What a dataset states of the machine, and what is said where another goes on."""

from __future__ import annotations

from phq.system.kernels import kernels, other_kernels


def test_the_libraries_and_the_processor_are_named() -> None:
    here = kernels()
    assert {"processor", "libc", "numpy", "blas", "opencv", "onnxruntime", "pillow", "scipy"} <= here.keys()
    assert all(here.values())


def test_another_processor_is_one_sentence() -> None:
    said = other_kernels({**kernels(), "processor": "x86_64 sse4_2"})
    assert said is not None
    assert "processor: x86_64 sse4_2, now" in said
    assert "\n" not in said


def test_the_same_machine_says_nothing() -> None:
    assert other_kernels(kernels()) is None
    assert other_kernels(None) is None
