"""Settings: presets, a user's TOML file and ``--set``, one over the other."""
