"""Everything phq raises on purpose, and the reject that a bad photo turns into."""

from __future__ import annotations


class PhqError(Exception):
    """Base of every error phq raises on purpose; its text is meant for the person at the terminal."""


class ConfigError(PhqError):
    """A configuration, preset or ``--set`` that cannot be used."""


class InputError(PhqError):
    """The list of inputs itself is unusable (no such folder, an empty list, a glob that matches nothing)."""


class OutputError(PhqError):
    """The output folder cannot be used: full disk, no permission, or it belongs to another build."""


class WeightError(PhqError):
    """A weight file is missing or is not the file its checksum promises."""


class MissingExtraError(PhqError):
    """An optional package is needed; the message names the extra that installs it."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs the package '{package}': pip install 'phq[{extra}]'")


class RejectError(PhqError):
    """A photo (or a person in it) that cannot be used, with a reason from `phq.reasons`.

    Raised by a stage's pure core and turned into a row of ``rejects.parquet`` by the pipeline.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
