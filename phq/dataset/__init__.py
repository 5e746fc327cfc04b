"""A finished dataset, read: by index, key or filter, at random, from a folder or a URL, with its overlays."""
