"""`import_checkpoint`: a published network pickle as a run of phq. What ``phq gan import-checkpoint`` does."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from phq.errors import InputError
from phq.generator.config import ModelConfig
from phq.generator.networks.discriminator import Discriminator
from phq.generator.networks.generator import Generator
from phq.generator.networks.synthesis import FIRST
from phq.generator.published import translation
from phq.generator.published.layout import shape_of, widths
from phq.generator.published.pickles import Network, read_pickle
from phq.generator.published.translation import Source
from phq.generator.train import checkpoint
from phq.generator.train.config import RunConfig, Stage, Training, over
from phq.generator.train.networks import AVERAGES
from phq.generator.train.run import CONFIG
from phq.generator.use.outputs import check_new_folder
from phq.system.atomic import disk_errors_explained, write_bytes
from phq.system.publish import published
from phq.system.version import __version__
from phq.weights.digest import sha256_of

DIFFERS = {
    "3DPortraitGAN": "posed space: phq deforms by a smooth field in place of the nearest face; at rest both agree",
    "PanoHead": "lengths are in units of its own, not metres",
    "SphereHead": "lengths are in units of its own, not metres",
    "EG3D": "lengths are in units of its own, not metres",
}
"""What else is not as the published code has it, by family."""


@dataclass(frozen=True)
class Imported:
    """What was read and written."""

    out: Path
    family: str
    images: int
    """Real images that the file's name says it was trained on; 0 where it says none."""
    mapped: int
    """Tensors that phq has a place for."""
    notes: list[str]
    """A sentence for each kind of tensor without a place, and for what else differs."""


@disk_errors_explained
def import_checkpoint(file: str | Path, out: str | Path, published_samples: bool = False) -> Imported:
    """Read a network pickle of 3DPortraitGAN, PanoHead, EG3D or SphereHead and write a run.

    Nothing in the file is executed. The run holds the averaged generator, and the discriminator where phq has a place
    for it: what ``sample``, ``orbit``, ``mesh``, ``invert``, ``view`` and ``evaluate`` use.

    Args:
        file: the ``.pkl``.
        out: folder of the run; new or empty.
        published_samples: sample rays where the published code does, half an interval beside the weights, so that
            pictures agree with its own; else where phq does.

    Raises:
        WeightError: no pickle, or one that asks for what a checkpoint has no use for.
        InputError: another network, or a variant that phq has no place for.
        OutputError: the folder is not free, or cannot be written to.
    """
    path, folder = Path(file), Path(out)
    check_new_folder(folder)
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    g, d = _networks(read_pickle(path), path)
    known = d if d is not None and _familiar(d) else None
    family, model = shape_of(g, known, "eg3d" if published_samples else "phq")
    sources = {AVERAGES[0]: _generator(g, model)}
    if known is not None:
        sources[AVERAGES[1]] = _discriminator(known, model)
    tensors = _checked(sources, model)
    images = _images(path)
    config = _run_config(model, with_poses=family.posed and known is not None)
    notes = [*_notes(sources), DIFFERS[family.name], *_missing(d, known)]
    mapped = sum(len(source.taken) for source in sources.values())
    _write(folder, config, images, tensors, {"file": path.name, "sha256": sha256_of(path), "family": family.name,
                                             "tensors": mapped, "notes": notes})  # fmt: skip
    return Imported(folder, family.name, images, mapped, notes)


def _networks(content: Any, path: Path) -> tuple[Network, Network | None]:
    """Averaged generator, and discriminator."""
    held = content if isinstance(content, dict) else {"G_ema": content}
    found = {name: held[name] for name in ("G_ema", "G", "D_ema", "D") if isinstance(held.get(name), Network)}
    g, d = found.get("G_ema", found.get("G")), found.get("D_ema", found.get("D"))
    if g is None:
        raise InputError(f"{path} holds no generator (G_ema or G), but {', '.join(map(str, held)) or 'nothing'}")
    return g, d


def _familiar(d: Network) -> bool:
    """Whether a discriminator takes image, raw image and mask as channels of one picture, or the first two."""
    state = Network.tensors(d)
    sides = widths(state, "", "conv0")
    entry = state.get(f"b{max(sides, default=0)}.fromrgb.weight")
    return entry is not None and entry.shape[1] in (6, 7) and not any(name.startswith("sb") for name in state)


