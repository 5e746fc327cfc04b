"""Landmarks of one person: 33 in pixels and metres, with the mask of that person alone."""
