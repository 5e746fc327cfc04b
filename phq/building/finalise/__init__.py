"""From the tables of finished units to the dataset: decide, find duplicates, split, order, write."""
