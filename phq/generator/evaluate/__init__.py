"""Measures of a trained generator: ``phq gan evaluate RUN --data DATASET``; docs/generator.md."""
