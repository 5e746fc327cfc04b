"""Sampling weights, or a subset, by which directions and head poses are balanced: ``phq balance``."""
