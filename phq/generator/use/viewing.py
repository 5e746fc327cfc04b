"""`View`: a page on this machine on which a person is turned by dragging. What ``phq gan view`` shows.

The page is viser's (Apache-2.0), served from its package: nothing is fetched. It sends its camera; what the generator
draws for that camera is the page's background.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from phq.errors import MissingExtraError
from phq.generator.config import Camera
from phq.generator.train.preview import to_pixels
from phq.generator.use.arguments import turned
from phq.generator.use.cameras import FARTHEST, NEAREST, OWN_CAMERA, label
from phq.generator.use.people import Person
from phq.system.arrays import Floats, Image

HOST = "127.0.0.1"
TURN = 45.0
"""Degrees to both sides of the sliders of neck and head."""
AROUND = 32
"""Grey of what lies beside the square picture."""

Draw = Callable[[int, float], Person]
"""The person of a seed and a truncation."""


class View:
    """Serves the page from its making until `close`, or the end of a with block; to this machine alone.

    Args:
        draw: makes a person for what the page's controls say.
        seed, truncation: at first; None leaves out those two controls, for a person who is fixed.
        port: the next free one is taken if it is not free; 0 for any.
        camera: the cameras that the model is for.

    Raises:
        MissingExtraError: viser is not installed.
    """

    def __init__(
        self,
        draw: Draw,
        seed: int | None = 0,
        truncation: float = 1.0,
        port: int = 8080,
        camera: Camera = OWN_CAMERA,
    ) -> None:
        try:
            import viser
        except ImportError:
            raise MissingExtraError("viser", "viewer", "phq gan view") from None
        self._draw = draw
        self._lock = threading.RLock()
        self._waiting: set[int] = set()
        self._person: tuple[tuple[int, float], Person] | None = None
        self._server: Any = viser.ViserServer(host=HOST, port=port, label="phq", verbose=False)
        self._place_camera(camera)
        self._controls = self._make_controls(seed, truncation)
        self._server.on_client_connect(self._greet)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self._server.get_port()}"

    def close(self) -> None:
        """Stop serving."""
        self._server.stop()

    def __enter__(self) -> View:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def picture(self, camera: Tensor, aspect: float) -> Image:
        """What a page of that width over height shows for a camera (1, 25), with what the controls say."""
        values = {name: control.value for name, control in self._controls.items()}
        with self._lock:  # the page asks from several threads
            wanted = int(values.get("seed", 0)), float(values.get("truncation", 1.0))
            if self._person is None or self._person[0] != wanted:
                self._person = wanted, self._draw(*wanted)
            person = self._person[1]
            pose = person.own if values["own pose"] else person.posed(turned(values["neck"], values["head"]))
            return widened(to_pixels(person.seen(camera, pose)["image"]), aspect)

    def _place_camera(self, camera: Camera) -> None:
        self._server.scene.set_up_direction("+y")
        start = self._server.initial_camera
        start.position, start.look_at = (0.0, 0.0, camera.radius), camera.look_at
        start.fov = float(2 * np.arctan(0.5 / camera.focal))

    def _make_controls(self, seed: int | None, truncation: float) -> dict[str, Any]:
        gui, controls = self._server.gui, {}
        gui.configure_theme(show_share_button=False)  # it would open the page to everybody
        if seed is not None:
            controls["seed"] = gui.add_number("seed", seed, min=0, step=1)
            controls["truncation"] = gui.add_slider("truncation", 0.0, 1.0, 0.05, truncation)
        controls["own pose"] = gui.add_checkbox("own pose", True)
        for name in ("neck", "head"):
            controls[name] = gui.add_slider(f"{name}, degrees", -TURN, TURN, 1.0, 0.0)
        for control in controls.values():
            control.on_update(lambda _event: self._show_all())
        return controls

    def _show_all(self) -> None:
        for client in self._server.get_clients().values():
            self._show(client)

    def _greet(self, client: Any) -> None:
        client.camera.on_update(lambda _camera: self._show(client))
        self._show(client)

    def _show(self, client: Any) -> None:
        """Draw what a client's camera sees now. While it drags, all but one of its calls are left out."""
        if client.client_id in self._waiting:
            return
        self._waiting.add(client.client_id)
        with self._lock:
            self._waiting.discard(client.client_id)
            camera = client.camera
            place = camera_of(camera.wxyz, camera.position, float(camera.fov))
            picture = self.picture(place, float(camera.aspect))
            client.scene.set_background_image(picture, format="png")


def camera_of(wxyz: Floats, position: Floats, fov: float) -> Tensor:
    """Label (1, 25) of a page's camera: OpenCV axes as ours, quaternion w, x, y, z, vertical field of view in radians.

    The distance is kept between `NEAREST` and `FARTHEST`; the picture is square and as high as the page.
    """
    from scipy.spatial.transform import Rotation

    distance = float(np.linalg.norm(position))
    cam2world = np.eye(4)
    cam2world[:3, :3] = Rotation.from_quat(np.roll(wxyz, -1)).as_matrix()
    cam2world[:3, 3] = np.asarray(position) * (np.clip(distance, NEAREST, FARTHEST) / max(distance, 1e-6))
    focal = 0.5 / np.tan(fov / 2)
    return label(cam2world, np.array([[focal, 0, 0.5], [0, focal, 0.5], [0, 0, 1]]))


def widened(picture: NDArray[np.uint8], aspect: float) -> Image:
    """A square picture in the middle of one of another width over height; cut where the page is narrower."""
    side = len(picture)
    width = max(1, round(side * aspect))
    if width <= side:
        left = (side - width) // 2
        return np.ascontiguousarray(picture[:, left : left + width])
    page = np.full((side, width, 3), AROUND, np.uint8)
    page[:, (width - side) // 2 : (width - side) // 2 + side] = picture
    return page
