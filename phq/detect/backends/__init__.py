"""Back ends: the networks for each slot of the pipeline, chosen by a spec in the configuration."""
