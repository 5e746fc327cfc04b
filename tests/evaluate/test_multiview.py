"""Calibrated cameras (benchmarks/multiview.py): a synthetic rig is reproduced; conventions hold on photographs."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from bundled_photos import pixels
from scipy.spatial.transform import Rotation

from phq.camera.angles import wrap_deg
from phq.camera.convention import camera_from_torso, level_view, project, unit, world2cam
from phq.errors import InputError
from phq.pose.body import load_body
from phq.schema import LANDMARKS, SMPL_JOINTS
from phq.stages.annotator import Annotator

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from headings import heading, median_heading, neck_pixel, orientations, raw_headings, torso_to_level
from multiview import pair_errors, report, same_person, table, views_of
from qualisys import Camera, instants, read_qualisys, triangulate

CALIBRATION = Path(__file__).parents[1] / "data" / "pose2sim-0.10.49__Calib.qca.txt"
UPRIGHT = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""Body axes (left, up, front) to the world (z up), heading 0."""
TURN_ROUND = np.diag([-1.0, 1.0, -1.0])


def look(name: str, position: tuple[float, float, float], roll: float) -> Camera:
    """A camera that looks past the origin, rolled and distorted."""
    centre = np.array(position)
    z = unit(np.array([0.2, -0.1, 1.0]) - centre)
    x = unit(np.cross(z, [0.0, 0.0, 1.0]))
    level = np.stack([x, np.cross(z, x), z])
    turn = Rotation.from_euler("z", roll, degrees=True).as_matrix()
    K = np.array([[1600.0, 0, 530], [0, 1590, 970], [0, 0, 1]])
    return Camera(name, turn @ level, centre, K, np.array([-0.05, 0.1, 0.001, -0.002, 0.0]), (1080, 1920))


RIG = [
    look("a", (4.0, 1.0, 1.8), 0),
    look("b", (0.5, -4.0, 2.2), 25),
    look("c", (-3.5, -1.5, 1.0), -10),
    look("d", (-1.0, 4.5, 2.5), 5),
]


def body_pose(to_world: np.ndarray) -> np.ndarray:
    """(24, 3): the root into the world, the head turned and nodding."""
    pose = np.zeros((24, 3))
    pose[0] = Rotation.from_matrix(to_world).as_rotvec()
    pose[[SMPL_JOINTS.index("neck"), SMPL_JOINTS.index("head")]] = [[0.1, 0.3, -0.1], [0.2, 0.2, 0.05]]
    return pose


