"""The stages of a build, a file each, and `pipeline`, the one list of them."""
