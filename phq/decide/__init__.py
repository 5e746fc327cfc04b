"""Deciding again from stored scores: what would enter and leave, and the overlay that makes it so."""
