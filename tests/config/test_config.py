from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from phq.config.build import SETTINGS, Config, load_config, stored_config
from phq.decisions.rules import decide, scores_of
from phq.errors import ConfigError
from phq.reasons import RULE_BY_ADDRESS, RULES
from phq.schema import CONSENT


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def complaint(**arguments: object) -> str:
    with pytest.raises(ConfigError) as error:
        load_config(**arguments)  # type: ignore[arg-type]
    return str(error.value)


def test_the_presets_load() -> None:
    assert SETTINGS.preset_names() == ["default", "everything", "strict", "upstream"]
    for name in SETTINGS.preset_names():
        assert load_config(name).preset == name
    assert load_config() == load_config("default")


def test_everything_rejects_nothing() -> None:
    config = load_config("everything")
    assert config.thresholds == {"consent.min": 0}
    assert not config.duplicates.reject
    worst = {rule.score: 0.0 if rule.side == "min" else 1e9 for rule in RULES}
    assert decide(worst, config.thresholds).decision == "kept"


@pytest.mark.parametrize("preset", SETTINGS.preset_names())
def test_every_preset_rejects_who_refused_and_nobody_of_whom_nothing_is_stated(preset: str) -> None:
    thresholds = load_config(preset).thresholds
    found = {said: decide(scores_of({"consent": said}), thresholds).reason for said in CONSENT}
    assert found == {"yes": "", "limited": "", "": "", "no": "no_consent"}


def test_default_keeps_a_good_portrait_and_rejects_a_bad_one() -> None:
    good = {
        "box_px": 800, "detection_score": 0.8, "pose_presence": 1, "source_px_per_px": 1.2, "head_px": 300,
        "padding_fraction": 0, "mask_fraction": 0.45, "mask_confidence": 0.95, "others_in_crop": 0,
        "blur": 0.6, "luminance": 0.4, "underexposed": 0.02, "overexposed": 0, "noise": 1,
        "reprojection_error": 0.05, "pass_disagreement_deg": 4, "flip_disagreement_deg": 6, "p_flip": 0.02,
        "face_score": 0,
    }  # fmt: skip
    thresholds = load_config().thresholds
    assert decide(good, thresholds).decision == "kept"
    assert decide({**good, "blur": 0.1}, thresholds).reason == "blurred"
    assert decide({**good, "p_flip": 0.9}, thresholds).reason == "flip_risk"


def test_later_sources_win(tmp_path: Path) -> None:
    text = "size = 256\nseed = 3\n[crop]\njpeg_quality = 80\n[thresholds]\nblur.min = 0.4\n"
    mine = written(tmp_path, text)
    config = load_config(file=mine, sets=["size=128", "blur.min=0.5", "read.background=[0, 0, 0]"], fast=True)
    assert (config.size, config.seed, config.fast, config.crop.jpeg_quality) == (128, 3, True, 80)
    assert config.thresholds["blur.min"] == 0.5
    assert config.read.background == (0, 0, 0)
    assert load_config(file=mine, sets=["size=128"], size=64, seed=None).size == 64
    assert load_config(file=mine).thresholds["flip.max"] == load_config().thresholds["flip.max"]


@pytest.mark.parametrize("name", ["detect.threshold", "detect.skeleton_threshold"])
def test_a_detector_cannot_have_the_threshold_zero(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} = 0.*greater than 0"):
        load_config(sets=[f"{name}=0"])


def test_a_threshold_may_stand_in_any_toml_form(tmp_path: Path) -> None:
    forms = [
        "[thresholds]\nnoise.max = 4\n", '[thresholds]\n"noise.max" = 4\n', "[thresholds.noise]\nmax = 4\n",
        "noise.max = 4\n", "[noise]\nmax = 4.0\n",
    ]  # fmt: skip
    assert {load_config(file=written(tmp_path, text)).thresholds["noise.max"] for text in forms} == {4.0}
    assert load_config(sets=["thresholds.noise.max=4"]) == load_config(sets=["noise.max = 4.0"])


