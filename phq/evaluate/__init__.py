"""Labels against exact truth: rendered people, and calibrated cameras."""
