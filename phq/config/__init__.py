"""Settings: presets, a user's TOML file and ``--set``, each over the one before it."""