def true_row(camera: Camera, to_world: np.ndarray, place: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> dict:
    """What a perfect label says of the embedded body whose pelvis hangs about a metre over `place`."""
    body, pose = load_body(), body_pose(to_world)
    joints, points = body.joints_only(pose, transl=np.array([0, 0, 1.0]) + place)
    seen = dict(zip(SMPL_JOINTS, joints, strict=True)) | dict(zip(body.face_points, points, strict=True))
    marks = np.array([seen.get(name, joints[0]) for name in LANDMARKS])
    neck = seen["neck"]
    to_level = level_view(camera.world_to_cam @ (neck - camera.centre)) @ camera.world_to_cam
    cam2world = camera_from_torso(to_level @ to_world)
    label = pose.copy()
    label[0] = Rotation.from_matrix(world2cam(cam2world)[:3, :3]).as_rotvec()
    corner = camera.project(neck[None])[0] - 0.7 * project(np.zeros(3), cam2world, 512)
    return {
        "cam2world": cam2world.ravel().tolist(),
        "smpl_pose": label.ravel().tolist(),
        "keypoints_2d": camera.project(marks).ravel().tolist(),
        "keypoints_3d": ((marks - joints[0]) @ to_level.T).ravel().tolist(),
        "crop_to_source": [0.7, 0, corner[0], 0, 0.7, corner[1]],
        "image_size": 512,
        "p_flip": 0.01,
        "camera_yaw_deg": 0.0,
        "head_yaw_deg": 0.0,
    }


def standing(yaw: float) -> np.ndarray:
    return Rotation.from_euler("z", yaw, degrees=True).as_matrix() @ UPRIGHT


def same_angle(a: float, b: float) -> bool:
    return abs(wrap_deg(a - b)) < 1e-6


def test_a_calibration_file_gives_metres_pixels_and_opencv_axes():
    cameras = read_qualisys(CALIBRATION)
    assert [c.name for c in cameras] == ["cam01", "cam02", "cam03", "cam04"]
    first = cameras[0]
    assert first.size == (1088, 1920)
    assert first.centre == pytest.approx([1.4602, -1.9092, 1.8965], abs=1e-4)
    assert first.K[0] == pytest.approx([107599.671875 / 64, 0, 34110.316406 / 64])
    assert first.distortion[:2] == pytest.approx([-0.046183, 0.139983])
    for camera in cameras:
        assert np.linalg.det(camera.world_to_cam) == pytest.approx(1)
        assert camera.world_to_cam[2] @ ([-0.8, 0, 1] - camera.centre) > 2  # metres in front of it
        low, high = camera.project(np.array([[-0.8, 0, 0.1], [-0.8, 0, 1.7]]))
        assert high[1] < low[1] - 400  # a man on the treadmill stands upright in every picture
        assert ((low > 0) & (low < camera.size)).all()


def test_a_file_that_is_no_calibration_is_named(tmp_path: Path):
    without_a_row = CALIBRATION.read_text().replace("r31", "q")
    for text in ("no xml", "<calibration/>", "<c><camera serial='1'/></c>", without_a_row):
        path = tmp_path / "x.qca.txt"
        path.write_text(text)
        with pytest.raises(InputError, match=r"x\.qca\.txt"):
            read_qualisys(path)
    with pytest.raises(InputError, match="nowhere"):
        read_qualisys(tmp_path / "nowhere")


def test_triangulation_inverts_projection():
    points = np.random.default_rng(0).uniform([-0.5, -0.5, 0], [0.5, 0.5, 2], (20, 3))
    found, apart = triangulate(RIG, [camera.project(points) for camera in RIG])
    assert found == pytest.approx(points, abs=1e-5)
    assert apart.max() < 1e-5


def test_projection_follows_the_pinhole_where_there_is_no_distortion():
    camera = Camera("x", RIG[1].world_to_cam, RIG[1].centre, RIG[1].K, np.zeros(5), (1080, 1920))
    point = np.array([0.3, 0.2, 1.1])
    image = camera.K @ camera.world_to_cam @ (point - camera.centre)
    assert camera.project(point[None])[0] == pytest.approx(image[:2] / image[2])


@pytest.mark.parametrize("seed", range(5))
def test_the_torso_comes_back_from_its_camera(seed):
    torso = Rotation.random(random_state=seed).as_matrix()
    assert torso_to_level(camera_from_torso(torso)) == pytest.approx(torso, abs=1e-9)


@pytest.mark.parametrize(("yaw", "bend"), [(0, 0), (-170, 0), (60, 40), (135, 85)])
def test_every_camera_finds_the_planted_orientation(yaw, bend):
    stooped = standing(yaw) @ Rotation.from_euler("x", bend, degrees=True).as_matrix()
    neck_and_head = Rotation.from_rotvec([0.1, 0.3, -0.1]) * Rotation.from_rotvec([0.2, 0.2, 0.05])
    for camera in RIG:
        found = orientations(true_row(camera, stooped), camera)
        assert found["torso"] == pytest.approx(stooped, abs=1e-4)
        assert found["head"] == pytest.approx(stooped @ neck_and_head.as_matrix(), abs=1e-4)
        assert heading(found["torso"]) == pytest.approx(yaw, abs=0.01)


def test_landmarks_alone_give_the_same_heading_of_an_upright_torso():
    for camera in RIG:
        row = true_row(camera, standing(100))
        assert raw_headings(row, camera)["torso"] == pytest.approx(100, abs=0.01)
        head = heading(orientations(row, camera)["head"])
        assert abs(wrap_deg(raw_headings(row, camera)["head"] - head)) < 5  # it also nods and tilts


def test_a_yaw_relative_to_the_optical_axis_would_be_found():
    """The line of sight matters: labels taken for the optical axis disagree between cameras."""
    far = [true_row(camera, standing(30), (0.8, 0.4, 0)) for camera in RIG]
    axis = [
        heading(camera.world_to_cam.T @ torso_to_level(np.array(row["cam2world"]).reshape(4, 4)))
        for camera, row in zip(RIG, far, strict=True)
    ]
    assert max(abs(wrap_deg(angle - 30)) for angle in axis) > 5
    right = [heading(orientations(row, camera)["torso"]) for camera, row in zip(RIG, far, strict=True)]
    assert right == pytest.approx([30] * 4, abs=0.01)


def test_planted_flips_and_turns_are_found():
    good = [true_row(camera, standing(170)) for camera in RIG]
    flipped = true_row(RIG[1], standing(170) @ TURN_ROUND) | {"keypoints_2d": good[1]["keypoints_2d"], "p_flip": 0.9}
    turned = true_row(RIG[3], standing(-160))  # 30° further, over the seam
    views = views_of(0, RIG, [[row] for row in good]) + views_of(1, RIG, [[good[0]], [flipped], [good[2]], [turned]])
    result = report(views)
    pairs, single = result["pairs"], result["against_median"]
    assert (result["instants"], result["views"], result["kept"]) == (2, 8, 7)
    assert result["rejected"] == {"flip_risk": 1}
    assert result["reprojection_px"] < 2
    assert pairs["all"]["torso_flips"] == pytest.approx(3 / 12)
    assert pairs["a–b"]["torso_flips"] == 0.5
    assert pairs["a–d"]["torso_p90"] == pytest.approx(27, abs=0.1)
    assert pairs["kept all"]["n"] == 9
    assert pairs["kept all"]["torso_flips"] == 0
    assert single["b"]["torso_flips"] == 0.5
    assert single["a"]["torso_flips"] == single["c"]["torso_flips"] == single["kept all"]["torso_flips"] == 0
    by_pair = {e["group"]: e["torso"] for e in pair_errors(views) if e["instant"] == 1}
    assert by_pair["a–d"] == pytest.approx(30, abs=0.01)
    assert "| kept all | 9 |" in table(result)
    assert "rejected: flip_risk 1" in table(result)


def test_the_neck_of_a_label_is_where_its_crop_says():
    row = true_row(RIG[2], standing(0))
    body, pose = load_body(), body_pose(standing(0))
    neck = body.joints_only(pose, transl=np.array([0, 0, 1.0]))[0][SMPL_JOINTS.index("neck")]
    cam2world = np.array(row["cam2world"]).reshape(4, 4)
    assert neck_pixel(row, cam2world) == pytest.approx(RIG[2].project(neck[None])[0])


def test_the_person_all_cameras_share_is_taken():
    man = [true_row(camera, standing(10)) for camera in RIG]
    others = [true_row(camera, standing(80), (0.9 * i - 1.4, 1.0, 0.5)) for i, camera in enumerate(RIG)]
    assert same_person(RIG, [[o, m] for o, m in zip(others, man, strict=True)]) == man
    assert same_person(RIG, [[others[0], man[0]], [man[1]], [], [others[3], man[3]]]) == [man[0], man[1], None, man[3]]
    assert same_person(RIG, [[man[0]], [others[1]], [], []]) == [None] * 4
    assert views_of(0, RIG, [[man[0]], [], [], []]) == []


def test_the_median_of_angles_knows_the_circle():
    assert same_angle(median_heading([170.0, -175.0, 180.0]), 180)
    assert same_angle(median_heading([10.0, 20.0, 30.0, -160.0]), 15)
    assert same_angle(median_heading([-179.0, 179.0]), 180)


def write_video(path: Path, greys: list[int], size: tuple[int, int]) -> None:
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, size)
    for grey in greys:
        video.write(np.full((size[1], size[0], 3), grey, np.uint8))
    video.release()


