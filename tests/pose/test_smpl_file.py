"""The user's own SMPL, SMPL-H and SMPL-X files, played by the embedded body written in their format."""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from numpy.typing import NDArray
from smpl_files import (
    KIND,
    Arrays,
    Ch,
    Hostile,
    Python2Pickler,
    bending,
    small,
    smpl_arrays,
    with_vertices,
    write_npz,
    write_pickle,
    write_python2_pickle,
)

from phq.errors import MissingExtraError, WeightError
from phq.pose.body import NECK, Body, load_body
from phq.pose.smpl_file import POINT_VERTICES, load_smpl
from phq.schema import SMPL_JOINTS

Doubles = NDArray[np.float64]
HANDS = [SMPL_JOINTS.index("left_hand"), SMPL_JOINTS.index("right_hand")]
WRITERS: dict[str, Callable[[Path, Arrays], Path]] = {
    "npz": lambda folder, arrays: write_npz(folder / "model.npz", arrays),
    "pkl": lambda folder, arrays: write_pickle(folder / "model.pkl", arrays),
    "python2": lambda folder, arrays: write_python2_pickle(folder / "model.pkl", arrays, protocol=2),
    "python2-text": lambda folder, arrays: write_python2_pickle(folder / "model.pkl", arrays, protocol=0),
}


@pytest.fixture(scope="module")
def body() -> Body:
    return bending(small(load_body()))


@pytest.fixture
def arrays(body: Body) -> Arrays:
    return smpl_arrays(body, KIND["smpl"])


def some_people() -> tuple[Doubles, Doubles, Doubles]:
    chance = np.random.default_rng(3)
    return chance.normal(size=(3, 24, 3)) * 0.4, chance.normal(size=(3, 10)), chance.normal(size=(3, 3))


def difference(found: Body, expected: Body, *arguments: Doubles) -> float:
    """Largest distance of vertices, joints and points; the expected body is moved so that its neck is the origin."""
    shift = expected.joints_template[NECK]
    pairs = zip(found.forward(*arguments), expected.forward(*arguments), strict=True)
    return max(float(np.abs(mine - (theirs - shift)).max()) for mine, theirs in pairs)


@pytest.mark.parametrize("writer", ["npz", "pkl"])
def test_written_embedded_body_gives_the_embedded_vertices(tmp_path: Path, writer: str) -> None:
    embedded = load_body()
    path = WRITERS[writer](tmp_path, smpl_arrays(embedded, KIND["smpl"]))
    loaded = load_smpl(path, points=embedded.face_points)
    assert difference(loaded, embedded, *some_people()) < 1e-6
    assert np.array_equal(loaded.faces, embedded.faces)
    assert loaded.face_points == embedded.face_points


@pytest.mark.parametrize("kind", KIND)
@pytest.mark.parametrize("writer", WRITERS)
def test_every_member_of_the_family_in_every_form(
    tmp_path: Path, body: Body, kind: str, writer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "chumpy", None)  # neither can be imported, and neither is needed
    monkeypatch.setitem(sys.modules, "smplx", None)
    path = WRITERS[writer](tmp_path, smpl_arrays(body, KIND[kind]))
    loaded = load_smpl(path, points=body.face_points)
    assert difference(loaded, body, *some_people()) < 1e-6, "hands too: a hand turns as one about its middle knuckle"
    assert np.abs(loaded.joints_template[NECK]).max() < 1e-6
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert loaded.name == f"{kind}:{loaded.sha256[:8]}"


@pytest.mark.parametrize(("kind", "vertices"), [("smpl", 6890), ("smplh", 6890), ("smplx", 10475)])
def test_official_meshes_have_their_own_named_points(tmp_path: Path, body: Body, kind: str, vertices: int) -> None:
    grown = with_vertices(replace(body, posedirs=None), vertices)
    loaded = load_smpl(write_npz(tmp_path / "model.npz", smpl_arrays(grown, KIND[kind])))
    assert loaded.face_points == POINT_VERTICES[vertices] | {"head_top": body.face_points["head_top"]}
    assert loaded.posedirs is None


def test_points_of_an_unknown_mesh_are_asked_for(tmp_path: Path, arrays: Arrays) -> None:
    with pytest.raises(WeightError, match="name the face points"):
        load_smpl(write_npz(tmp_path / "model.npz", arrays))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("where", ["alone", "key", "regressor"])
