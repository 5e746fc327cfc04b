"""From a stored crop to a training picture: geometry with its truth, background, borders, and a bad camera."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

STORED_MARGIN = 1.6
MIRROR = np.diag([-1.0, 1.0, 1.0])
cv2.setNumThreads(1)
Rng = np.random.Generator
Image = np.ndarray


def load_textures(folder: Path) -> list[Image]:
    """Pictures to cut backgrounds and occluders from, RGB, at most 640 px wide."""
    textures = []
    for path in sorted(folder.glob("*.*")):
        picture = cv2.imread(str(path))
        if picture is not None and min(picture.shape[:2]) >= 200:
            scale = min(1.0, 640 / max(picture.shape[:2]))
            textures.append(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[..., ::-1])
    return textures


def random_texture(rng: Rng, size: int, textures: list[Image]) -> Image:
    """size × size × 3: a piece of a picture, a gradient, or noise of several scales."""
    kind = rng.random()
    if kind < 0.6 and textures:
        picture = textures[rng.integers(len(textures))]
        side = int(min(picture.shape[:2]) * rng.uniform(0.2, 1))
        y, x = (rng.integers(n - side + 1) for n in picture.shape[:2])
        piece = cv2.resize(picture[y : y + side, x : x + side], (size, size), interpolation=cv2.INTER_AREA)
        return piece[:, ::-1] if rng.random() < 0.5 else piece
    grid = 2 if kind < 0.8 else int(rng.integers(3, 40))
    small = rng.uniform(0, 255, (grid, grid, 3)) * 0.6 + rng.uniform(0, 255, 3) * 0.4
    return np.clip(cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def placement(rng: Rng, stored: int, size: int, magnify: float) -> tuple[np.ndarray, float]:
    """2×3 affine from the stored crop to the training picture, and how far (radians) it turns the picture."""
    wild = rng.random() < 0.15
    turn = np.radians(rng.uniform(-70, 70) if rng.random() < 0.1 else rng.normal(0, 8))
    zoom = np.exp(rng.normal(0, 0.3 if wild else 0.1)) * size / stored * magnify
    shift = rng.normal(0, 0.14 if wild else 0.04, 2) * size
    linear = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centre = np.array([stored / 2, stored / 2]) - 0.5
    return np.column_stack([linear, size / 2 - 0.5 + shift - linear @ centre]), float(turn)


def turned(rotations: np.ndarray, turn: float) -> np.ndarray:
    """Rotations into the camera after the picture was turned in its plane; yaw does not change."""
    cos, sin = np.cos(turn), np.sin(turn)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]) @ rotations


def photo_rectangle(image: Image) -> Image:
    """Mask (0 or 255) of the part that lies in the photo: beyond it the stored crop is black."""
    lit = image.max(2) > 8
    rows, columns = lit.any(1), lit.any(0)
    return (np.outer(rows, columns) * 255).astype(np.uint8)


def cut(rng: Rng, image: Image) -> None:
    """Now and then the photo ends inside the crop."""
    size = len(image)
    if rng.random() < 0.25:
        image[int(size * rng.uniform(0.55, 1)) :] = 0
    if rng.random() < 0.1:
        image[:, : int(size * rng.uniform(0, 0.35))] = 0
    if rng.random() < 0.1:
        image[:, int(size * rng.uniform(0.65, 1)) :] = 0
    if rng.random() < 0.07:
        image[: int(size * rng.uniform(0, 0.2))] = 0


def occlude(rng: Rng, image: Image, textures: list[Image]) -> None:
    """Something stands before the person."""
    size = len(image)
    texture = random_texture(rng, size, textures)
    width, height = (int(size * rng.uniform(0.08, 0.35)) for _ in range(2))
    x, y = (int(rng.uniform(-0.1, 1) * size) for _ in range(2))
    x0, y0 = max(x, 0), max(y, 0)
    image[y0 : y + height, x0 : x + width] = texture[y0 : y + height, x0 : x + width]


def pixelate(rng: Rng, image: Image) -> None:
    """A face made unrecognisable, as in published recordings; the head is above the middle of the picture."""
    size = len(image)
    side, block = int(size * rng.uniform(0.12, 0.3)), int(rng.integers(4, 13))
    x, y = (int(c * size - side / 2 + rng.normal(0, 0.06) * size) for c in (0.5, 0.33))
    part = image[max(y, 0) : y + side, max(x, 0) : x + side]
    if min(part.shape[:2]) > block:
        few = cv2.resize(part, (part.shape[1] // block, part.shape[0] // block), interpolation=cv2.INTER_AREA)
        part[:] = cv2.resize(few, part.shape[1::-1], interpolation=cv2.INTER_NEAREST)


def redress(rng: Rng, picture: Image, soft: Image) -> Image:
    """The clothes below the neck in another colour, often that of skin: not everybody wears a shirt."""
    size = len(picture)
    skin = np.array([224, 172, 138]) * rng.uniform(0.35, 1.1) + rng.normal(0, 10, 3)
    wanted = skin if rng.random() < 0.6 else rng.uniform(20, 235, 3)
    light = picture.mean(2, keepdims=True)
    below = np.clip((np.arange(size) / size - 0.5) * 12, 0, 1)[:, None, None] * soft
    lit = light / max(float(light[below[..., 0] > 0.5].mean()) if (below > 0.5).any() else 128.0, 20.0)
    return np.clip(picture * (1 - below) + np.sqrt(lit) * wanted * below, 0, 255).astype(np.uint8)


def colour(rng: Rng, image: Image) -> Image:
    """Exposure, gamma, contrast, white balance, saturation; sometimes grey."""
    x = image.astype(np.float32) / 255
    x = x ** float(np.exp(rng.normal(0, 0.25))) * rng.normal(1, 0.08, 3).astype(np.float32)
    x = (x - 0.5) * float(np.exp(rng.normal(0, 0.2))) + 0.5 + float(rng.normal(0, 0.08))
    grey = x.mean(2, keepdims=True)
    saturation = 0.0 if rng.random() < 0.12 else float(rng.uniform(0.3, 1.4))
    return np.clip((grey + (x - grey) * saturation) * 255, 0, 255).astype(np.uint8)


def bad_camera(rng: Rng, image: Image) -> Image:
    """Low resolution, blur, noise, JPEG; a head is about 0.28 of the picture's side, 24 px at least."""
    size = len(image)
    if rng.random() < 0.15:
        kernel = np.zeros((9, 9), np.float32)
        kernel[4] = 1 / 9
        spin = cv2.getRotationMatrix2D((4, 4), float(rng.uniform(0, 180)), 1)
        kernel = cv2.warpAffine(kernel, spin, (9, 9))
        image = cv2.filter2D(image, -1, kernel / max(kernel.sum(), 1e-3))
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 2.5)))
    small = size
    if rng.random() < 0.5:
        small = int(np.exp(rng.uniform(np.log(36), np.log(size))))
        image = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.4:
        noise = rng.normal(0, rng.uniform(1, 22), (small, small, 1 if rng.random() < 0.3 else 3))
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 90))]
        image = cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR)
    if small != size:
        how = cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_LINEAR
        image = cv2.resize(image, (size, size), interpolation=how)
    return image


