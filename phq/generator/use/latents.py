"""The result of an inversion as files: the latent, and the weights if they were tuned."""

from __future__ import annotations

import copy
import io
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from phq.errors import InputError
from phq.generator.train.networks import load_weights
from phq.generator.use.opening import Trained
from phq.generator.use.people import Person
from phq.system.atomic import write_bytes
from phq.system.said import reason_of

LATENT, TUNED = "latent.npz", "generator.safetensors"


def write_latent(folder: Path, person: Person, trained: Trained) -> None:
    """Write `LATENT` (``w`` (style,), ``neck_head_pose`` (6,), ``trained_on``), and `TUNED` if the weights are others.

    Raises:
        OutputError: they cannot be written.
    """
    w, pose = person.ws[0, 0].cpu().numpy(), person.own[0].cpu().numpy()
    stream = io.BytesIO()
    np.savez(stream, w=w, neck_head_pose=pose, trained_on=np.array(trained.images))
    if person.g is not trained.g:
        state = person.g.state_dict()
        write_bytes(folder / TUNED, save({name: state[name].cpu().contiguous() for name in sorted(state)}))
    write_bytes(folder / LATENT, stream.getvalue())


def read_latent(where: str | Path, trained: Trained) -> Person:
    """The person of an inversion.

    Args:
        where: its folder, or its `LATENT`.
        trained: the generator that it was made with.

    Raises:
        InputError: it cannot be read, or is of another generator.
    """
    path = Path(where) / LATENT if Path(where).is_dir() else Path(where)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            w, pose, images = (torch.from_numpy(arrays[n]) for n in ("w", "neck_head_pose", "trained_on"))
            trained_on = images.item()
    except (OSError, EOFError, ValueError, TypeError, AttributeError, LookupError, RuntimeError, BadZipFile) as error:
        raise InputError(f"{path} is not a latent of phq gan invert: {reason_of(error)}") from error
    size = trained.g.config.style
    if w.shape != (size,) or trained_on != trained.images:
        raise InputError(
            f"{path} belongs to a generator with styles of {len(w)} numbers after {trained_on} images, not {size} "
            f"after {trained.images}: name the checkpoint that it was made with"
        )
    g = trained.g
    if (tuned := path.with_name(TUNED)).exists():
        g = copy.deepcopy(g)
        try:
            load_weights(g, load_file(tuned), tuned)
        except (OSError, SafetensorError) as error:
            raise InputError(f"{tuned} cannot be read: {error}") from error
    ws = w.to(trained.device)[None, None].expand(-1, g.num_ws, -1)
    return Person(g, ws, pose.to(trained.device)[None], trained.raw)
