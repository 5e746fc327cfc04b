"""The mask of one person, and of nobody else."""