def test_hostile_pickle_is_refused_and_not_run(tmp_path: Path, arrays: Arrays, protocol: int, where: str) -> None:
    attack, path = Hostile(os.system, f"touch {tmp_path / 'harm'}"), tmp_path / "model.pkl"
    content = {"alone": attack, "key": arrays | {"note": [attack]}, "regressor": arrays | {"J_regressor": attack}}
    path.write_bytes(pickle.dumps(content[where], protocol))
    with pytest.raises(WeightError, match=rf"model\.pkl is refused.*'{os.system.__module__}\.system'"):
        load_smpl(path)
    assert [p.name for p in tmp_path.iterdir()] == ["model.pkl"]
    pickle.loads(path.read_bytes())
    assert (tmp_path / "harm").exists(), "the attack is a real one"


@pytest.mark.parametrize(
    ("code", "named"),
    [
        (b"cbuiltins\neval\n(V1\ntR.", "builtins.eval"),
        (b"c__builtin__\ngetattr\n.", "__builtin__.getattr"),
        (b"cnumpy\nload\n.", "numpy.load"),
        (b"cnumpy.core.multiarray\nfromfile\n.", "numpy.core.multiarray.fromfile"),
        (b"cscipy.sparse\nload_npz\n.", "scipy.sparse.load_npz"),
        (b"cchumpy.ch_ops\nadd\n.", "chumpy.ch_ops.add"),
        (b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.", "numpy.ndarray.tofile"),
        (b"iposix\nsystem\n.", "posix.system"),
    ],
)
def test_any_other_name_is_refused(tmp_path: Path, code: bytes, named: str) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(b"(" + code if code.startswith(b"i") else code)
    with pytest.raises(WeightError, match=f"'{named}'"):
        load_smpl(path)


def test_permitted_names_cannot_be_bent(tmp_path: Path, arrays: Arrays, body: Body) -> None:
    path = tmp_path / "model.pkl"
    for code in (
        b"\x80\x02cchumpy.ch\nCh\nN}X\x05\x00\x00\x00arrayNs\x86b.",  # sets an attribute of the class itself
        b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00zip\x86R.",  # unpacks a bomb
    ):
        path.write_bytes(code)
        with pytest.raises(WeightError, match="no readable pickle"):
            load_smpl(path)
    assert load_smpl(write_python2_pickle(path, arrays, 2), points=body.face_points)


def test_crooked_values_in_permitted_classes(tmp_path: Path, arrays: Arrays) -> None:
    wild, path = scipy.sparse.csc_matrix(arrays["J_regressor"]), tmp_path / "model.pkl"
    wild.indices[3] = 1000
    cyclic = Ch(arrays["weights"])
    cyclic.__dict__["x"] = cyclic
    for crooked in ({"J_regressor": wild}, {"weights": cyclic}, {"weights": Ch({"a": 1})}, {"f": "text"}):
        with path.open("wb") as file:
            Python2Pickler(file, protocol=2).dump(arrays | crooked)
        with pytest.raises(WeightError, match="cannot be read"):
            load_smpl(path)


def changed(arrays: Arrays, key: str, change: Callable[[Any], Any]) -> Arrays:
    return arrays | {key: change(np.array(arrays[key]))}


@pytest.mark.parametrize(
    ("key", "change", "reason"),
    [
        ("v_template", lambda a: a * np.nan, "not finite"),
        ("v_template", lambda a: a[:-1], "shape"),
        ("v_template", lambda a: a[0, 0], "cannot be read"),
        ("shapedirs", lambda a: a[..., :8], "shapedirs has shape"),
        ("posedirs", lambda a: a[..., :100], "posedirs has shape"),
        ("J_regressor", lambda a: a * 1000, "J_regressor do not sum to one"),
        ("weights", lambda a: a[:, :16], "16 joints"),
        ("weights", lambda a: a * 2, "weights do not sum to one"),
        ("kintree_table", lambda a: a[:, [0, 1, 1, *range(3, 24)]] + 1, "skeleton"),
        ("f", lambda a: a + 10_000, "vertices that the mesh does not have"),
    ],
)
def test_arrays_that_are_no_smpl_model(
    tmp_path: Path, arrays: Arrays, key: str, change: Callable[[Any], Any], reason: str
) -> None:
    with pytest.raises(WeightError, match=reason):
        load_smpl(write_npz(tmp_path / "model.npz", changed(arrays, key, change)))


def test_files_that_are_no_model(tmp_path: Path, arrays: Arrays) -> None:
    good = write_pickle(tmp_path / "good.pkl", arrays).read_bytes()
    zipped = write_npz(tmp_path / "good.npz", arrays).read_bytes()
    without = {key: value for key, value in arrays.items() if key != "posedirs"}
    contents = [
        b"", b"SMPL", good[:1000], good[:-5], zipped[:1000], b"PK\x03\x04 torn", pickle.dumps([1]),
        write_npz(tmp_path / "lacking.npz", without).read_bytes(),
        write_npz(tmp_path / "objects.npz", arrays | {"J_regressor": np.array([{}], dtype=object)}).read_bytes(),
    ]  # fmt: skip
    for content in contents:
        path = tmp_path / "model.pkl"
        path.write_bytes(content)
        with pytest.raises(WeightError, match=r"model\.pkl"):
            load_smpl(path)
    for missing in (tmp_path / "nothing.pkl", tmp_path):
        with pytest.raises(WeightError, match="cannot be read"):
            load_smpl(missing)


def test_official_package_is_named_when_it_is_missing(
    tmp_path: Path, arrays: Arrays, body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "smplx", None)
    with pytest.raises(MissingExtraError, match=r"phq\[smplx\]"):
        load_smpl(write_npz(tmp_path / "model.npz", arrays), use="smplx", points=body.face_points)


@pytest.fixture
def smplx() -> Any:
    return pytest.importorskip("smplx")


@pytest.mark.parametrize("kind", KIND)
@pytest.mark.parametrize("writer", ["npz", "python2"])
def test_official_package_computes_the_same(tmp_path: Path, body: Body, smplx: Any, kind: str, writer: str) -> None:
    pose, betas, transl = some_people()
    if kind != "smpl":
        pose[:, HANDS] = 0
    path = WRITERS[writer](tmp_path, smpl_arrays(body, KIND[kind]))
    official = load_smpl(path, use="smplx", points=body.face_points)
    own = load_smpl(path, points=body.face_points)
    assert official.name == own.name
    assert difference(official, body, pose, betas, transl) < 1e-6
    joints, points = official.joints_only(pose[0], betas)
    own_joints, own_points = own.joints_only(pose[0], betas)
    assert np.abs(joints - own_joints).max() < 1e-6
    assert np.abs(points - own_points).max() < 1e-6


def test_official_package_turns_each_finger_about_its_own_joint(tmp_path: Path, body: Body, smplx: Any) -> None:
    pose, betas, _ = some_people()
    path = write_pickle(tmp_path / "model.pkl", smpl_arrays(body, KIND["smplh"]))
    own, official = (load_smpl(path, use=use, points=body.face_points) for use in ("file", "smplx"))
    apart = np.abs(own.forward(pose, betas)[0] - official.forward(pose, betas)[0]).max((0, 2))
    hands = own.weights[:, HANDS].sum(1) > 0
    assert apart[~hands].max() < 1e-6
    assert apart[hands].max() < 0.05


def test_official_package_opens_the_written_pickle_itself(tmp_path: Path, smplx: Any, body: Body) -> None:
    import torch

    path = write_pickle(tmp_path / "SMPL_NEUTRAL.pkl", smpl_arrays(body, KIND["smpl"]))
    names = {"nose": "nose", "leye": "left_eye", "reye": "right_eye", "lear": "left_ear", "rear": "right_ear"}
    model = smplx.create(
        str(path), model_type="smpl", dtype=torch.float64, use_hands=False, use_feet_keypoints=False,
        vertex_ids={theirs: body.face_points[ours] for theirs, ours in names.items()},
    )  # fmt: skip
    pose, betas, _ = some_people()
    own = load_smpl(path, points=body.face_points)
    turns = torch.tensor(pose.reshape(3, 72))
    with torch.no_grad():
        output = model(global_orient=turns[:, :3], body_pose=turns[:, 3:], betas=torch.tensor(betas))
    joints = output.joints.numpy()
    shift = joints[:, [0]] - own.forward(pose, betas)[1][:, [0]]
    vertices, own_joints, points = own.forward(pose, betas)
    assert np.abs(output.vertices.numpy() - shift - vertices).max() < 1e-6
    assert np.abs(joints[:, :24] - shift - own_joints).max() < 1e-6
    order = [list(own.face_points).index(ours) for ours in ("nose", "right_eye", "left_eye", "right_ear", "left_ear")]
    assert np.abs(joints[:, 24:] - shift - points[:, order]).max() < 1e-6


def test_points_of_smplx_are_those_of_the_official_package(smplx: Any) -> None:
    ids = smplx.vertex_ids.vertex_ids["smplx"]
    theirs = {f"{side}_{part}": ids[side[0] + part[:3]] for side in ("left", "right") for part in ("eye", "ear")}
    assert POINT_VERTICES[10475] == {"nose": ids["nose"], **theirs}
    assert POINT_VERTICES[6890]["left_ear"] == smplx.vertex_ids.vertex_ids["smplh"]["lear"]
    assert POINT_VERTICES[6890]["right_ear"] == smplx.vertex_ids.vertex_ids["smplh"]["rear"]
