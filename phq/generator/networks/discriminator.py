"""The discriminator: is this picture real, given camera and pose? And: what is the pose?"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from phq.generator.config import ModelConfig
from phq.generator.networks import symmetry
from phq.generator.networks.conditioning import LABELS, POSE, labels
from phq.generator.networks.filters import resize
from phq.generator.networks.layers import Conv, FullyConnected
from phq.generator.networks.mapping import MappingNetwork
from phq.generator.networks.pose import PosePredictor

CHANNELS = 7
"""RGB of the image, RGB of the raw image, and the mask."""
LAST = 4
"""Side of the last feature map."""
LOW_PRECISION = 4
"""How many of the largest resolutions are computed in a smaller type, if one is configured."""


class Verdict(NamedTuple):
    """What `Discriminator` says."""

    logits: Tensor
    """(B, 1), high for real."""
    pose: Tensor
    """(B, 6) neck and head as it sees them, radians."""


class ResidualBlock(nn.Module):
    """(B, inputs, s, s) → (B, outputs, s/2, s/2) (Karras et al. 2020, figure 7c)."""

    def __init__(self, inputs: int, outputs: int, precision: torch.dtype) -> None:
        super().__init__()
        self.precision = precision
        self.skip = Conv(inputs, outputs, 1, down=True, bias=False, activate=False, gain=math.sqrt(0.5))
        self.first = Conv(inputs, inputs, 3)
        self.second = Conv(inputs, outputs, 3, down=True, gain=math.sqrt(0.5))

    def forward(self, x: Tensor) -> Tensor:
        """The sum of a filtered 1×1 convolution and of two 3×3 ones, each halved in variance."""
        x = x if x.dtype == torch.float64 else x.to(self.precision)
        y: Tensor = self.skip(x) + self.second(self.first(x))
        return y


class Trunk(nn.Module):
    """(B, 7, R, R) → features (B, C, 4, 4)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        base, most = config.discriminator.channel_base, config.discriminator.channel_max
        sides = [config.resolution >> i for i in range((config.resolution // LAST).bit_length())]
        widths = [min(base // s, most) for s in sides]
        self.precision: torch.dtype = getattr(torch, config.precision)
        self.width = widths[-1]
        self.entry = Conv(CHANNELS, widths[0], 1)
        self.blocks = nn.ModuleList(
            ResidualBlock(a, b, self.precision if i < LOW_PRECISION else torch.float32)
            for i, (a, b) in enumerate(pairwise(widths))
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Features in float32."""
        x: Tensor = self.entry(pictures if pictures.dtype == torch.float64 else pictures.to(self.precision))
        for block in self.blocks:
            x = block(x)
        return x if x.dtype == torch.float64 else x.float()


class Discriminator(nn.Module):
    """3DPortraitGAN's discriminator of image, raw image and mask, with its pose predictor."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        settings = config.discriminator
        self.resolution, self.group, self.one_pass = config.resolution, settings.group, settings.one_pass
        self.trunk = Trunk(config)
        posed, self.mirrored_camera = config.pose.enabled, config.pose.mirrored_camera
        self.pose_trunk = Trunk(config) if posed and config.pose.own_trunk else None
        width = self.trunk.width
        self.mixed = Conv(width + 1, width, 3)
        self.hidden = FullyConnected(width * LAST**2, width, activate=True)
        self.out = FullyConnected(width, width)
        self.mapper = MappingNetwork(0, LABELS, width, settings.mapping_layers)
        self.pose = PosePredictor(width * LAST**2, config.pose.discriminator) if posed else None

    def forward(self, image: Tensor, raw: Tensor, mask: Tensor, camera: Tensor, pose: Tensor | None = None) -> Verdict:
        """Judge pictures.

        Args:
            image: (B, 3, R, R), −1 to 1.
            raw: (B, 3, r, r); of a photo, the photo resized to the raw image's side.
            mask: (B, 1, r, r), 0 to 1; of a photo, resized in the same way.
            camera: (B, 25).
            pose: (B, 6) to judge with; its own prediction if None. No gradient passes from the logits to it.
        """
        pictures, left = self._pictures(image, raw, mask), symmetry.on_left(camera)
        turned = symmetry.where_left(left, symmetry.mirror_images, pictures)
        turned_camera = symmetry.where_left(left, symmetry.mirror_camera, camera)
        seen: Tensor = (self.pose_trunk or self.trunk)(turned)
        predicted = self._pose(seen, camera, turned_camera, left)
        stated = predicted if pose is None else pose
        if self.one_pass:
            stated, camera, pictures = symmetry.where_left(left, symmetry.mirror_pose, stated), turned_camera, turned
        features = seen if self.one_pass and self.pose_trunk is None else self.trunk(pictures)
        return Verdict(self._logits(features, labels(camera, stated.detach())), predicted)

    def predict_pose(self, image: Tensor, raw: Tensor, mask: Tensor, camera: Tensor) -> Tensor:
        """Neck and head pose (B, 6), radians; arguments of `forward`. It depends on no other sample of the batch."""
        left = symmetry.on_left(camera)
        pictures = symmetry.where_left(left, symmetry.mirror_images, self._pictures(image, raw, mask))
        features = (self.pose_trunk or self.trunk)(pictures)
        return self._pose(features, camera, symmetry.where_left(left, symmetry.mirror_camera, camera), left)

    def _pose(self, features: Tensor, camera: Tensor, turned_camera: Tensor, left: Tensor) -> Tensor:
        """(B, 6) of what was seen of mirrored pictures; the rest pose without a predictor."""
        if self.pose is None:
            return features.new_zeros(len(features), POSE)
        read = turned_camera if self.mirrored_camera else camera
        own: Tensor = self.pose(features.flatten(1), read)
        return symmetry.where_left(left, symmetry.mirror_pose, own)

    def compile_parts(self, **options: Any) -> None:
        """torch.compile the convolutions, in place; names of the state stay. `options` are those of torch.compile."""
        for trunk in filter(None, (self.trunk, self.pose_trunk)):
            trunk.compile(**options)

    def _pictures(self, image: Tensor, raw: Tensor, mask: Tensor) -> Tensor:
        return torch.cat([image, resize(raw, self.resolution), 2 * resize(mask, self.resolution) - 1], dim=1)

    def _logits(self, features: Tensor, conditions: Tensor) -> Tensor:
        """Projection on the mapped labels (Miyato & Koyama 2018)."""
        x = self.mixed(torch.cat([features, spread(features, self.group)], dim=1))
        x = self.out(self.hidden(x.flatten(1)))
        logits: Tensor = (x * self.mapper(None, conditions)).sum(dim=1, keepdim=True)
        return logits / math.sqrt(x.shape[1])


def spread(features: Tensor, group: int) -> Tensor:
    """(B, 1, H, W) mean standard deviation of the features (B, C, H, W) within groups of neighbours.

    Karras et al. 2018, section 3. The groups have the greatest number of samples up to `group` that divides the batch.
    """
    batch = len(features)
    size = max(n for n in range(1, group + 1) if batch % n == 0)
    grouped = features.reshape(batch // size, size, -1)
    deviation = (grouped.var(dim=1, unbiased=False) + 1e-8).sqrt().mean(dim=1)
    each = deviation.repeat_interleave(size)[:, None, None, None]
    return each.expand(-1, 1, *features.shape[2:])
