"""From a list of photos to a dataset: plan, units, executors, and putting the dataset together."""
