"""The dataset format: names and layout of its files, reading at random with overlays, writing, loading for training."""
