"""Published checkpoints: read without running them, to pictures that agree with the published formulas."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from generator_runs import app  # noqa: E402
from published_pickles import RAW, RAW_INPUT, Maker, foreign_packages, write_pickle  # noqa: E402
from published_reference import judged, mapped, picture, seen_pose  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from phq.errors import InputError, OutputError, WeightError  # noqa: E402
from phq.generator.evaluate import masks  # noqa: E402
from phq.generator.evaluate.run import evaluate  # noqa: E402
from phq.generator.networks.discriminator import Discriminator  # noqa: E402
from phq.generator.published.importing import Imported, import_checkpoint  # noqa: E402
from phq.generator.published.pickles import read_pickle  # noqa: E402
from phq.generator.train.checkpoint import latest  # noqa: E402
from phq.generator.train.networks import AVERAGES  # noqa: E402
from phq.generator.train.run import read_config, train  # noqa: E402
from phq.generator.train.trained import config_of, find_checkpoint, load_average  # noqa: E402
from phq.generator.use.opening import Trained, open_trained  # noqa: E402

FAMILIES = ("3DPortraitGAN", "PanoHead", "EG3D", "SphereHead")
REST = torch.zeros(2, 6)


def imported(folder: Path, family: str, factor: int = 4, exact: bool = True) -> tuple[Imported, Trained, Any, Any]:
    """The report, the generator, and the weights of the published one and of its discriminator."""
    states = write_pickle(folder / "network-snapshot-012000.pkl", family, factor)
    done = import_checkpoint(folder / "network-snapshot-012000.pkl", folder / "run", published_samples=exact)
    return done, open_trained(folder / "run", "cpu"), *states


def seen(trained: Trained, z: Any, camera: Any) -> Any:
    g = trained.g
    with torch.no_grad():
        return g.synthesis(g.mapping(z, camera, REST), camera, None, resolution=trained.raw)


def cameras(trained: Trained) -> Any:
    return torch.cat([trained.camera_at(20, 5), trained.camera_at(-150)])


@pytest.mark.parametrize("factor", [4, 2])
@pytest.mark.parametrize("family", FAMILIES)
def test_pictures_are_those_of_the_published_formulas(tmp_path: Path, family: str, factor: int):
    done, trained, state, _ = imported(tmp_path, family, factor)
    z, camera = torch.randn(2, 8, generator=torch.Generator().manual_seed(1)), cameras(trained)
    found = seen(trained, z, camera)
    wanted = picture(family, state, z, camera, REST, factor, RAW)
    for name, value in wanted.items():
        assert (found[name] - value).abs().max() < 1e-4 * value.abs().max(), name
    assert (done.family, done.images, trained.raw) == (family, 12000000, RAW)
    assert found["image"].std() > 0.1


@pytest.mark.parametrize("family", FAMILIES)
def test_without_the_switch_rays_are_sampled_where_phq_does(tmp_path: Path, family: str):
    _, trained, state, _ = imported(tmp_path, family, exact=False)
    z, camera = torch.randn(2, 8, generator=torch.Generator().manual_seed(1)), cameras(trained)
    off = seen(trained, z, camera)["image"] - picture(family, state, z, camera, REST, 4, RAW)["image"]
    assert off.abs().max() > 1e-3


@pytest.mark.parametrize("family", ["3DPortraitGAN", "PanoHead", "EG3D"])
def test_verdicts_are_those_of_the_published_discriminator(tmp_path: Path, family: str):
    _, trained, _, state = imported(tmp_path, family)
    saved = find_checkpoint(tmp_path / "run")
    d = Discriminator(config_of(saved).model)
    load_average(d, saved, "d_ema")
    camera, pose = cameras(trained), torch.full((2, 6), 0.1)
    made = torch.Generator().manual_seed(2)
    image, raw, mask = (torch.rand(2, c, s, s, generator=made) for c, s in ((3, 32), (3, RAW), (1, RAW)))
    labels = torch.cat([camera, pose], dim=1) if family == "3DPortraitGAN" else camera
    found = d(image, raw, mask, camera, pose if family == "3DPortraitGAN" else torch.zeros(2, 6)).logits
    wanted = judged(family, state, image, raw, mask, labels)
    assert (found - wanted).abs().max() < 1e-4 * wanted.abs().max()
    if family == "3DPortraitGAN":
        camera = torch.cat([trained.camera_at(30), trained.camera_at(80, 5)])
        poses, wanted = d.predict_pose(image, raw, mask, camera), seen_pose(state, image, raw, mask, camera)
        assert (poses - wanted).abs().max() < 1e-4 * wanted.abs().max()


def test_styles_without_conditioning_ignore_the_camera(tmp_path: Path):
    with foreign_packages():
        g = Maker(3).generator("EG3D")
        g.state["rendering_kwargs"]["c_gen_conditioning_zero"] = True
        (tmp_path / "g.pkl").write_bytes(pickle.dumps({"G_ema": g}))
    import_checkpoint(tmp_path / "g.pkl", tmp_path / "run")
    trained = open_trained(tmp_path / "run", "cpu")
    z = torch.ones(2, 8)
    ws = trained.g.mapping(z, cameras(trained))[:, 0]
    assert torch.equal(ws[0], ws[1])
    assert torch.allclose(ws[0], mapped(_state(g), "backbone.mapping", z, torch.zeros(2, 25))[0], atol=1e-6)


def _state(g: Any) -> Any:
    from published_pickles import state_of

    return state_of(g)


def test_what_has_no_place_is_named(tmp_path: Path):
    done, *_ = imported(tmp_path, "SphereHead")
    said = "\n".join(done.notes)
    for word in ("shifts of the camera", "noise of super-resolution", "filter [1, 3, 3, 1]", "units of its own"):
        assert word in said
    stated = json.loads((tmp_path / "run" / "config.json").read_text())["imported"]
    assert stated["notes"] == done.notes
    assert (stated["file"], stated["tensors"]) == ("network-snapshot-012000.pkl", done.mapped)


def test_a_variant_with_parts_of_its_own_is_refused(tmp_path: Path):
    with foreign_packages():
        maker = Maker(0)
        g = maker.generator("PanoHead")
        g.state["_modules"]["hair"] = maker.dense(4, 4)
        (tmp_path / "g.pkl").write_bytes(pickle.dumps({"G_ema": g}))
    with pytest.raises(InputError, match=r"no place for 2 tensors of it, hair\.weight, hair\.bias"):
        import_checkpoint(tmp_path / "g.pkl", tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("setting", "value"), [("white_back", True), ("superresolution_noise_mode", "random"), ("ray_start", "auto")]
)
def test_what_phq_cannot_render_is_refused(tmp_path: Path, setting: str, value: Any):
    with foreign_packages():
        g = Maker(0).generator("EG3D")
        g.state["rendering_kwargs"][setting] = value
        (tmp_path / "g.pkl").write_bytes(pickle.dumps({"G_ema": g}))
    with pytest.raises(InputError, match=f"{setting} = {value!r}"):
        import_checkpoint(tmp_path / "g.pkl", tmp_path / "run")


class _Program:
    """Pickled, a call that ends the process."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (87,)


