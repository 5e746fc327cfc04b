"""Who is in a picture: body shape, skin, hair, clothes and hat of a made-up person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from phq.synth.clothes import Clothes
from phq.synth.colours import Colour, colour, wheel
from phq.synth.hair import Hair
from phq.synth.hats import Hat
from phq.synth.paint import Fabric, Palette
from phq.synth.skin import Face, tone
from phq.system.arrays import Doubles

Thing = TypeVar("Thing")

HAIR_COLOURS: dict[Colour, float] = {
    (0.07, 0.06, 0.06): 0.26, (0.17, 0.11, 0.08): 0.24, (0.32, 0.20, 0.12): 0.16, (0.58, 0.42, 0.24): 0.1,
    (0.78, 0.66, 0.44): 0.07, (0.52, 0.22, 0.10): 0.05, (0.58, 0.57, 0.56): 0.06, (0.86, 0.85, 0.83): 0.03,
    (0.75, 0.25, 0.45): 0.01, (0.2, 0.3, 0.65): 0.01, (0.15, 0.45, 0.35): 0.01,
}  # fmt: skip
IRISES: dict[Colour, float] = {
    (0.24, 0.14, 0.08): 0.45, (0.36, 0.24, 0.12): 0.2, (0.35, 0.45, 0.55): 0.2, (0.35, 0.42, 0.28): 0.15,
}  # fmt: skip
STYLES = {
    "bald": 0.07, "shorn": 0.08, "short": 0.17, "quiff": 0.1, "receding": 0.06, "curly": 0.08, "afro": 0.06,
    "bob": 0.11, "long": 0.15, "bun": 0.06, "tail": 0.06,
}  # fmt: skip
LONG_STYLES = ("bob", "long", "bun", "tail")
HATS = {"beanie": 0.4, "cap": 0.35, "brim": 0.25}
NECKLINES = {"crew": 0.32, "wide": 0.12, "vee": 0.14, "turned": 0.16, "high": 0.06, "roll": 0.07, "hood": 0.13}
"""How often each is worn, as in the other tables."""
RISES = {"wide": -0.03, "turned": 0.045, "high": 0.07, "roll": 0.06, "hood": 0.03}
"""How much higher than a plain neckline these reach, metres."""
COLLARS = ("turned", "roll", "hood")
WEAVES = {"plain": 0.5, "stripes": 0.12, "bars": 0.08, "checks": 0.08, "dots": 0.07, "heather": 0.15}
GREYS = (0.06, 0.12, 0.3, 0.55, 0.8, 0.93)


@dataclass(frozen=True)
class Look:
    """One person."""

    betas: Doubles
    """(10,) shape numbers of the body model."""
    palette: Palette
    hat: Hat | None


def draw_person(rng: np.random.Generator) -> Look:
    """A person at random."""
    betas = np.clip(rng.normal(0, [0.7, *[0.9] * 9]), -2, 2)
    hair_colour = colour(np.array(_pick(rng, HAIR_COLOURS)) * rng.uniform(0.8, 1.2))
    style = _pick(rng, STYLES)
    hair = draw_hair(rng, style, hair_colour)
    hat = _draw_hat(rng) if rng.uniform() < 0.14 else None
    face = _draw_face(rng, hair_colour, bearded=style not in LONG_STYLES)
    clothes = draw_clothes(rng, _pick(rng, NECKLINES))
    cloths = _draw_fabric(rng, _pick(rng, WEAVES)), _draw_fabric(rng, "plain"), _draw_fabric(rng, "plain")
    return Look(betas, Palette(face, under_hat(hair) if hat else hair, clothes, *cloths), hat)


def _pick(rng: np.random.Generator, shares: Mapping[Thing, float]) -> Thing:
    """One of the keys, as often as its share of the whole."""
    weights = np.array(list(shares.values()))
    return list(shares)[int(rng.choice(len(weights), p=weights / weights.sum()))]


def draw_hair(rng: np.random.Generator, style: str, hair_colour: Colour) -> Hair:
    """Hair of a style of `STYLES`."""
    base = Hair(
        hair_colour, painted=0.9, top=rng.uniform(0.012, 0.022), sides=rng.uniform(0.006, 0.013),
        curl=rng.choice([0.0, 0.002]), recede=rng.uniform(-3, 6),
    )  # fmt: skip
    fringe = bool(rng.uniform() < 0.4)
    changes: dict[str, dict[str, Any]] = {
        "bald": {"top": 0.0, "painted": 0.0},
        "shorn": {"top": 0.0, "painted": rng.uniform(0.5, 0.9), "recede": rng.uniform(-3, 14)},
        "short": {},
        "quiff": {"top": rng.uniform(0.026, 0.042), "sides": 0.005, "curl": 0.004, "recede": 0.0},
        "receding": {"top": 0.006, "sides": 0.009, "recede": rng.uniform(18, 42)},
        "curly": {"top": rng.uniform(0.022, 0.034), "sides": rng.uniform(0.014, 0.022), "curl": 0.008, "waves": 55.0},
        "afro": {"top": rng.uniform(0.04, 0.065), "sides": rng.uniform(0.03, 0.055), "curl": 0.006, "waves": 70.0},
        "bob": {"ends": rng.uniform(0.04, 0.09), "sides": 0.014, "top": 0.018, "fringe": fringe, "flare": 0.05,
                "opening": rng.uniform(58, 72)},
        "long": {"ends": rng.uniform(-0.17, -0.02), "sides": 0.012, "top": 0.018, "fringe": fringe,
                 "flare": rng.uniform(-0.05, 0.22), "opening": rng.uniform(58, 85), "curl": rng.choice([0.002, 0.006])},
        "bun": {"knot": "bun", "sides": 0.008, "top": 0.01},
        "tail": {"knot": "tail", "sides": 0.008, "top": 0.012},
    }  # fmt: skip
    return replace(base, **changes[style])


def _draw_hat(rng: np.random.Generator) -> Hat:
    style = _pick(rng, HATS)
    return Hat(style, {"beanie": rng.uniform(0.004, 0.02), "cap": 0.012, "brim": rng.uniform(0.02, 0.035)}[style])


def under_hat(hair: Hair) -> Hair:
    """Hair that a hat can be worn over: flat on the head."""
    knot = "" if hair.knot == "bun" else hair.knot
    return replace(hair, top=min(hair.top, 0.004), sides=min(hair.sides, 0.008), curl=0.001, fringe=False, knot=knot)


def _draw_face(rng: np.random.Generator, hair_colour: Colour, bearded: bool) -> Face:
    dark = float(rng.beta(1.0, 1.3))
    made_up = not bearded and rng.uniform() < 0.4
    beard = bearded and rng.uniform() < 0.45
    return Face(
        tone=dark,
        rosy=float(rng.uniform(0, 0.9) * (1 - 0.6 * dark)),
        freckles=float(rng.uniform(0, 1) * (rng.uniform() < 0.15) * (dark < 0.4)),
        iris=_pick(rng, IRISES),
        lips=(0.75, 0.15, 0.2) if made_up else colour(tone(dark) * [0.88, 0.62, 0.62]),
        lips_opacity=0.85 if made_up else 0.6,
        brows=colour(np.minimum(np.array(hair_colour) * 0.75, 0.45)),
        brow_width=float(rng.uniform(0.0022, 0.0042)),
        lashes=0.8 if made_up else 0.4,
        beard=float(rng.uniform(0.35, 0.95)) if beard else 0.0,
        moustache=float(rng.uniform(0.35, 0.95)) if beard or (bearded and rng.uniform() < 0.08) else 0.0,
    )


def draw_clothes(rng: np.random.Generator, neckline: str) -> Clothes:
    """Clothes with a neckline of `NECKLINES`."""
    return Clothes(
        radius=float((0.1 if neckline == "wide" else 0.075) + rng.uniform(-0.004, 0.006)),
        rise=float(RISES.get(neckline, 0.0) + rng.uniform(-0.006, 0.006)),
        vee=float(rng.uniform(0.04, 0.1)) if neckline == "vee" else 0.0,
        thickness=float(rng.uniform(0.003, 0.007)),
        collar=neckline if neckline in COLLARS else "",
        jacket=float(rng.uniform(0.15, 0.5)) if rng.uniform() < 0.28 and neckline != "hood" else 0.0,
    )


def _draw_fabric(rng: np.random.Generator, pattern: str) -> Fabric:
    return Fabric(_cloth_colour(rng), _cloth_colour(rng), pattern, float(rng.uniform(0.012, 0.045)))


def _cloth_colour(rng: np.random.Generator) -> Colour:
    """Black, white, a grey, or anything."""
    if rng.uniform() < 0.45:
        return colour(rng.choice(GREYS) * np.array([1, 1, rng.uniform(0.95, 1.1)]))
    value, saturation = rng.uniform(0.15, 0.85), rng.uniform(0.3, 0.85)
    return colour(value * (1 - saturation + saturation * wheel(rng.uniform())))
