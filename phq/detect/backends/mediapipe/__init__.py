"""MediaPipe's Pose Landmarker (package mediapipe 1.x, extra ``phq[mediapipe]``) as detector, skeleton and landmarks."""
