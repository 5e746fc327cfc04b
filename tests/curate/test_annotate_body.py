"""``phq annotate --body``: labels for the user's own body file, played by the embedded body written as one."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dataset_hashes import hashes
from smpl_files import (
    KIND,
    Hostile,
    bending,
    renumbered,
    smpl_arrays,
    somebody_else,
    with_vertices,
    write_npz,
    write_pickle,
    write_python2_pickle,
)
from typer.testing import CliRunner

from phq.camera.convention import VISIBLE_HEIGHT, world2cam
from phq.cli import app
from phq.curate.annotate.annotating import annotate
from phq.curate.annotate.bodies import places_in_crop
from phq.curate.bake import bake
from phq.dataset.embedded import BODY_COLUMNS, bodies_of
from phq.dataset.overlays import about_overlay, write_overlay
from phq.dataset.reader import Dataset
from phq.errors import ConfigError, MissingExtraError, WeightError
from phq.exchange.export import export_labels
from phq.pose.body import NECK, Body, load_body
from phq.pose.body_choice import open_body
from phq.pose.drawn import BODIES
from phq.pose.transfer import POINT_SIGMAS, Posed, transfer_to
from phq.schema import SMPL_JOINTS
from phq.view.show import show

UPPER = [SMPL_JOINTS.index(name) for name in ("head", "left_shoulder", "right_shoulder")]
ARMS = [SMPL_JOINTS.index(name) for name in ("left_elbow", "right_elbow", "left_wrist", "right_wrist")]


@pytest.fixture
def dataset(four_people: Path, tmp_path: Path) -> Path:
    """A copy that a test may put overlays on."""
    return Path(shutil.copytree(four_people, tmp_path / "ds"))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of SMPL's mesh whose mean, arms at rest and shape numbers are another's."""
    body = somebody_else(renumbered(load_body(), 6890))
    return write_python2_pickle(tmp_path_factory.mktemp("smpl") / "model.pkl", smpl_arrays(body, KIND["smpl"]), 2)


def posed(people: int) -> list[Posed]:
    chance = np.random.default_rng(5)
    shapes = np.hstack([chance.normal(size=(people, 4)), np.zeros((people, 6))])  # as the fit has them
    return [Posed(chance.normal(size=(24, 3)) * 0.25, betas, np.zeros(3)) for betas in shapes]


def millimetres(body: Body, person: Posed) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distances of head and shoulders, of elbows and wrists, and of face points from the embedded body's."""
    embedded = load_body()
    joints, points = embedded.joints_only(person.pose, person.betas, person.transl)
    stated = transfer_to(body)(person, joints[NECK])
    mine, my_points = body.joints_only(stated.pose, stated.betas, stated.transl)
    apart = np.linalg.norm(mine - joints, axis=1) * 1000
    names = [name for name in POINT_SIGMAS if name in body.face_points]
    rows = [[list(b.face_points).index(name) for name in names] for b in (embedded, body)]
    return apart[UPPER], apart[ARMS], np.linalg.norm(points[rows[0]] - my_points[rows[1]], axis=1) * 1000


def test_the_command_states_labels_for_the_file(dataset: Path, file: Path, tmp_path: Path):
    before, sheet = hashes(dataset), tmp_path / "sheet.png"
    words = ["annotate", str(dataset), "--name", "smpl", "--body", str(file), "--pictures", str(sheet)]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0
    body = open_body(str(file))
    assert f"{body.name}" in done.stdout
    assert "Max Planck non-commercial research" in done.stdout
    assert "head, neck and shoulders differ from the embedded body's by 0." in done.stdout
    assert hashes(dataset) == before, "no shard is touched"
    assert sheet.read_bytes().startswith(b"\x89PNG")
    about = about_overlay(Dataset(dataset).root, "smpl")
    assert about["body"]["sha256"] == body.sha256
    assert about["body"]["placed"]["stated"] == 4
    assert [model["licence"] for model in about["models"]] == ["Max Planck non-commercial research"]
    assert about["weights"] == [], "no network has run"


def test_the_labels_are_those_of_the_same_person_and_camera(dataset: Path, file: Path):
    annotate(dataset, "smpl", body=f"smpl:{file}", workers=1)
    body, states = open_body(str(file)), [Dataset(dataset, revision=name) for name in ("none", "smpl")]
    for item in states[0]:
        before, after = item.row, states[1][item.key].row
        assert after["body_model"] == body.name
        changed = {name for name in before if before[name] != after[name]}
        assert changed == {"body_model", "smpl_pose", "smpl_betas", "smpl_transl"}, "cameras and angles stay"
        assert np.abs(places_in_crop(body, after) - places_in_crop(load_body(), before)).max() < 0.01
        joints = body.joints_only(*(after[name] for name in ("smpl_pose", "smpl_betas", "smpl_transl")))[0]
        assert joints[NECK] == pytest.approx(world2cam(np.reshape(after["cam2world"], (4, 4)))[:3, 3], abs=1e-5)


