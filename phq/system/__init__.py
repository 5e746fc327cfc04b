"""The machine: arrays, atomic files, locks, the journal of a dataset, threads and memory, logs."""
