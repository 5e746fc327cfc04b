"""From stored crops to training pictures: geometry with its truth, background, borders, and a bad camera."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from phq.pose.orient.angles import angles_of

FACES_HIDDEN, BACKS_HIDDEN, FACE_SEEN = 0.45, 0.12, 105.0
"""Shares of heads made unrecognisable: a front without a face must not pass for a back, and who hides faces hides those
that can be seen, so seldom a head turned farther than so many degrees."""
WHOLE_HEAD, BLURRED = 0.3, 0.25
"""Of these, how many are hidden with their hair, and how many by blur in place of blocks."""
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


def placement(rng: Rng, stored: int, size: int, magnify: float, turn: float) -> np.ndarray:
    """2×3 affine from the stored crop to the training picture, turned by so many radians."""
    wild = rng.random() < 0.15
    zoom = np.exp(rng.normal(0, 0.3 if wild else 0.1)) * size / stored * magnify
    shift = rng.normal(0, 0.14 if wild else 0.04, 2) * size
    linear = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centre = np.array([stored / 2, stored / 2]) - 0.5
    return np.column_stack([linear, size / 2 - 0.5 + shift - linear @ centre])


def turned(rotations: np.ndarray, turn: float) -> np.ndarray:
    """Rotations into the camera after the picture was turned in its plane; yaw does not change."""
    cos, sin = np.cos(turn), np.sin(turn)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]) @ rotations


def photo_rectangle(image: Image) -> Image:
    """Mask (0 or 255) of the part that lies in the photo: beyond it the stored crop is black."""
    lit = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) > 5
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


def hide_face(rng: Rng, image: Image, face: tuple[float, float] = (0.5, 0.33), zoom: float = 1.0) -> None:
    """A face made unrecognisable, as in published recordings; `face` is its place in the picture."""
    size = len(image)
    share = rng.uniform(0.28, 0.45) if rng.random() < WHOLE_HEAD else rng.uniform(0.12, 0.3)
    side, block, blurred = int(size * zoom * share), int(zoom * rng.integers(3, 10)), rng.random() < BLURRED
    x, y = (int(c * size - side / 2 + rng.normal(0, 0.06) * size) for c in face)
    part = image[max(y, 0) : y + side, max(x, 0) : x + side]
    if min(part.shape[:2]) <= block:
        return
    if blurred:
        part[:] = cv2.GaussianBlur(part, (0, 0), block * 0.9)
    else:
        in_blocks(part, part.shape[1] // block, part.shape[0] // block)


def hidden_share(head_yaw: float) -> float:
    """How often a head of a yaw (degrees) is made unrecognisable."""
    return FACES_HIDDEN if abs(head_yaw) < FACE_SEEN else BACKS_HIDDEN


def pixelated(rng: Rng, image: Image, middle: tuple[float, float], side: float) -> None:
    """Blocks over a square round a point of a photo, in place; the side is drawn about the given pixels."""
    side, size = side * float(np.exp(rng.normal(0, 0.15))), np.array(image.shape[1::-1])
    x0, y0 = np.clip(np.array(middle) - side / 2, 0, size).astype(int)
    x1, y1 = np.clip(np.array(middle) + side / 2, 0, size).astype(int)
    few, part = int(rng.integers(4, 9)), image[y0:y1, x0:x1]
    if min(part.shape[:2]) > few:
        in_blocks(part, few, few)


def in_blocks(part: Image, columns: int, rows: int) -> None:
    """A part of a picture as so many blocks of one colour each, in place."""
    blocks = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    part[:] = cv2.resize(blocks, part.shape[1::-1], interpolation=cv2.INTER_NEAREST)


def redress(rng: Rng, picture: Image, soft: Image, neck: float = 0.5) -> Image:
    """The clothes below the neck in another colour, often that of skin: not everybody wears a shirt."""
    size = len(picture)
    skin = np.array([224, 172, 138]) * rng.uniform(0.35, 1.1) + rng.normal(0, 10, 3)
    wanted = skin if rng.random() < 0.6 else rng.uniform(20, 235, 3)
    light = picture.mean(2, keepdims=True)
    below = np.clip((np.arange(size) / size - neck) * 12, 0, 1)[:, None, None] * soft
    lit = light / max(float(light[below[..., 0] > 0.5].mean()) if (below > 0.5).any() else 128.0, 20.0)
    return np.clip(picture * (1 - below) + np.sqrt(lit) * wanted * below, 0, 255).astype(np.uint8)


def colour(rng: Rng, image: Image) -> Image:
    """Exposure, gamma, contrast, white balance, saturation; sometimes grey."""
    x = image.astype(np.float32) / 255
    x = x ** float(np.exp(rng.normal(0, 0.25))) * rng.normal(1, 0.08, 3).astype(np.float32)
    x = (x - 0.5) * float(np.exp(rng.normal(0, 0.2))) + 0.5 + float(rng.normal(0, 0.08))
    grey = cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)[..., None]
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


def shaded(rng: Rng, image: Image) -> Image:
    """Uneven light."""
    grid = rng.uniform(0.45, 1.4, (3, 3, 1)) * rng.uniform(0.85, 1.15, (1, 1, 3))
    light = cv2.resize(grid.astype(np.float32), image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(image * light, 0, 255).astype(np.uint8)


def warped_crop(image: Image, mask: Image, affine: np.ndarray, size: int) -> tuple[Image, np.ndarray, Image]:
    """Crop, soft mask 0..1, and where the photo is."""
    warped = cv2.warpAffine(np.dstack([image, mask]), affine, (size, size))
    border = cv2.warpAffine(photo_rectangle(image), affine, (size, size))
    return warped[..., :3], warped[..., 3:].astype(np.float32) / 255, border


def worsened(
    rng: Rng, picture: Image, soft: np.ndarray, textures: list[Image], near: bool, hidden: float
) -> Image:
    """Another background, dress, light, camera, things in the way, and in a share `hidden` of pictures no face."""
    size, masked = len(picture), bool((soft > 0.5).any())
    if rng.random() < 0.25 and masked:
        picture = redress(rng, picture, soft, 0.92 if near else 0.5)
    if rng.random() < 0.4 and masked:
        soft = cv2.GaussianBlur(soft, (0, 0), float(rng.uniform(0.4, 1.2)))[..., None]
        picture = (picture * soft + random_texture(rng, size, textures) * (1 - soft)).astype(np.uint8)
    picture = np.ascontiguousarray(picture)
    if rng.random() < 0.15:
        occlude(rng, picture, textures)
    if rng.random() < hidden:
        hide_face(rng, picture, (0.5, 0.5 if near else 0.33), 2.0 if near else 1.0)
    picture = shaded(rng, picture) if rng.random() < 0.3 else picture
    picture = colour(rng, picture) if rng.random() < 0.7 else picture
    return np.ascontiguousarray(bad_camera(rng, picture) if rng.random() < 0.55 else picture)


def augment(
    rng: Rng,
    crops: list[tuple[Image, Image, int, float]],
    rotations: np.ndarray,
    textures: list[Image],
) -> tuple[list[Image], np.ndarray]:
    """Training pictures of (stored crop, mask, size, margin) of neck and head, and the rotations (2, 3, 3)."""
    turn = np.radians(rng.uniform(-70, 70) if rng.random() < 0.08 else rng.normal(0, 8))
    mirror, shared, pictures = rng.random() < 0.5, int(rng.integers(1 << 31)), []
    hidden = hidden_share(angles_of(rotations[1])[0])
    for near, (image, mask, size, margin) in enumerate(crops):
        affine = placement(rng, len(image), size, margin, float(turn))
        way = -1 if mirror else 1
        picture, soft, border = warped_crop(np.ascontiguousarray(image[:, ::way]), mask[:, ::way], affine, size)
        picture = worsened(np.random.default_rng(shared), picture, soft, textures, bool(near), hidden)
        if not near:
            cut(rng, picture)
        picture[border < 128] = 0
        pictures.append(picture)
    if rng.random() < 0.06:
        pictures[int(rng.random() < 0.5)][:] = 0
    return pictures, turned(MIRROR @ rotations @ MIRROR if mirror else rotations, float(turn))


def worsened_crops(
    seed: int, body: Image, head: Image, body_masks: Image, head_masks: Image, yaws: np.ndarray, textures: list[Image]
) -> tuple[Image, Image]:
    """Crops (N, S, S, 3) of both kinds as `worsened` makes them, where they are; `yaws` (N,) degrees of the heads."""
    kinds = []
    for near, (crops, masks) in enumerate(((body, body_masks), (head, head_masks))):
        found = []
        for i, (crop, mask, yaw) in enumerate(zip(crops, masks, yaws, strict=True)):
            soft, rng = mask[..., None].astype(np.float32) / 255, np.random.default_rng([seed, i])
            picture = worsened(rng, crop, soft, textures, bool(near), hidden_share(yaw))
            picture[photo_rectangle(crop) < 128] = 0
            found.append(picture)
        kinds.append(np.stack(found))
    return kinds[0], kinds[1]
