"""Measures of a trained generator: ``phq evaluate gan RUN --data DATASET``; docs/generator.md."""
