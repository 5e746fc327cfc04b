"""The samples that a dataset keeps: thresholds over stored scores, duplicates, scenes, faces, splits."""
