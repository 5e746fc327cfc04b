"""Look after a finished dataset: redact, merge, split, count, show, and hand over to FiftyOne."""
