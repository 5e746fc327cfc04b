"""Names for arrays that pass between modules, by type of element; docstrings give shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""H × W × 3 RGB."""
Floats = NDArray[np.floating[Any]]
"""Numbers of any floating-point precision."""
Doubles = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]
Rows = NDArray[np.signedinteger[Any]]
"""Row numbers: of 32 bits where they are held for millions of rows."""
Bools = NDArray[np.bool_]
