"""Whether a dataset still is what the format promises, byte by byte, and what of it can be put right."""
