"""Running independent tasks: in this process, in several, or on a cluster. Executors know nothing of images."""