def test_the_embedded_body_as_a_file_is_given_its_own_labels(tmp_path: Path):
    body = renumbered(load_body(), 6890)
    loaded = open_body(str(write_npz(tmp_path / "model.npz", smpl_arrays(body, KIND["smpl"]))))
    transfer = transfer_to(loaded)
    assert np.abs(transfer.mean).max() < 0.05
    for person in posed(5):
        stated = transfer(person, np.zeros(3))
        assert stated.betas == pytest.approx(person.betas, abs=0.5)  # a bust says little of the hips
        assert np.abs(stated.pose - person.pose).max() < 0.02
        for apart in millimetres(loaded, person):
            assert apart.max() < 2


@pytest.mark.parametrize(("vertices", "seed"), [(6890, 0), (6890, 1), (10475, 2)])
def test_another_mean_and_other_shape_numbers(vertices: int, seed: int):
    grown = with_vertices(load_body(), max(vertices, len(load_body().v_template)))
    body = replace(somebody_else(renumbered(grown, vertices), seed), name="somebody else")
    apart = [millimetres(body, person) for person in posed(10)]
    assert not transfer_to(body).neck_offset.any()
    for part, most in zip(map(np.concatenate, zip(*apart, strict=True)), (4.0, 6.0, 8.0), strict=True):
        assert part.max() < most


def test_a_body_whose_neck_joint_lies_elsewhere_stays_on_the_person(tmp_path: Path):
    """The joint is moved; skin and face are to stay, and the shift is stated."""
    body = renumbered(load_body(), 6890)
    regressor = body.J_regressor.copy()
    regressor[NECK] = 0.7 * regressor[NECK] + 0.3 * regressor[SMPL_JOINTS.index("head")]
    moved = replace(body, J_regressor=regressor)
    loaded = open_body(str(write_npz(tmp_path / "model.npz", smpl_arrays(moved, KIND["smpl"]))))
    offset = transfer_to(loaded).neck_offset
    true = 0.3 * (body.joints_template[SMPL_JOINTS.index("head")] - body.joints_template[NECK])
    assert np.linalg.norm(offset - true) < 0.01 * VISIBLE_HEIGHT
    upright = Posed(np.zeros((24, 3)), np.zeros(10), np.zeros(3))
    assert millimetres(loaded, upright)[2].max() < 5


def test_cameras_on_top_of_another_body_are_fitted_with_the_embedded_one_again(dataset: Path, file: Path):
    annotate(dataset, "smpl", body=str(file), workers=1)
    annotate(dataset, "again", groups=["camera"], workers=1)
    annotate(dataset, "smpl2", body=str(file), workers=1)
    annotate(dataset, "back", body="phq", workers=1)
    rows = {name: [item.row for item in Dataset(dataset, revision=name)] for name in ("none", "again", "back")}
    for name in ("again", "back"):
        for first, later in zip(rows["none"], rows[name], strict=True):
            for column in BODY_COLUMNS:
                kind = type(first[column])
                assert first[column] == (later[column] if kind is str else pytest.approx(later[column], abs=2e-5))


def test_pictures_show_the_named_body_or_say_that_they_do_not(dataset: Path, file: Path, tmp_path: Path):
    annotate(dataset, "smpl", body=str(file), workers=1)
    opened = Dataset(dataset)
    row, name = opened[0].row, open_body(str(file)).name
    with_file, without = bodies_of(opened, str(file)), bodies_of(opened)
    assert (with_file.drawn(row).body.name, with_file.note(row)) == (name, "")
    assert (without.drawn(row).body.name, without.note(row)) == ("phq-body-1", f"phq-body-1 for {name} (no file)")
    as_built = BODIES.drawn(Dataset(dataset, revision=None)[0].row)
    assert np.array_equal(without.drawn(row).vertices, as_built.vertices)
    pictures = [tmp_path / "a.png", tmp_path / "b.png"]
    for path, word in zip(pictures, (None, str(file)), strict=True):
        assert show(dataset, row["key"], out=path, body=word).picture == path
    assert pictures[0].read_bytes() != pictures[1].read_bytes()
    bake(dataset, tmp_path / "baked")  # the labels of the embedded body are left behind
    baked = Dataset(tmp_path / "baked")
    assert bodies_of(baked).drawn(baked[0].row) is None
    assert bodies_of(baked).note(baked[0].row) == f"no body: no file of {name}"
    assert show(tmp_path / "baked", row["key"], out=tmp_path / "c.png").picture
    assert "Max Planck" in (tmp_path / "baked" / "README.md").read_text()
    kept = annotate(tmp_path / "baked", "other", body="phq", workers=1)
    assert kept.statement.columns == []
    assert kept.placed["kept"] == 4


def test_exports_have_the_labels_of_the_state(dataset: Path, tmp_path: Path):
    key = Dataset(dataset)[1].key
    pose = [0.0, 0.5, 0.0, 0.0, 0.25, 0.0]
    write_overlay(dataset, "turned", [{"key": key, "neck_head_pose": pose}], ["neck_head_pose"], {})
    for state, expected in (("latest", pose), ("none", Dataset(dataset, revision=None)[1].row["neck_head_pose"])):
        out = tmp_path / f"{state}-set"
        export_labels(dataset, out, "eg3d", revision=state)
        notes = json.loads((out / "dataset.json").read_text())["phq"]["samples"]
        assert next(said for _, k, said in notes if k == key) == pytest.approx(expected)