@pytest.mark.parametrize("off", ["off", "none", '"off"', "'none'"])
def test_a_threshold_can_be_removed(off: str, tmp_path: Path) -> None:
    assert "blur.min" in load_config().thresholds
    assert "blur.min" not in load_config(sets=[f"blur.min={off}"]).thresholds
    quoted = off if off[0] in "\"'" else f'"{off}"'
    mine = written(tmp_path, f"[thresholds]\nblur.min = {quoted}\n")
    assert "blur.min" not in load_config(file=mine).thresholds
    assert load_config(file=mine, sets=["blur.min=0.1"]).thresholds["blur.min"] == 0.1
    assert "face.min" not in load_config("everything", sets=["face.min=off"]).thresholds


def test_a_file_may_name_its_preset_and_the_caller_may_overrule_it(tmp_path: Path) -> None:
    mine = written(tmp_path, 'preset = "everything"\n')
    assert load_config(file=mine).preset == "everything"
    assert load_config("default", file=mine).thresholds == load_config().thresholds


def test_every_threshold_can_be_set() -> None:
    for address in RULE_BY_ADDRESS:
        limits = load_config("everything", sets=["consent.min=off", f"{address}=-2.5"]).thresholds
        assert limits == {address: -2.5}


def test_unknown_names_are_answered_with_the_nearest() -> None:
    assert "did you mean blur.min" in complaint(sets=["blurr.min=3"])
    assert "blur.min" in complaint(sets=["blur=3"])
    assert "flip.max" in complaint(sets=["flip.min=3"])
    assert "phq settings" in complaint(sets=["flip.min=3"])
    assert "read.max_pixels" in complaint(sets=["read.max_pixel=3"])
    assert "crop.*, provenance.*" in complaint(sets=["zzz=3"])
    assert "sise" in complaint(sise=3)
    with pytest.raises(ConfigError, match=r"blur\.min"):
        Config(thresholds={"blur_min": 3.0})


def test_an_unknown_preset_is_answered_with_the_known(tmp_path: Path) -> None:
    assert "default, everything" in complaint(preset="best")
    assert "default, everything" in complaint(file=written(tmp_path, "preset = 3\n"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("size = 8\n", "size = 8: input should be greater than or equal to 64"),
        ("size = 4096\n", "size = 4096"),
        ("size = 512.5\n", "size = 512.5"),
        ('size = "512"\n', "size = '512'"),
        ("fast = 1\n", "fast = 1"),
        ("seed = -1\n", "seed = -1"),
        ("[read]\nbackground = [0, 0, 256]\n", "read.background.2 = 256"),
        ("[read]\nbackground = [0, 0]\n", "read.background"),
        ("[detect]\nthreshold = 40\n", "detect.threshold = 40"),
        ("[split]\nval_fraction = 1\n", "split.val_fraction = 1"),
        ("[duplicates]\nbits = 17\n", "duplicates.bits = 17"),
        ("[thresholds]\nblur.min = true\n", "blur.min = True"),
        ("[thresholds]\nblur.min = nan\n", "blur.min = nan is not a finite number"),
        ("[read]\nmax = 3\n", "read.max"),
        ("crop = 3\n", "crop"),
    ],
)
def test_a_bad_value_is_named_with_its_setting(text: str, said: str, tmp_path: Path) -> None:
    assert said in complaint(file=written(tmp_path, text))


def test_a_file_that_is_no_toml_is_named_with_the_line(tmp_path: Path) -> None:
    said = complaint(file=written(tmp_path, "size = 256\nseed = = 3\n"))
    assert "mine.toml" in said and "line 2" in said
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9\n")
    assert "UTF-8" in complaint(file=tmp_path / "latin.toml")
    assert "absent.toml" in complaint(file=tmp_path / "absent.toml")
    assert str(tmp_path) in complaint(file=tmp_path)


@pytest.mark.parametrize("text", ["fast", "=3", "fast=", "seed=1\nsize=99", "seed=[1", 'fast="yes'])
def test_a_malformed_set_is_quoted(text: str) -> None:
    assert "--set" in complaint(sets=[text])


