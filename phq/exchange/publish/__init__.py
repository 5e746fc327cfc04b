"""A dataset for others: what is published, what is checked before, and where it goes."""
