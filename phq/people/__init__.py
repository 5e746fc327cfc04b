"""A photo and its people as they travel through the stages, and the typed parts of their record."""
