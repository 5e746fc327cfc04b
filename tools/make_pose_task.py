"""Make a Pose Landmarker ``.task`` file, in an environment of an older MediaPipe, which has networks and writers.

    python3.11 -m venv old && old/bin/pip install mediapipe==0.10.21
    old/bin/python tools/make_pose_task.py pose_landmarker_full.task
    old/bin/python tools/make_pose_task.py pose_landmarker_heavy.task --landmarks pose_landmark_heavy.tflite

The package has the detector and the landmark network ``full``; ``heavy`` and ``lite`` are files of npm @mediapipe/pose.
Those networks lack the metadata that MediaPipe's tasks read, how pixels become the network's input (detector: -1..1,
landmarks: 0..1); MediaPipe's metadata writers add it. Package mediapipe 1.x reads the result; it ships no networks,
and its own writers lack a part. Networks: Apache-2.0.
"""

from __future__ import annotations

import argparse
from importlib.resources import files
from pathlib import Path

from mediapipe.tasks.python.metadata.metadata_writers.metadata_writer import MetadataWriter
from mediapipe.tasks.python.metadata.metadata_writers.model_asset_bundle_utils import create_model_asset_bundle

DETECTOR = "modules/pose_detection/pose_detection.tflite"
LANDMARKS = "modules/pose_landmark/pose_landmark_full.tflite"


def with_metadata(network: bytes, mean: float, std: float) -> bytes:
    """A network with what its input is made of pixels by: (pixel − mean) / std."""
    writer = MetadataWriter.create(bytearray(network))
    writer.add_image_input([mean], [std])
    return bytes(writer.populate()[0])


def main() -> None:
    """Write the bundle."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", type=Path, help="file to write")
    parser.add_argument("--landmarks", type=Path, help="another landmark network, a .tflite file")
    options = parser.parse_args()
    package = files("mediapipe")
    landmarks = options.landmarks or package / LANDMARKS
    networks = {
        "pose_detector.tflite": with_metadata((package / DETECTOR).read_bytes(), 127.5, 127.5),
        "pose_landmarks_detector.tflite": with_metadata(landmarks.read_bytes(), 0, 255),
    }
    create_model_asset_bundle(networks, str(options.task))


if __name__ == "__main__":
    main()
