"""What is believed of a person's orientation before the body is fitted to all evidence."""

from __future__ import annotations
