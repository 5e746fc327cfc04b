"""Published checkpoints: the network pickles of 3DPortraitGAN, PanoHead, EG3D and SphereHead as runs of phq.

Nothing that such a file brings is executed: its classes are names, its source text is never read.
"""
