"""What a run does after how many images, and its configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from training_dataset import SETS

from phq.errors import ConfigError
from phq.generator.train.config import SETTINGS, Stage, Training, differences, load_run_config, over
from phq.generator.train.schedule import due, ema_decay, now, ramp

PAPER = Training()


def at(kimg: float, training: Training = PAPER):
    return now(training, round(kimg * 1000))


def test_ramp_is_a_straight_line_between_levels():
    assert [ramp(x, 10, 20, 3.0, 1.0) for x in (0, 10, 15, 20, 99)] == [3.0, 3.0, 2.0, 1.0, 1.0]
    assert [ramp(x, 10, 10, 3.0, 1.0) for x in (9, 10, 11)] == [3.0, 1.0, 1.0]


def test_three_stages_of_the_paper_in_one_run():
    assert [at(k).number for k in (0, 5999, 6000, 9999.9, 10000, 13999, 20000)] == [0, 0, 1, 1, 2, 2, 2]
    assert [at(k).stage.train_pose for k in (0, 6000, 10000)] == [True, False, False]
    assert [at(k).stage.metric_pose for k in (0, 6000, 10000)] == ["generator", "discriminator", "discriminator"]


def test_raw_image_grows_from_the_start_of_its_stage():
    assert [at(k).raw for k in (0, 9999, 10000, 10500, 11000, 14000)] == [64, 64, 64, 96, 128, 128]


def test_fades_of_the_paper():
    assert [at(k).blur for k in (0, 100, 200, 7000)] == [10.0, 5.0, 0.0, 0.0]
    assert [at(k).density_noise for k in (0, 50, 200)] == [1.0, 0.75, 0.0]
    assert [at(k).coarse_pose for k in (0, 200, 300, 400, 9000)] == [0.5, 0.5, 0.25, 0.0, 0.0]
    assert [at(k).swap for k in (0, 500, 1000, 14000)] == pytest.approx([1.0, 0.85, 0.7, 0.7])


def test_blur_is_of_the_first_stage_alone():
    long = over({"training": {"losses": {"blur_kimg": 9000.0}}}).training
    assert at(5999, long).blur > 3
    assert at(6000, long).blur == 0.0


def test_half_of_an_average_is_left_after_its_half_life():
    steps = round(PAPER.optimisers.ema_kimg * 1000 / PAPER.batch)
    assert ema_decay(PAPER, 10_000_000) ** steps == pytest.approx(0.5, rel=1e-2)


def test_an_average_soon_leaves_the_start_behind():
    assert ema_decay(PAPER, 640) ** (0.05 * 640 / PAPER.batch) == pytest.approx(0.5)


def test_due_once_in_each_interval():
    hits = [images for images in range(0, 10_000, 100) if due(images, images + 100, 1.25)]
    assert hits == [1200, 2400, 3700, 4900, 6200, 7400, 8700, 9900]


@pytest.mark.parametrize("name", SETTINGS.preset_names())
def test_presets_are_valid(name: str):
    config = load_run_config(name)
    assert config.preset == name
    assert config.training.stages[-1].until_kimg == config.training.kimg
    assert all(max(stage.raw) <= config.model.superres.input for stage in config.training.stages)


def test_presets_of_the_paper_train_as_it_says():
    for name in ("paper-256", "paper-512"):
        assert load_run_config(name).training == PAPER


def test_a_file_over_the_preset_and_set_over_both(tmp_path: Path):
    file = tmp_path / "own.toml"
    file.write_text("[training]\nbatch = 16\nkimg = 7.0\n[training.losses]\nr1 = 5.0\n")
    config = load_run_config("paper-256", file, ["training.kimg=9.0", "training.balance=yaw"])
    training = config.training
    assert (training.batch, training.kimg, training.losses.r1, training.balance) == (16, 9.0, 5.0, "yaw")
    changed = differences(load_run_config("paper-256"), config)
    assert changed == ["training.batch", "training.kimg", "training.balance", "training.losses.r1"]


@pytest.mark.parametrize(
    ("sets", "sentence"),
    [
        (["training.losses.r2=1"], "did you mean training.losses.r1"),
        (["rate_g=1"], "did you mean training.optimisers.rate_g"),
        (["training.batch=0"], "training.batch = "),
        (["training.batch='many'"], "training.batch = "),
        (["training.batch=6", "training.part=4"], "no multiple of part = 4; set training.part=3, or training.batch=8"),
        (["training.batch=3", "training.part=8"], "set training.part=3, or training.batch=8"),
        (["training.kimg"], "not of the form key=value"),
        (["training.stages=[{until_kimg=2.0}, {until_kimg=1.0}]"], "one after the other"),
        (["training.losses.coarse_pose_kimg=[4, 2]"], "must not fall"),
    ],
)
def test_what_cannot_be_is_one_sentence(sets: list[str], sentence: str):
    with pytest.raises(ConfigError, match=sentence) as caught:
        load_run_config("tiny", sets=sets)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_toml(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot read"):
        load_run_config("tiny", tmp_path / "missing.toml")
    (tmp_path / "bad.toml").write_text("[training\n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_run_config("tiny", tmp_path / "bad.toml")


def test_a_configuration_survives_json():
    config = load_run_config("tiny", sets=SETS)
    assert over(config.model_dump(mode="json")) == config


def test_every_setting_of_a_stage_is_in_the_documents():
    lines = (Path(__file__).parents[2] / "docs" / "train.md").read_text(encoding="utf-8").splitlines()
    stages = [f"| `{name}` | {field.description} |" for name, field in Stage.model_fields.items()]
    assert [row for row in stages if row not in lines] == []
