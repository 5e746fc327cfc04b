"""Pictures and orbits: labels that draw the picture again, one person from all sides, nothing written over."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import torch
from generator_runs import app, write_run
from PIL import Image
from typer.testing import CliRunner

from phq.camera.convention import orbit
from phq.errors import ConfigError, OutputError
from phq.generator.train.preview import to_pixels
from phq.generator.use import orbiting
from phq.generator.use.cameras import camera_at, label, radius_of
from phq.generator.use.opening import Trained
from phq.generator.use.orbiting import film, turning
from phq.generator.use.people import Cast, average, latent, people
from phq.generator.use.sampling import sample


@pytest.fixture(scope="module")
def changeable(untrained: Trained) -> Trained:
    """The same with a pose predictor that has an opinion, and a dense volume: pose and conditioning show."""
    state = untrained.g.state_dict()
    g = type(untrained.g)(untrained.g.config)
    g.load_state_dict(state)
    rng = torch.Generator().manual_seed(3)
    with torch.no_grad():
        last = g.pose.layers[-1]
        last.weight.copy_(torch.randn(last.weight.shape, generator=rng))
        g.decoder.load_state_dict({name: 6 * value for name, value in g.decoder.state_dict().items()})
    return Trained(g.eval().requires_grad_(False), untrained.raw, untrained.images)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


def test_a_label_draws_its_picture_again(changeable: Trained, tmp_path: Path):
    camera = camera_at(40, 10, 2.5)
    written = sample(changeable, tmp_path, [3, 11], truncation=0.5, camera=camera, conditioning=(20, 0))
    assert [path.name for path in written] == ["seed0003.png", "seed0011.png"]
    for path in written:
        said = json.loads(path.with_suffix(".json").read_text())
        read, told = (label(c["cam2world"], c["intrinsics"]) for c in (said, said["conditioning_camera"]))
        (person,) = people(changeable, [said["seed"]], told, said["truncation"])
        assert said["predicted_neck_head_pose"] == pytest.approx(person.own[0].tolist(), abs=1e-6)
        again = person.seen(read, torch.tensor([said["neck_head_pose"]]))
        assert np.abs(pixels(path) - to_pixels(again["image"])).max() <= 1
        assert (said["camera_yaw_deg"], said["camera_pitch_deg"]) == pytest.approx((40, 10), abs=1e-3)
        assert (said["radius"], said["image_size"], said["trained_on"]) == (2.5, 16, 12)


def test_mask_and_depth_beside_a_picture(untrained: Trained, tmp_path: Path):
    sample(untrained, tmp_path, [0], extras=("mask", "depth"))
    mask, depth = (Image.open(tmp_path / f"seed0000-{name}.png") for name in ("mask", "depth"))
    assert (mask.mode, mask.size) == ("L", (8, 8))
    metres = np.asarray(depth) / 1000
    assert metres.min() >= 2.42 - 1e-3
    assert metres.max() <= 2.98 + 1e-3


def test_nothing_is_written_over_and_other_files_stay(untrained: Trained, tmp_path: Path):
    (tmp_path / "seed0001.json").write_text("mine")
    with pytest.raises(OutputError, match=r"seed0001\.json already exists"):
        sample(untrained, tmp_path, [0, 1])
    assert [path.name for path in tmp_path.iterdir()] == ["seed0001.json"]
    sample(untrained, tmp_path, [0])
    assert (tmp_path / "seed0001.json").read_text() == "mine"


def test_truncation_leads_to_one_person(untrained: Trained):
    front = camera_at(0)
    everybody, average_one = (people(untrained, [0, 1], front, psi) for psi in (1.0, 0.0))
    mean = average(untrained, front).style
    assert not torch.equal(everybody[0].ws, everybody[1].ws)
    for person in average_one:
        torch.testing.assert_close(person.ws[:, 0], mean)
    half = people(untrained, [0], front, 0.5)[0]
    torch.testing.assert_close(half.ws[:, 0], (everybody[0].ws[:, 0] + mean) / 2)


def test_the_average_style_is_that_of_many_other_seeds(untrained: Trained):
    mean, spread = average(untrained, camera_at(0))
    styles = torch.cat([person.ws[:, 0] for person in people(untrained, range(2000, 2400), camera_at(0))])
    distances = (styles - styles.mean(dim=0)).square().sum(dim=1)
    assert (mean - styles.mean(dim=0)).norm() < 0.2 * spread
    assert spread == pytest.approx(distances.mean().sqrt().item(), rel=0.1)


def test_a_seed_is_the_same_latent_whatever_the_others(untrained: Trained):
    several = {seed: latent(untrained, seed) for seed in (4, 5, 6)}
    assert torch.equal(latent(untrained, 5), several[5])
    assert not torch.equal(several[4], several[5])


def test_a_person_stays_who_they_are_while_the_camera_turns(changeable: Trained):
    cast = Cast(changeable, (0,))
    assert cast.people(camera_at(0))[0] is cast.people(camera_at(120))[0]
    told = Cast(changeable, (0,), conditioning=None)
    front, side = (told.people(camera_at(yaw))[0] for yaw in (0, 120))
    assert torch.equal(front.ws, cast.people(camera_at(0))[0].ws)
    assert not torch.equal(front.ws, side.ws)


def test_an_orbit_begins_with_the_sample_and_goes_once_around(changeable: Trained, tmp_path: Path):
    sample(changeable, tmp_path, [0, 1], camera=camera_at(0, 5))
    sample(changeable, tmp_path / "back", [0, 1], camera=camera_at(180, 5))
    frames = list(turning(Cast(changeable, (0, 1)).people, 6, pitch=5))
    assert {frame.shape for frame in frames} == {(16, 32, 3)}
    for number, folder in ((0, tmp_path), (3, tmp_path / "back")):
        beside = np.hstack([pixels(folder / f"seed000{seed}.png") for seed in (0, 1)])
        np.testing.assert_array_equal(frames[number], beside)
    assert all((one != other).any() for one, other in pairwise(frames))


def test_pose_of_an_orbit(changeable: Trained):
    cast = Cast(changeable, (0,))
    own, rest, turned = (next(turning(cast.people, 1, pose)) for pose in ("own", "rest", np.full(6, 0.2)))
    assert (own != rest).any()
    assert (turned != rest).any()


def test_the_camera_swings_up_first(untrained: Trained, monkeypatch: pytest.MonkeyPatch):
    seen = []
    monkeypatch.setattr(orbiting, "camera_at", lambda *place: seen.append(place) or camera_at(*place))
    list(turning(Cast(untrained, (0,)).people, 4, pitch=5, pitch_swing=10, radius=3))
    assert np.round([place[:3] for place in seen], 6).tolist() == [[0, 5, 3], [90, 15, 3], [180, 5, 3], [270, -5, 3]]


def test_a_video_has_its_frames(untrained: Trained, tmp_path: Path):
    out = film(Cast(untrained, (0, 1)).people, tmp_path / "orbit.mp4", frames=7, fps=10)
    count, seconds = imageio_ffmpeg.count_frames_and_secs(str(out))
    assert (count, seconds) == (7, pytest.approx(0.7, abs=0.05))
    content = out.read_bytes()
    with pytest.raises(OutputError, match="already exists"):
        film(Cast(untrained, (0,)).people, out, frames=2)
    assert out.read_bytes() == content
    with pytest.raises(OutputError, match=r"ends in \.mp4"):
        film(Cast(untrained, (0,)).people, tmp_path / "orbit.gif", frames=2)


@pytest.mark.parametrize("place", [(0, 0, 2.7), (75, 20, 2.0), (-160, -30, 4.0)])
def test_cameras(place: tuple[float, float, float]):
    yaw, pitch, radius = place
    camera = camera_at(*place)
    assert radius_of(camera) == pytest.approx(radius)
    if radius == 2.7:
        np.testing.assert_allclose(camera[0, :16].reshape(4, 4), orbit(yaw, pitch), atol=1e-6)


def test_the_commands(tmp_path: Path):
    run = str(write_run(tmp_path / "run"))
    made = CliRunner().invoke(app, [
        "sample", run, "--out", str(tmp_path / "out"), "--seeds", "0,5", "--truncation", "0.7", "--pose", "10,20",
        "--yaw", "90", "--mask", "--device", "cpu",
    ])  # fmt: skip
    assert made.exit_code == 0, made.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"seed000{seed}{end}" for seed in (0, 5) for end in ("-mask.png", ".json", ".png")
    ]
    pose = json.loads((tmp_path / "out" / "seed0005.json").read_text())["neck_head_pose"]
    assert np.degrees(pose) == pytest.approx([0, 10, 0, 0, 20, 0], abs=1e-3)
    out = tmp_path / "orbit.mp4"
    made = CliRunner().invoke(app, ["orbit", run, "--out", str(out), "--seeds", "0-1", "--frames", "2"])
    assert made.exit_code == 0, made.output
    assert out.stat().st_size > 500
    steep = CliRunner().invoke(app, ["orbit", run, "--out", str(out), "--pitch", "50", "--pitch-swing", "50"])
    assert isinstance(steep.exception, ConfigError)
