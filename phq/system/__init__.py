"""What every room uses of the machine: arrays, files that appear whole, locks, the journal, processes, logs."""