def spoil(rng: Rng, image: Image, mask: Image, textures: list[Image]) -> Image:
    """A stored crop that misleads a network of renders: other clothes, background, face, light, things in the way."""
    size, inside = len(image), photo_rectangle(image)
    soft = (mask.astype(np.float32) / 255)[..., None]
    picture = redress(rng, image, soft) if rng.random() < 0.6 else image
    if rng.random() < 0.6:
        picture = (picture * soft + random_texture(rng, size, textures) * (1 - soft)).astype(np.uint8)
    picture = np.ascontiguousarray(picture)
    for _ in range(int(rng.integers(0, 4))):
        occlude(rng, picture, textures)
    if rng.random() < 0.6:
        pixelate(rng, picture)
    picture = np.ascontiguousarray(bad_camera(rng, colour(rng, picture)))
    picture[inside < 128] = 0
    return picture


def augment(
    rng: Rng,
    image: Image,
    mask: Image,
    rotations: np.ndarray,
    size: int,
    textures: list[Image],
    magnify: float = STORED_MARGIN,
) -> tuple[Image, np.ndarray]:
    """One training picture (size × size × 3) and its rotations (2, 3, 3); without mask the background stays."""
    affine, turn = placement(rng, len(image), size, magnify)
    inside = photo_rectangle(image)
    if rng.random() < 0.5:
        image, mask, inside = image[:, ::-1], mask[:, ::-1], inside[:, ::-1]
        rotations = MIRROR @ rotations @ MIRROR
    warped = cv2.warpAffine(np.dstack([image, mask]), affine, (size, size))
    border = cv2.warpAffine(np.ascontiguousarray(inside), affine, (size, size))
    picture, soft = warped[..., :3], warped[..., 3:].astype(np.float32) / 255
    if mask.any() and rng.random() < 0.2:
        picture = redress(rng, picture, soft)
    if mask.any() and rng.random() < 0.4:
        soft = cv2.GaussianBlur(soft, (0, 0), float(rng.uniform(0.4, 1.2)))[..., None]
        picture = (picture * soft + random_texture(rng, size, textures) * (1 - soft)).astype(np.uint8)
        picture[border < 128] = 0
    picture = np.ascontiguousarray(picture)
    if rng.random() < 0.15:
        occlude(rng, picture, textures)
    if rng.random() < 0.12:
        pixelate(rng, picture)
    picture = colour(rng, picture) if rng.random() < 0.7 else picture
    picture = np.ascontiguousarray(bad_camera(rng, picture) if rng.random() < 0.6 else picture)
    cut(rng, picture)
    picture[border < 128] = 0
    return picture, turned(rotations, turn)