def refused(words: list[str]) -> str:
    done = CliRunner().invoke(app, ["annotate", *words])
    assert done.exit_code != 0
    return f"{done.output} {done.exception}"


def test_files_that_are_no_body(dataset: Path, tmp_path: Path):
    arrays = smpl_arrays(renumbered(load_body(), 6890), KIND["smpl"])
    face = write_npz(tmp_path / "face.npz", arrays | {"weights": arrays["weights"][:, :5]})
    other = write_npz(tmp_path / "other.npz", {"x": np.zeros(3)})
    body = write_npz(tmp_path / "body.npz", arrays)
    centimetres = write_npz(tmp_path / "cm.npz", arrays | {n: arrays[n] * 100 for n in ("v_template", "shapedirs")})
    lying = write_npz(tmp_path / "z.npz", arrays | {n: arrays[n][:, [0, 2, 1]] for n in ("v_template", "shapedirs")})
    (tmp_path / "empty").mkdir()
    before = hashes(dataset)
    for word, error, said in (
        (str(tmp_path / "nothing.pkl"), WeightError, "cannot be read"),
        (str(other), WeightError, "is not an SMPL model file: it lacks v_template"),
        (str(face), WeightError, r"5 joints.*face alone \(FLAME\)"),
        (f"smplx:{body}", ConfigError, "of the kind smpl, not smplx"),
        ("smpl:", ConfigError, "names no file"),
        (str(centimetres), WeightError, "cannot be laid on phq-body-1.*in metres, y up"),
        (str(lying), WeightError, "cannot be laid on phq-body-1.*in metres, y up"),
        (str(tmp_path / "empty"), ConfigError, r"expected a file such as smpl/SMPL_NEUTRAL\.pkl"),
    ):
        with pytest.raises(error, match=said):
            annotate(dataset, "x", body=word, workers=1)
    with pytest.raises(ConfigError, match="runs no stages"):
        annotate(dataset, "x", body=str(body), groups=["camera"], workers=1)
    assert hashes(dataset) == before
    assert Dataset(dataset).overlays == []


def test_a_pickle_that_would_run_code_is_refused_by_the_command(dataset: Path, tmp_path: Path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(Hostile(os.system, f"touch {tmp_path / 'harm'}")))
    words = [str(dataset), "--name", "x", "--body", str(path)]
    assert f"asks for '{os.system.__module__}.system'" in refused(words)
    assert not (tmp_path / "harm").exists()


def test_folders_as_the_package_lays_them_out(tmp_path: Path):
    arrays = smpl_arrays(renumbered(load_body(), 6890), KIND["smpl"])
    (tmp_path / "models" / "smpl").mkdir(parents=True)
    female = write_pickle(tmp_path / "models" / "smpl" / "SMPL_FEMALE.pkl", arrays)
    assert open_body(str(tmp_path / "models")).name.startswith("smpl:")
    shutil.copyfile(female, female.with_name("SMPL_MALE.pkl"))
    with pytest.raises(ConfigError, match=r"several body models \(smpl/SMPL_FEMALE\.pkl, smpl/SMPL_MALE\.pkl\)"):
        open_body(str(tmp_path / "models"))
    shutil.copyfile(female, female.with_name("SMPL_NEUTRAL.pkl"))
    for word in (str(tmp_path / "models"), f"smpl:{tmp_path / 'models'}", f"smpl:{tmp_path / 'models' / 'smpl'}"):
        assert open_body(word).name == open_body(str(female)).name


def test_the_official_package_is_asked_for_by_its_word(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "smplx", None)
    with pytest.raises(MissingExtraError, match=r"phq\[smplx\]"):
        open_body(f"smplx-package:{file}")


def test_the_official_package_gives_the_same_labels(dataset: Path, tmp_path: Path):
    pytest.importorskip("smplx")
    body = bending(renumbered(load_body(), 6890))
    path = write_pickle(tmp_path / "model.pkl", smpl_arrays(body, KIND["smpl"]))
    annotate(dataset, "own", body=str(path), workers=1)
    annotate(dataset, "official", body=f"smplx-package:{path}", workers=1)
    own, official = (Dataset(dataset, revision=name)[0].row for name in ("own", "official"))
    for name in BODY_COLUMNS[1:4]:
        assert own[name] == pytest.approx(official[name], abs=1e-5)


def test_training_says_which_body_is_whose(dataset: Path, file: Path):
    pytest.importorskip("torch")
    from phq.generator.train.mixture import open_mixture, other_bodies

    assert other_bodies(open_mixture([str(dataset)], 64, [], "", [], "")) == []
    annotate(dataset, "smpl", body=str(file), workers=1)
    (sentence,) = other_bodies(open_mixture([str(dataset)], 64, [], "", [], ""))
    assert open_body(str(file)).name in sentence
    assert "joints of phq-body-1" in sentence