def _generator(g: Network, model: ModelConfig) -> Source:
    source, settings = Source(g), vars(g)["rendering_kwargs"]
    mixed = translation.spheres_mix(source) if model.planes.kind == "spheres" else None
    scale = translation.settings_scale(settings)
    translation.mapping(source, "mapper", "backbone.mapping", model.mapping_layers, scale)
    source.copy("mapper.average", "backbone.mapping.w_avg")
    translation.synthesis(source, "backbone", "backbone.synthesis", _sides(model.planes.resolution), mixed)
    for ours, theirs in ((0, 0), (1, 2)):
        source.dense(f"decoder.{('hidden', 'out')[ours]}", f"decoder.net.{theirs}")
    if model.background.enabled:
        translation.synthesis(source, "background", "bcg_synthesis", _sides(model.superres.input))
    if model.render.colour == "layer":
        translation.colour(source, "colour", "torgb")
    for i in (0, 1):
        for j in (0, 1):
            translation.styled(source, f"superres.blocks.{i}.convs.{j}", f"superresolution.block{i}.conv{j}")
        translation.colour(source, f"superres.blocks.{i}.colour", f"superresolution.block{i}.torgb")
    translation.pose(source, "pose", "pose_branch")
    return source


def _discriminator(d: Network, model: ModelConfig) -> Source:
    source = Source(d)
    sides = [side for side in reversed(_sides(model.resolution)) if side > FIRST]
    translation.discriminator(source, sides, model.discriminator.mapping_layers)
    return source


def _sides(last: int) -> list[int]:
    return [FIRST << i for i in range((last // FIRST).bit_length())]


def _checked(sources: dict[str, Source], model: ModelConfig) -> dict[str, Tensor]:
    """The tensors of a checkpoint, of the names and shapes that phq's networks have.

    Raises:
        InputError: names or shapes are others.
    """
    made = {AVERAGES[0]: Generator, AVERAGES[1]: Discriminator}
    tensors = {}
    for part, source in sources.items():
        with torch.device("meta"):
            expected = {name: tuple(value.shape) for name, value in _skeleton(made[part], model).items()}
        shapes = {name: tuple(value.shape) for name, value in source.found.items()}
        if wrong := sorted(set(expected.items()) ^ set(shapes.items())):
            name = wrong[0][0]
            raise InputError(f"{name} has the shape {shapes.get(name)}, where phq's network has {expected.get(name)}")
        tensors.update({f"{part}.{name}": value.contiguous() for name, value in source.found.items()})
    return tensors


def _skeleton(made: Any, model: ModelConfig) -> dict[str, Tensor]:
    plain = model.model_copy(update={"deformation": model.deformation.model_copy(update={"enabled": False})})
    state: dict[str, Tensor] = made(plain).state_dict()  # deformation has no weights, and is no matter of shapes
    return state


def _run_config(model: ModelConfig, with_poses: bool) -> RunConfig:
    pose = "discriminator" if with_poses else "generator"
    raw = (model.render.resolution,) * 2
    kimg = Training().kimg
    stage = Stage(until_kimg=kimg, train_pose=False, metric_pose=pose, raw=raw)  # type: ignore[arg-type]
    preset = "paper-512" if model.resolution >= 512 else "paper-256"
    return over(RunConfig(preset=preset, model=model, training=Training(stages=(stage,))).model_dump(mode="json"))


def _images(path: Path) -> int:
    """The thousands of images that StyleGAN's file names end with: ``network-snapshot-012345``."""
    found = re.search(r"(?<!\d)(\d{6})$", path.stem)
    return int(found.group(1)) * 1000 if found else 0


def _notes(sources: dict[str, Source]) -> list[str]:
    counted = Counter(reason for source in sources.values() for reason in source.nowhere().values())
    return [f"{count} tensors have no place: {reason}" for reason, count in counted.most_common()]


def _missing(d: Network | None, known: Network | None) -> list[str]:
    if known is not None:
        return ["the discriminator compares the spread of neighbours in a batch, the published one that of every nth"]
    if d is None:
        return ["there is no discriminator: evaluate measures no poses"]
    return [f"the discriminator, a {d.class_name}, has no place: evaluate measures no poses"]


def _write(folder: Path, config: RunConfig, images: int, tensors: dict[str, Tensor], source: dict[str, Any]) -> None:
    stated = {
        "tool": "phq",
        "version": __version__,
        "torch": torch.__version__,
        "config": config.model_dump(mode="json"),
        "imported": source,
    }
    with published(folder) as (staged,):
        write_bytes(staged / CONFIG, (json.dumps(stated, indent=1, sort_keys=True) + "\n").encode())
        facts = {"config": stated["config"], "steps": 0, "imported": source}
        checkpoint.write(staged, images, tensors, facts, keep=1)
