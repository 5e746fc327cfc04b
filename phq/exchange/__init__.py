"""Labels of 3DPortraitGAN, EG3D, PanoHead and SphereHead: datasets for their loaders, and theirs as phq datasets."""
