"""The bundled 3D-aware generator: its networks, training, use and evaluation."""
