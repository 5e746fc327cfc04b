"""A dataset made visible: report, review, and what is shown of samples and changes."""
