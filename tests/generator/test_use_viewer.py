"""The viewer: serves this machine alone, draws what the page's camera sees, stops."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from phq.camera.convention import FOCAL
from phq.generator.train.preview import to_pixels
from phq.generator.use.arguments import turned
from phq.generator.use.cameras import camera_at, radius_of
from phq.generator.use.opening import Trained
from phq.generator.use.people import Person, people
from phq.generator.use.viewing import AROUND, View, camera_of, widened


def drawing(trained: Trained, asked: list[tuple[int, float]]):
    def draw(seed: int, truncation: float) -> Person:
        asked.append((seed, truncation))
        return people(trained, [seed], camera_at(0), truncation)[0]

    return draw


def page_camera(yaw: float, pitch: float = 0.0, radius: float = 2.7) -> SimpleNamespace:
    """What a page says of a camera that stands there; as wide as high."""
    cam2world = camera_at(yaw, pitch, radius)[0, :16].reshape(4, 4).double().numpy()
    wxyz = np.roll(Rotation.from_matrix(cam2world[:3, :3]).as_quat(), 1)
    return SimpleNamespace(wxyz=wxyz, position=cam2world[:3, 3], fov=2 * np.arctan(0.5 / FOCAL), aspect=1.0)


class Page:
    """A client that keeps what it is shown."""

    client_id = 1

    def __init__(self, camera: SimpleNamespace) -> None:
        self.camera, self.shown = camera, []
        self.scene = SimpleNamespace(set_background_image=lambda picture, **_: self.shown.append(picture))


def test_a_page_for_this_machine_alone_until_it_is_closed(untrained: Trained):
    with View(drawing(untrained, []), port=0) as view:
        assert view.url.startswith("http://127.0.0.1:")
        with urlopen(view.url, timeout=10) as page:
            assert page.status == 200
            assert b"<html" in page.read()
        url = view.url
        port = int(url.rsplit(":", 1)[1])
        others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
        for address in sorted(others):
            with pytest.raises(OSError):
                socket.create_connection((address, port), timeout=2).close()
    with pytest.raises(URLError):
        urlopen(url, timeout=5)


def test_another_port_is_taken_if_it_is_not_free(untrained: Trained):
    with View(drawing(untrained, []), port=0) as one:
        port = int(one.url.rsplit(":", 1)[1])
        with View(drawing(untrained, []), port=port) as other:
            assert other.url != one.url


def test_a_page_shows_what_its_camera_sees(untrained: Trained):
    asked: list[tuple[int, float]] = []
    with View(drawing(untrained, asked), seed=3, truncation=0.5, port=0) as view:
        (person,) = people(untrained, [3], camera_at(0), 0.5)
        page = Page(page_camera(50, 10))
        view._show(page)
        expected = to_pixels(person.seen(camera_at(50, 10), person.own)["image"]).astype(int)
        assert np.abs(page.shown[0] - expected).max() <= 1
        view._controls["own pose"].value = False
        view._controls["head"].value = 30.0
        page.camera = page_camera(-20)
        view._show(page)
        pose = torch.tensor(turned(0, 30)[None], dtype=torch.float32)
        expected = to_pixels(person.seen(camera_at(-20), pose)["image"]).astype(int)
        assert np.abs(page.shown[1] - expected).max() <= 1
        assert asked == [(3, 0.5)]  # drawn once, seen twice
        view._controls["seed"].value = 4
        view._show(page)
        assert asked == [(3, 0.5), (4, 0.5)]


def test_a_fixed_person_has_no_seed_to_choose(untrained: Trained):
    with View(drawing(untrained, []), seed=None, port=0) as view:
        assert sorted(view._controls) == ["head", "neck", "own pose"]


@pytest.mark.parametrize(("radius", "kept"), [(2.0, 2.0), (0.3, 1.5), (20.0, 6.0)])
def test_cameras_of_the_page_are_ours_at_a_distance_that_can_be_drawn(radius: float, kept: float):
    page = page_camera(70, -15, radius)
    camera = camera_of(page.wxyz, page.position, page.fov)
    assert radius_of(camera) == pytest.approx(kept)
    if radius == kept:
        torch.testing.assert_close(camera, camera_at(70, -15, radius), atol=1e-5, rtol=1e-5)


def test_a_square_picture_fills_a_page_by_its_height():
    picture = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    wide, narrow = widened(picture, 2.0), widened(picture, 0.5)
    assert (wide.shape, narrow.shape) == ((4, 8, 3), (4, 2, 3))
    np.testing.assert_array_equal(wide[:, 2:6], picture)
    assert (wide[:, :2] == AROUND).all()
    np.testing.assert_array_equal(narrow, picture[:, 1:3])


def test_the_page_is_made_of_what_the_package_has(untrained: Trained):
    import viser

    page = (Path(viser.__file__).parent / "client" / "build" / "index.html").read_text()
    assert 'src="http' not in page
    assert 'href="http' not in page
