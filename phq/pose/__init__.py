"""Body model, rotations, the fit of a person's pose, and drawing it."""
