"""The one-quarter headshot: where it lies in the photo, and its resampling."""
