"""Verification of a dataset against the format, byte by byte, and repair."""
