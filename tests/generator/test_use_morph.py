"""People who become one another, poses that are driven, and sheets of many people."""

from __future__ import annotations

from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from phq.dataset.reader import Dataset  # noqa: E402
from phq.errors import ConfigError, OutputError  # noqa: E402
from phq.generator.train.preview import to_pixels  # noqa: E402
from phq.generator.use.arguments import parse_numbers, parse_seeds  # noqa: E402
from phq.generator.use.morphing import act, between, morph, moved, poses_of  # noqa: E402
from phq.generator.use.opening import Trained  # noqa: E402
from phq.generator.use.people import Person, people  # noqa: E402
from phq.generator.use.sheets import mix, mixed, sweep  # noqa: E402


@pytest.fixture(scope="module")
def pair(untrained: Trained) -> list[Person]:
    return people(untrained, [0, 1], untrained.camera_at(0.0))


def test_a_morph_goes_through_everybody_and_back(untrained: Trained, pair: list[Person], tmp_path: Path):
    assert torch.equal(between(pair, 0).ws, pair[0].ws)
    assert torch.equal(between(pair, 1).ws, pair[1].ws)
    assert torch.allclose(between(pair, 1.5).ws, (pair[0].ws + pair[1].ws) / 2)
    assert torch.equal(between(pair, 2).ws, pair[0].ws)
    early = (between(pair, 0.1).ws - pair[0].ws).norm() / (pair[1].ws - pair[0].ws).norm()
    assert float(early) == pytest.approx(0.028, abs=1e-4)
    out = morph(pair, untrained, tmp_path / "m.mp4", frames=3, fps=10)
    assert imageio_ffmpeg.count_frames_and_secs(str(out))[0] == 6
    with pytest.raises(OutputError, match="already exists"):
        morph(pair, untrained, out, frames=1)
    with pytest.raises(ConfigError, match="two people"):
        morph(pair[:1], untrained, tmp_path / "one.mp4")


def test_neck_and_head_are_driven_to_both_sides(untrained: Trained, pair: list[Person], tmp_path: Path):
    poses = np.degrees(moved("turn", 4, 20))
    np.testing.assert_allclose(poses[:, [1, 4]], [[0, 0], [10, 10], [0, 0], [-10, -10]], atol=1e-12)
    assert not poses[:, [0, 2, 3, 5]].any()
    np.testing.assert_allclose(np.degrees(moved("nod", 4, 20))[1], [10, 0, 0, 10, 0, 0], atol=1e-12)
    np.testing.assert_allclose(np.degrees(moved("tilt", 4, 20))[1], [0, 0, 10, 0, 0, 10], atol=1e-12)
    out = act(pair[0], untrained, moved("nod", 2, 20), tmp_path / "a.mp4")
    assert imageio_ffmpeg.count_frames_and_secs(str(out))[0] == 2


def test_poses_of_a_video_are_in_the_order_of_its_frames(portraits: Path):
    dataset = Dataset(portraits)
    keys = sorted(dataset.keys)
    wanted = [dataset[dataset.index_of(key)].row["neck_head_pose"] for key in keys]
    np.testing.assert_allclose(poses_of(portraits), wanted)


def test_a_sweep_has_a_row_a_person_and_a_column_a_truncation(untrained: Trained, tmp_path: Path):
    pixels = np.array(Image.open(sweep(untrained, [3, 5], [0.0, 1.0, 0.5], tmp_path / "s.png")))
    assert pixels.shape == (32, 48, 3)
    average, whole = pixels[:, :16], pixels[:, 16:32]
    np.testing.assert_array_equal(average[:16], average[16:])  # at 0 everybody is the average
    assert (whole[:16] != whole[16:]).any()
    (person,) = people(untrained, [5], untrained.camera_at(0.0))
    seen = person.seen(untrained.camera_at(0.0), person.own)["image"]
    np.testing.assert_array_equal(whole[16:], to_pixels(seen))


def test_mixed_people_have_another_style_in_the_layers_that_were_named(
    untrained: Trained, pair: list[Person], tmp_path: Path
):
    both = mixed(pair[0], pair[1], [1, 2])
    assert torch.equal(both.ws[:, 1:3], pair[1].ws[:, 1:3])
    assert torch.equal(both.ws[:, [0]], pair[0].ws[:, [0]])
    pixels = np.array(Image.open(mix(untrained, [0], [1, 2], [0, 1], tmp_path / "m.png")))
    assert pixels.shape == (16, 48, 3)
    assert (pixels[:, :16] != pixels[:, 16:32]).any()
    with pytest.raises(ConfigError, match=f"--layers 9: the model has {untrained.g.num_ws} layers"):
        mix(untrained, [0], [1], [0, 9], tmp_path / "n.png")


def test_lists_are_read_or_refused_with_their_option():
    assert parse_numbers("-0.5,1", "--truncations") == [-0.5, 1.0]
    with pytest.raises(ConfigError, match="--truncations 'a'"):
        parse_numbers("a", "--truncations")
    with pytest.raises(ConfigError, match="--layers 'x'"):
        parse_seeds("x", "--layers")
