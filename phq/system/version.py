"""The version of phq."""

__version__ = "0.1.0"