class _Named:
    """Pickled, a call of a function of a package that is not installed here, or of torch."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> tuple[Any, ...]:
        return torch.load, (self.name,)


def test_a_pickle_that_calls_a_program_is_refused(tmp_path: Path):
    path = tmp_path / "g.pkl"
    path.write_bytes(pickle.dumps({"G_ema": _Program()}))
    with pytest.raises(WeightError, match=r"its pickle asks for 'posix\._exit'|'nt\._exit'"):
        read_pickle(path)
    path.write_bytes(b"cbuiltins\ngetattr\n.")
    with pytest.raises(WeightError, match=r"builtins\.getattr"):
        read_pickle(path)


def test_functions_that_a_pickle_names_are_not_called(tmp_path: Path):
    path = tmp_path / "g.pkl"
    path.write_bytes(pickle.dumps({"G_ema": _Named(str(tmp_path / "nowhere.pt"))}))
    assert type(read_pickle(path)["G_ema"]).__name__ == "load"


def test_a_pickle_cannot_change_what_reads_it(tmp_path: Path):
    path = tmp_path / "g.pkl"
    for name in ("ctorch._utils\n_rebuild_parameter\n", "cdnnlib.util\nEasyDict\n", "ctorch.nn\nLinear\n"):
        path.write_bytes(name.encode() + b"(N}S'__call__'\nNsttb.")  # BUILD with a state of slots
        with pytest.raises(WeightError):
            read_pickle(path)


@pytest.mark.parametrize("cut", [0.3, 0.9])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, cut: float):
    write_pickle(tmp_path / "g.pkl", "EG3D")
    whole = (tmp_path / "g.pkl").read_bytes()
    (tmp_path / "g.pkl").write_bytes(whole[: int(len(whole) * cut)])
    with pytest.raises(WeightError, match="cannot be read as a network pickle"):
        import_checkpoint(tmp_path / "g.pkl", tmp_path / "run")


def test_a_tensor_beyond_its_storage_is_refused(tmp_path: Path):
    tensor = torch.zeros(4)
    content = pickle.dumps({"G_ema": tensor})
    path = tmp_path / "g.pkl"
    path.write_bytes(content.replace(b"K\x04\x85", b"K\x09\x85"))
    with pytest.raises(WeightError, match="beyond its storage"):
        read_pickle(path)


def test_a_pickle_without_a_generator_is_refused(tmp_path: Path):
    (tmp_path / "g.pkl").write_bytes(pickle.dumps({"E": 1}))
    with pytest.raises(InputError, match=r"holds no generator \(G_ema or G\), but E"):
        import_checkpoint(tmp_path / "g.pkl", tmp_path / "run")


def test_nothing_is_written_over(tmp_path: Path):
    imported(tmp_path, "EG3D")
    with pytest.raises(OutputError, match="not empty"):
        import_checkpoint(tmp_path / "network-snapshot-012000.pkl", tmp_path / "run")


def test_every_command_takes_an_imported_run(tmp_path: Path):
    write_pickle(tmp_path / "g.pkl", "EG3D")
    run = str(tmp_path / "run")
    told = CliRunner().invoke(app, ["import-checkpoint", str(tmp_path / "g.pkl"), run], catch_exceptions=False)
    assert (told.exit_code, told.output.splitlines()[0][:27]) == (0, "EG3D after 0 images: 107 te")
    trained = open_trained(tmp_path / "run", "cpu")
    commands = (
        ["morph", run, "--out", str(tmp_path / "morph.mp4"), "--seeds", "0,1", "--frames", "1"],
        ["act", run, "--out", str(tmp_path / "act.mp4"), "--poses", "nod", "--frames", "2"],
        ["sweep", run, "--out", str(tmp_path / "sweep.png"), "--seeds", "0", "--truncations", "0,1"],
        ["mix", run, "--out", str(tmp_path / "mix.png"), "--seeds", "0", "--styles", "1", "--layers", "2-3"],
        ["export", run, "--out", str(tmp_path / "exported")],
        ["sample", run, "--out", str(tmp_path / "pictures"), "--seeds", "0,1"],
        ["orbit", run, "--out", str(tmp_path / "orbit.mp4"), "--frames", "2"],
        ["mesh", run, "--out", str(tmp_path / "mesh.glb"), "--voxels", "16", "--level", "0.05"],
    )
    for command in commands:
        done = CliRunner().invoke(app, command, catch_exceptions=False)
        assert done.exit_code == 0, done.output
    labels = json.loads((tmp_path / "pictures" / "seed0000.json").read_text())
    assert labels["intrinsics"][0] == pytest.approx(2985.29 / 700, abs=1e-4)
    assert trained.camera_at(0)[0, 6] == pytest.approx(0)


@pytest.mark.parametrize("family", ["3DPortraitGAN", "EG3D"])
def test_an_imported_run_is_evaluated_and_inverted(
    tmp_path: Path, portraits: Path, family: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(masks, "Segmenter", lambda: lambda images: images.mean(axis=-1) > 127)  # takes no time
    imported(tmp_path, family)
    report = evaluate(tmp_path / "run", portraits, count=4, batch=2, device="cpu")
    assert report["fd_mobilenetv2"]["coupled"]["all"] > 0
    assert (report["poses"] is None) == (family == "EG3D")
    from phq.dataset.reader import Dataset
    from phq.generator.use.fitting import fit
    from phq.generator.use.target import from_dataset

    trained = open_trained(tmp_path / "run", "cpu")
    target = from_dataset(portraits, Dataset(portraits).keys[0], trained.g.config.resolution)
    curve = fit(trained, target, steps=4).curve
    assert curve[-1]["total"] < curve[0]["total"]


def test_training_goes_on_from_an_imported_run(tmp_path: Path, portraits: Path):
    imported(tmp_path, "3DPortraitGAN")
    begun = latest(tmp_path / "run").read(AVERAGES)
    sets = [f"training.{text}" for text in ("batch=4", "part=4", "optimisers.rate_g=1e-9", "optimisers.rate_d=1e-9",
                                               "stages=[{until_kimg=1.0, raw=[8, 8]}]")]  # fmt: skip
    done = train([portraits], tmp_path / "more", sets=sets, kimg=0.004, start=tmp_path / "run")
    assert done.finished
    now = latest(tmp_path / "more").read(["g", "d"])
    assert {name.partition(".")[2] for name in now} == {name.partition(".")[2] for name in begun}
    for part in ("g", "d"):
        name = {"g": "backbone.blocks.0.convs.0.weight", "d": "trunk.entry.weight"}[part]
        torch.testing.assert_close(now[f"{part}.{name}"], begun[f"{part}_ema.{name}"], atol=1e-6, rtol=0)
    assert read_config(tmp_path / "more").model == read_config(tmp_path / "run").model


def test_super_resolution_begins_with_its_own_side(tmp_path: Path):
    _, trained, *_ = imported(tmp_path, "PanoHead")
    assert (trained.g.config.superres.input, trained.g.config.resolution) == (RAW_INPUT, 4 * RAW_INPUT)
