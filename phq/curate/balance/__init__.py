"""Sampling weights, or a subset, that even out a dataset's directions and head poses: ``phq balance``."""
