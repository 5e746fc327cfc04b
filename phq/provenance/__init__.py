"""Licence, author, source and identity of every photo: what a sidecar states, and what follows from it."""
