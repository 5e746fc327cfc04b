"""Inversion: of the generator's own pictures, of a dataset's samples and of photos; what it leaves, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from bundled_photos import FOLDER
from generator_runs import app, write_run
from PIL import Image
from training_dataset import write_portraits
from typer.testing import CliRunner

from phq.dataset.reader import Dataset
from phq.errors import ConfigError, InputError, OutputError
from phq.generator.train.preview import to_pixels
from phq.generator.use.cameras import camera_at
from phq.generator.use.fitting import difference, fit
from phq.generator.use.inverting import YAWS, invert
from phq.generator.use.latents import read_latent
from phq.generator.use.opening import Trained
from phq.generator.use.people import average, people
from phq.generator.use.target import Target, from_dataset, from_photo


@pytest.fixture(scope="module")
def own(untrained: Trained) -> Target:
    """What the generator draws for a seed, from the side."""
    camera = camera_at(30)
    seen = people(untrained, [7], camera_at(0))[0].seen(camera, torch.zeros(1, 6))
    mask = torch.nn.functional.interpolate(seen["mask"].clamp(0, 1), 16, mode="bilinear")
    return Target(seen["image"], mask, camera, torch.zeros(1, 6), {"seed": 7})


def test_a_picture_of_the_generator_is_found_again(untrained: Trained, own: Target):
    found = fit(untrained, own, steps=60)
    losses = [point["total"] for point in found.curve]
    assert losses[-1] < 0.3 * losses[0]
    assert (len(losses), found.curve[-1]["phase"]) == (61, "end")
    (wanted,) = people(untrained, [7], camera_at(0))
    mean = average(untrained, camera_at(0)).style
    assert (found.person.ws[:, 0] - wanted.ws[:, 0]).norm() < (mean - wanted.ws[:, 0]).norm()


def test_the_same_seed_finds_the_same_and_another_seed_another(untrained: Trained, own: Target):
    one, again, other = (fit(untrained, own, steps=5, tune=2, seed=seed) for seed in (1, 1, 2))
    assert one.curve == again.curve
    assert torch.equal(one.person.ws, again.person.ws)
    assert torch.equal(one.person.own, again.person.own)
    assert not torch.equal(one.person.ws, other.person.ws)


def test_tuning_comes_nearer_and_leaves_the_generator_alone(untrained: Trained, own: Target):
    strange = Target(own.image.flip(1) * 0.5, own.mask, own.camera, own.pose, {})
    before = {name: value.clone() for name, value in untrained.g.state_dict().items()}
    found = fit(untrained, strange, steps=10, tune=30)
    phases = {phase: [p["total"] for p in found.curve if p["phase"] == phase] for phase in ("style", "tune", "end")}
    assert phases["end"][0] < 0.8 * phases["tune"][0]
    assert all(torch.equal(before[name], value) for name, value in untrained.g.state_dict().items())
    assert found.person.g is not untrained.g


def test_the_pose_is_refined(untrained: Trained, own: Target):
    wrong = Target(own.image, own.mask, own.camera, torch.full((1, 6), 0.3), {})
    found = fit(untrained, wrong, steps=5)
    assert not torch.equal(found.person.own, wrong.pose)
    assert (found.person.own - wrong.pose).abs().max() < 0.1


def test_the_difference_is_zero_for_itself_and_counts_the_person_most(untrained: Trained, own: Target):
    seen = people(untrained, [7], camera_at(0))[0].seen(own.camera, own.pose)
    half = torch.zeros_like(own.mask)
    half[..., :8] = 1
    target = Target(own.image, half, own.camera, own.pose, {})
    assert difference(seen, target).colour == 0
    on, off = (own.image.clone() for _ in range(2))
    on[..., :8] += 0.5
    off[..., 8:] += 0.5
    by_person, by_background = (difference({**seen, "image": image}, target).colour.item() for image in (on, off))
    assert by_person == pytest.approx(0.5 / 1.1, abs=0.01)
    assert by_background == pytest.approx(0.05 / 1.1, abs=0.01)


def test_what_an_inversion_leaves(untrained: Trained, own: Target, tmp_path: Path):
    out = tmp_path / "found"
    done = invert(untrained, own, out, steps=3, tune=2, frames=2)
    assert sorted(path.name for path in out.iterdir()) == [
        "curve.json", "generator.safetensors", "inversion.json", "latent.npz", "orbit.mp4", "render.png", "target.png",
        "views.png",
    ]  # fmt: skip
    np.testing.assert_array_equal(np.asarray(Image.open(out / "target.png")), to_pixels(own.image))
    assert Image.open(out / "views.png").size == (16 * (2 + len(YAWS)), 16)
    assert json.loads((out / "curve.json").read_text()) == done.fit.curve
    facts = json.loads((out / "inversion.json").read_text())
    assert facts["neck_head_pose"] == pytest.approx(done.fit.person.own[0].tolist(), abs=1e-6)
    assert (facts["seed"], facts["steps"], facts["tune"], facts["trained_on"]) == (0, 3, 2, 12)
    with pytest.raises(OutputError, match="is not empty"):
        invert(untrained, own, out, steps=1)


def test_a_latent_is_the_person_again_tuned_weights_and_all(untrained: Trained, own: Target, tmp_path: Path):
    for tune in (0, 2):
        out = tmp_path / str(tune)
        done = invert(untrained, own, out, steps=2, tune=tune)
        render = np.asarray(Image.open(out / "render.png"))
        for where in (out, out / "latent.npz"):
            person = read_latent(where, untrained)
            assert torch.equal(person.own, done.fit.person.own)
            np.testing.assert_array_equal(to_pixels(person.seen(own.camera, person.own)["image"]), render)


def test_a_latent_of_another_checkpoint_is_refused(untrained: Trained, own: Target, tmp_path: Path):
    invert(untrained, own, tmp_path / "found", steps=1)
    with pytest.raises(InputError, match="after 12 images, not 8 after 13"):
        read_latent(tmp_path / "found", Trained(untrained.g, untrained.raw, 13))
    with pytest.raises(InputError, match="is not a latent"):
        read_latent(tmp_path, untrained)
    (tmp_path / "latent.npz").write_bytes(b"PK damaged")
    with pytest.raises(InputError, match="is not a latent"):
        read_latent(tmp_path, untrained)


def test_a_sample_of_a_dataset(tmp_path: Path):
    dataset = Dataset(write_portraits(tmp_path / "set", 3))
    item = dataset[1]
    target = from_dataset(tmp_path / "set", item.key[:10], 64)
    np.testing.assert_array_equal(to_pixels(target.image), item.image)
    np.testing.assert_array_equal((target.mask[0, 0] * 255).round().numpy(), item.mask)
    assert target.pose[0].tolist() == pytest.approx(item.sample.neck_head_pose)
    assert target.camera[0].tolist() == pytest.approx([*item.sample.cam2world, *item.sample.intrinsics])
    assert target.about["key"] == item.key
    assert from_dataset(tmp_path / "set", item.key, 16).image.shape == (1, 3, 16, 16)
    with pytest.raises(InputError, match="has no sample 'zz'"):
        from_dataset(tmp_path / "set", "zz", 16)


def test_a_photo_is_annotated_by_the_datasets_stages(tmp_path: Path):
    target = from_photo(FOLDER / "scikit-image-0.26.0__astronaut.png", 64)
    x, _, z = target.camera[0, [3, 7, 11]].tolist()
    assert abs(np.degrees(np.arctan2(x, z))) < 35
    assert 0.2 < target.mask.mean() < 0.9
    middle, corner = target.mask[0, 0, 26:38, 26:38].mean(), target.mask[0, 0, :6, :6].mean()
    assert middle > 0.9
    assert corner < 0.5
    assert target.about == {"photo": "scikit-image-0.26.0__astronaut.png", "person": 0, "people": 1}
    with pytest.raises(ConfigError, match="--person 3"):
        from_photo(FOLDER / "scikit-image-0.26.0__astronaut.png", 64, person=3)
    empty = tmp_path / "grey.png"
    Image.new("RGB", (300, 300), "grey").save(empty)
    with pytest.raises(InputError, match="cannot be used: no_person"):
        from_photo(empty, 64)


def test_the_command(tmp_path: Path):
    run, folder = str(write_run(tmp_path / "run")), write_portraits(tmp_path / "set", 2)
    out, key = tmp_path / "found", Dataset(folder).keys[0]
    made = CliRunner().invoke(app, [
        "invert", run, "--data", str(folder), "--key", key, "--out", str(out), "--steps", "2", "--device", "cpu",
    ])  # fmt: skip
    assert made.exit_code == 0, made.output
    assert "views.png" in made.output
    video = tmp_path / "orbit.mp4"
    made = CliRunner().invoke(app, ["orbit", run, "--latent", str(out), "--out", str(video), "--frames", "2"])
    assert made.exit_code == 0, made.output
    assert video.exists()
    for arguments in ([], ["photo.jpg", "--data", "set"], ["--data", "set"], ["photo.jpg", "--key", key]):
        wrong = CliRunner().invoke(app, ["invert", run, *arguments, "--out", str(tmp_path / "other")])
        assert isinstance(wrong.exception, ConfigError)
