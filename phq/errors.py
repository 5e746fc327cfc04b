"""The errors that phq raises on purpose."""

from __future__ import annotations


class PhqError(Exception):
    """Base of every error that phq raises on purpose; its text is a message to the user."""


class ConfigError(PhqError):
    """A configuration, preset or ``--set`` that cannot be used."""


class InputError(PhqError):
    """An input cannot be used: photos, a dataset, a sidecar, an option that names something that does not exist."""


class OutputError(PhqError):
    """Output cannot be written: full disk, no permission, or files in the way that phq did not write."""


class WeightError(PhqError):
    """A weight file is missing, or its checksum is wrong."""


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
