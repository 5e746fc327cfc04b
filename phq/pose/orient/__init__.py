"""Torso and head orientation over the full circle, from the picture and from the landmarks, with its uncertainty."""
