"""The list of settings: every one with its value, default, and a meaning in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from phq.config.build import SETTINGS, load_config
from phq.config.listing import described, lines
from phq.config.reading import parse_set
from phq.errors import ConfigError
from phq.generator.train import config as training


@pytest.mark.parametrize(("kind", "default"), [(SETTINGS, "default"), (training.SETTINGS, training.DEFAULT)])
def test_every_setting_is_in_the_list_with_a_meaning(kind, default):
    listed = described(kind, default)
    assert [setting.name for setting in listed] == list(kind.names())
    assert all(setting.meaning and "\n" not in setting.meaning for setting in listed)
    assert all(setting.value == setting.default for setting in listed)


def test_what_is_shown_can_be_set():
    listed = [setting for setting in described(SETTINGS, "default") if setting.value is not None]
    sets = [" ".join(line.split()[:2]).replace(" ", "=", 1) for line in lines(listed)]
    assert [parse_set(text)[0] for text in sets] == [setting.name for setting in listed]
    assert load_config(sets=sets) == load_config()


def test_values_of_a_preset_a_file_and_set_are_shown_beside_the_defaults(tmp_path: Path):
    (tmp_path / "my.toml").write_text("size = 256\n")
    found = described(SETTINGS, "default", "everything", tmp_path / "my.toml", ["detect.tiles=false"])
    values = {setting.name: (setting.value, setting.default) for setting in found}
    assert values["size"] == (256, 512)
    assert values["detect.tiles"] == (False, True)
    assert values["blur.min"] == ("off", 0.34)
    (line,) = (line for line in lines(found) if line.startswith("blur.min "))
    assert line.endswith("(default 0.34)")


def test_words_select_settings_and_an_unknown_one_is_refused():
    assert {setting.name for setting in described(SETTINGS, "default", names=["mask."])} == {"mask.min", "mask.max"}
    with pytest.raises(ConfigError, match=r"'blurr'.*blur\.min"):
        described(SETTINGS, "default", names=["blurr"])


def test_choices_and_tables_are_told():
    assert described(SETTINGS, "default", names=["consent"])[0].meaning.endswith("('',yes,limited,no)")
    (stages,) = lines(described(training.SETTINGS, "tiny", names=["training.stages"]))
    assert "2 tables" in stages
