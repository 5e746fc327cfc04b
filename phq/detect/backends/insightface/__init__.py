"""Faces and identities by model packs of the package insightface: its code is MIT, its models are non-commercial."""
