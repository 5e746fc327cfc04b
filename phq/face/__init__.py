"""Face evidence. A face is never required; whether one is found says something about the view."""
