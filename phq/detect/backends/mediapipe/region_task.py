"""A ``.task`` file whose detector always returns one person filling the picture, so that phq's regions are looked at.

MediaPipe takes no regions from outside. Its detector is therefore replaced by a network without layers that always
gives the same answer: the alignment points of which MediaPipe makes the whole picture its region. The landmark network
stays as it is.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np

from phq.errors import WeightError
from phq.people.person import AUX_SCALE
from phq.system.arrays import Floats

DETECTOR, LANDMARKS = "pose_detector.tflite", "pose_landmarks_detector.tflite"
SIDE = 224
"""Side of the detector's input, pixels, which are the unit of its answers."""
FIRST_ANCHOR = 0.5 * 8 / SIDE
"""x and y of the centre of its first cell (stride 8), fraction of the side; answers are relative to it."""
SURE = 50.0
"""A logit that leaves no doubt."""


def region_task(path: Path) -> bytes:
    """The bundle, from one with a real detector; needs the package mediapipe.

    Raises:
        WeightError: its detector is not built as those of MediaPipe's Pose Landmarkers are.
    """
    from mediapipe.tasks.metadata import schema_py_generated as schema

    with ZipFile(path) as bundle:
        detector, landmarks = bundle.read(DETECTOR), bundle.read(LANDMARKS)
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(detector, 0))
        answers = _answers(model)
    except Exception as error:  # a flatbuffer that is none fails in many ways
        raise WeightError(f"{path}: {DETECTOR} is not MediaPipe's: {error}") from error
    written = BytesIO()
    with ZipFile(written, "w") as bundle:  # stored, as MediaPipe wants it
        bundle.writestr(DETECTOR, _constant(schema, model, answers))
        bundle.writestr(LANDMARKS, landmarks)
    return written.getvalue()


def points_answer(boxes: int, values: int) -> Floats:
    """(1, boxes, values) answer of which the first box is the whole picture.

    A box is x, y, width, height and the alignment points x, y: the middle of the hips, and a point on the circle round
    the person straight above; MediaPipe's region is `AUX_SCALE` times as wide as the two lie apart.
    """
    middle, above = np.array([0.5, 0.5]), np.array([0.5, 0.5 - 1 / AUX_SCALE])
    points = np.array([middle, above] * ((values - 4) // 4)) - FIRST_ANCHOR
    answer = np.zeros((1, boxes, values))
    answer[0, 0] = np.concatenate([middle - FIRST_ANCHOR, [1, 1], points.ravel()]) * SIDE
    return answer


def _answers(model: Any) -> tuple[Floats, Floats]:
    """Of boxes and of scores, in the shapes of the detector's outputs."""
    graph = model.subgraphs[0]
    shapes = [tuple(int(n) for n in graph.tensors[i].shape) for i in graph.outputs]
    (_, boxes, values), scored = shapes
    if scored != (1, boxes, 1) or values % 4:
        raise ValueError(f"its outputs have the shapes {shapes}")
    scores = np.full(scored, -SURE)
    scores[0, 0] = SURE
    return points_answer(boxes, values), scores


def _constant(schema: Any, model: Any, answers: tuple[Floats, Floats]) -> bytes:
    """The model with its inputs, outputs and metadata, and nothing between."""
    import flatbuffers

    graph = model.subgraphs[0]
    notes = [model.buffers[note.buffer].data for note in model.metadata]
    contents = [None, None, *(answer.astype(np.float32).tobytes() for answer in answers), *notes]
    graph.tensors = [graph.tensors[i] for i in (*graph.inputs, *graph.outputs)]
    graph.inputs, graph.outputs, graph.operators = [0], [1, 2], []
    for tensor, buffer in zip(graph.tensors, (1, 2, 3), strict=True):
        tensor.buffer = buffer
    for number, note in enumerate(model.metadata):
        note.buffer = 4 + number
    model.operatorCodes, model.buffers = [], [_buffer(schema, content) for content in contents]
    builder = flatbuffers.Builder(1 << 18)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _buffer(schema: Any, content: Any) -> Any:
    buffer = schema.BufferT()
    if content is not None:
        buffer.data = np.frombuffer(bytes(content), np.uint8)
    return buffer