def test_the_canonical_text_depends_on_values_alone(tmp_path: Path) -> None:
    mine = written(tmp_path, "[thresholds]\nluminance.max = 1\nblur.min = 1\n")
    one = load_config("everything", file=mine).canonical()
    two = load_config("everything", sets=["blur.min=1.0", "luminance.max=1.0"]).canonical()
    assert one == two
    assert one != load_config("everything", sets=["blur.min=1.5", "luminance.max=1.0"]).canonical()
    assert Config.model_validate_json(one).canonical() == one
    assert json.loads(one)["thresholds"] == {"blur.min": 1.0, "luminance.max": 1.0, "consent.min": 0.0}


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        load_config().size = 3  # type: ignore[misc]


def test_a_word_needs_no_quotes() -> None:
    """A shell takes quotes away, so what is not TOML is the text itself."""
    for value in ("grabcut", '"grabcut"', "'grabcut'"):
        assert load_config(sets=[f"models.mask={value}"]).models.mask == "grabcut"
    assert load_config(sets=["models.mask=mine:/a folder/net-2.onnx"]).models.mask == "mine:/a folder/net-2.onnx"
    assert load_config(sets=["provenance.licence=CC-BY-4.0"]).provenance.licence == "CC-BY-4.0"
    assert complaint(sets=["fast=yes"]) == "fast = 'yes': input should be a valid boolean"
    assert complaint(sets=["seed=1O"]).startswith("seed = '1O': input should be a valid integer")


def test_several_wrong_values_are_one_sentence() -> None:
    assert complaint(sets=["size=8", "seed=-1"]) == (
        "size = 8: input should be greater than or equal to 64; seed = -1: input should be greater than or equal to 0"
    )


def test_a_stored_configuration_is_read_back(tmp_path: Path) -> None:
    config = load_config("strict", sets=["models.mask=none", "blur.min=off", "read.background=[1, 2, 3]"])
    stored = json.loads(json.dumps(config.model_dump(mode="json")))
    assert stored_config(stored) == config
    assert stored_config(stored, ["blur.min=0.25"]).thresholds == {**config.thresholds, "blur.min": 0.25}
    with pytest.raises(ConfigError, match="unknown setting 'gone'"):
        stored_config({**stored, "gone": 1})


def test_a_number_for_the_whole_table_is_told_that_it_is_a_table() -> None:
    with pytest.raises(ConfigError, match=r"thresholds is a table: set its entries, such as [a-z_]+\.[a-z]+"):
        load_config(sets=["thresholds=5"])


@pytest.mark.parametrize("word", ["2024", "true", "nan", "1979-05-27", "a, b", "[x]", "O'Brien", "C:\\x.pt"])
def test_text_settings_take_every_bare_word_as_it_is(word: str) -> None:
    assert load_config(sets=[f"provenance.author={word}"]).provenance.author == word


def test_a_list_needs_no_brackets_which_some_shells_take_for_a_pattern() -> None:
    assert load_config(sets=["read.background=1,2,3"]).read.background == (1, 2, 3)


def test_numbers_and_truths_may_be_written_as_python_does() -> None:
    config = load_config(sets=["split.val_fraction=.25", "duplicates.reject=False", "provenance.author=True"])
    assert (config.split.val_fraction, config.duplicates.reject, config.provenance.author) == (0.25, False, "True")
    assert load_config(sets=["split.val_fraction=0."]).split.val_fraction == 0
    assert "'.'" in complaint(sets=["split.val_fraction=."])


def test_a_text_setting_can_be_emptied() -> None:
    assert load_config(sets=["provenance.author=Ann", "provenance.author="]).provenance.author == ""


def test_a_threshold_that_is_no_number_is_told_of_off() -> None:
    assert complaint(sets=["blur.min=sharp"]) == "blur.min = 'sharp': input should be a valid number, or 'off'"
    assert not complaint(sets=["crop.jpeg_quality=sharp"]).endswith("off'")
