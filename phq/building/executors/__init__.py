"""Running independent tasks: in this process, in several, or on a cluster. Nothing here knows of images."""
