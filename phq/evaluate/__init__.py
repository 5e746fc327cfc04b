"""Labels against truth: rendered people, and real headshots whose yaw is known."""
