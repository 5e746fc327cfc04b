"""Look after a finished dataset: annotate again, bake, verify, redact, merge, split and balance."""
