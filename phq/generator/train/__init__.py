"""Training of the bundled generator from phq shards: docs/train.md.

`config` can be read without torch; everything else needs it (``pip install 'phq[train]'``).
"""
