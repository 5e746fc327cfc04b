"""What a trained generator is for: pictures, orbits, meshes, inversion of photos, a viewer; docs/generator.md.

`commands` can be read without torch; everything else needs it (``pip install 'phq[train]'``).
"""