def test_instants_are_taken_from_all_videos_at_once(tmp_path: Path):
    cameras = [Camera(name, np.eye(3), np.zeros(3), np.eye(3), np.zeros(5), (64, 96)) for name in ("one", "two")]
    write_video(tmp_path / "one.avi", [0, 40, 80, 120, 160, 200], (64, 96))
    write_video(tmp_path / "two.avi", [200, 160, 120, 80, 40], (64, 96))
    found = list(instants(tmp_path, cameras, every=2))
    assert [number for number, _ in found] == [0, 2, 4]
    greys = [[round(float(image.mean()) / 40) * 40 for image in images] for _, images in found]
    assert greys == [[0, 200], [80, 120], [160, 40]]


def test_videos_that_do_not_fit_the_calibration_are_named(tmp_path: Path):
    camera = Camera("one", np.eye(3), np.zeros(3), np.eye(3), np.zeros(5), (64, 96))
    with pytest.raises(InputError, match="no video of camera one"):
        list(instants(tmp_path, [camera]))
    (tmp_path / "one.avi").write_bytes(b"no video")
    with pytest.raises(InputError, match="cannot be read"):
        list(instants(tmp_path, [camera]))
    write_video(tmp_path / "one.avi", [0], (96, 64))
    with pytest.raises(InputError, match="calibrated for 64 × 96"):
        list(instants(tmp_path, [camera]))


def test_four_photographs_of_one_instant_agree():
    """Bystanders are told apart, and the calibration's axes are those of the labels: else views disagree by 90°."""
    annotator = Annotator()
    photos = [pixels(f"pose2sim-0.10.49__Single_cam{n}_f000.jpg") for n in (1, 2, 3, 4)]
    found = [[annotation.sample.model_dump() for annotation in annotator.annotate(photo)] for photo in photos]
    assert max(map(len, found)) > 1
    views = views_of(0, read_qualisys(CALIBRATION), found)
    assert [view["camera"] for view in views] == ["cam01", "cam02", "cam03", "cam04"]
    assert max(view["reprojection_px"] for view in views) < 40  # of a man 700 pixels tall
    errors = [abs(error["torso"]) for error in pair_errors(views)]
    assert np.median(errors) < 30
    assert max(errors) < 60
