"""The bundled 3D generator: 3DPortraitGAN's networks rebuilt from ordinary torch operations.

Nothing here knows of data or training. `config` and the presets can be read without torch; everything else needs it
(``pip install 'phq[train]'``). The parts, their shapes and what differs from the published code: docs/generator.md.
"""
