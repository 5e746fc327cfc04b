"""Back ends: the networks that may stand at each place of the pipeline, each chosen by a word of the configuration."""
