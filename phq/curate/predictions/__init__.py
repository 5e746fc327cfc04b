"""Predictions that other programs made of a dataset's people, taken as labels or fused with those it has."""
