"""Detecting people, whichever way they face: bodies, not faces."""
