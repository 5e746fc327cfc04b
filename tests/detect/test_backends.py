"""Which network stands where is a word of the configuration, and what it needs is said before anything runs."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import EntryPoint

import pytest

from phq.config.build import load_config
from phq.detect.backends import offers
from phq.detect.backends.offers import OFFERS, backend_class, open_backend, weights_of
from phq.detect.backends.protocols import SLOTS
from phq.errors import ConfigError
from phq.stages.pipeline import foreign, weights_used
from phq.weights.embedded import Weight, registry

DEFAULT = ["nanodet", "movenet", "blazepose-heavy", "centerface", "orientation"]


def test_the_default_runs_on_what_comes_with_phq() -> None:
    used = weights_used(load_config())
    assert [weight.name for weight in used] == DEFAULT
    assert foreign(used) == ()
    assert [weight.name for weight in weights_used(load_config(fast=True))][2] == "blazepose-full"


def test_a_word_needs_no_quotes_and_may_have_weights() -> None:
    config = load_config(sets=["models.skeleton=none", "models.landmarks=blazepose:full"])
    assert (config.models.skeleton, config.models.landmarks) == ("none", "blazepose:full")
    names = [weight.name for weight in weights_used(config)]
    assert names == ["nanodet", "blazepose-full", "centerface", "orientation"]
    assert load_config(sets=['models.skeleton="none"']).models.skeleton == "none"


@pytest.mark.parametrize("place", SLOTS)
def test_an_unknown_name_lists_the_known_and_what_brings_them(place: str) -> None:
    with pytest.raises(ConfigError) as raised:
        weights_of(place, "no-such-network")
    said = str(raised.value)
    assert f"models.{place} = 'no-such-network'" in said
    for offer in OFFERS:
        if offer.slot == place:
            assert offer.name in said
            assert not offer.extra or f"phq[{offer.extra}]" in said


def test_a_place_is_left_empty_only_where_that_makes_sense() -> None:
    assert open_backend("skeleton", "none") is None
    assert weights_of("identity", "none") == ()
    with pytest.raises(ConfigError, match="no such detector"):
        open_backend("detector", "none")


@pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: f"{offer.slot}-{offer.name}")
def test_every_offer_can_be_imported_without_its_package(offer: offers.Offer) -> None:
    assert offer.slot in SLOTS
    module, _, name = offer.target.partition(":")
    cls = getattr(import_module(module), name)
    assert cls.name == offer.name
    assert callable(cls.weights)


def test_another_package_adds_a_back_end_by_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    here = EntryPoint("theirs", "phq.align.mask_from_landmarks:LandmarkMask", "phq.mask")
    broken = EntryPoint("broken", "no_such_package:Mask", "phq.mask")
    monkeypatch.setattr(offers, "entry_points", lambda group: [here, broken] if group == "phq.mask" else [])
    assert backend_class("mask", "theirs").__name__ == "LandmarkMask"
    with pytest.raises(ConfigError, match="no_such_package:Mask cannot be loaded"):
        backend_class("mask", "broken")
    with pytest.raises(ConfigError, match=r"theirs \(of phq.align.mask_from_landmarks:LandmarkMask\)"):
        backend_class("mask", "neither")


def test_weights_of_somebody_else_are_told_apart_by_their_bytes() -> None:
    own = registry()["nanodet"]
    theirs = Weight("nanodet", "nanodet.onnx", "0" * 64, 1, "?", "?", "?")
    assert foreign([own, theirs]) == ("0" * 64,)
