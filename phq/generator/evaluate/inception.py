"""FID and KID by the Inception network of torch-fidelity, where both are on the disk already; nothing is fetched."""

from __future__ import annotations

import hashlib
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from phq.system.arrays import Floats, Image

WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"
"""The original FID network in PyTorch, as torch-fidelity distributes it; the name ends with how its sha256 begins."""
SUBSETS, SUBSET = 100, 1000
"""Of KID: how many, and the most pictures of one (Bińkowski et al. 2018)."""


class Inception:
    """The 2,048 pooled features of the Inception network that FID is defined by; an `Extractor`."""

    def __init__(self, weights: Path, device: torch.device) -> None:
        module: Any = import_module("torch_fidelity.feature_extractor_inceptionv3")
        net = module.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(weights))
        self.net, self.device = net.to(device), device

    @torch.inference_mode()
    def __call__(self, images: Image) -> NDArray[np.float32]:
        """See `phq.generator.evaluate.features.Extractor`."""
        (features,) = self.net(torch.from_numpy(images).permute(0, 3, 1, 2).to(self.device))
        return np.asarray(features.cpu().numpy(), np.float32)


def find_inception(device: torch.device) -> Inception | str:
    """The network, or one sentence on why it cannot be had."""
    weights = Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS
    if not weights.is_file():
        return f"{weights} is not there; FID's network is not part of phq and never downloaded by it"
    if not hashlib.sha256(weights.read_bytes()).hexdigest().startswith(weights.stem.rpartition("-")[2]):
        return f"{weights} is not the file that its name says"
    try:
        return Inception(weights, device)
    except ImportError as error:
        return f"torch-fidelity cannot be imported ({error}): pip install torch-fidelity"


def kid(real: Floats, made: Floats, seed: int) -> dict[str, float]:
    """Kernel Inception distance of features (N, D) and (N, D): mean and standard deviation over random subsets."""
    module: Any = import_module("torch_fidelity.metric_kid")
    size = min(SUBSET, len(real))
    found = module.kid_features_to_metric(
        torch.from_numpy(real), torch.from_numpy(made), kid_subsets=SUBSETS, kid_subset_size=size, rng_seed=seed,
        verbose=False,
    )  # fmt: skip
    return {name: float(found[f"kernel_inception_distance_{name}"]) for name in ("mean", "std")} | {"subset": size}
