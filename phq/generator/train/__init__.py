"""Training of the bundled generator from phq shards: docs/training.md.

`config` can be read without torch; everything else needs it (``pip install 'phq[train]'``).
"""
