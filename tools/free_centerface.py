"""Free the batch and picture sizes of a CenterFace ONNX file, which its exporter fixed to 10 × 3 × 32 × 32.

    python tools/free_centerface.py IN.onnx OUT.onnx        (needs: pip install onnx)

No value changes. The network is fully convolutional; its sides must be multiples of 32.
"""

from __future__ import annotations

import sys

import onnx


def main(source: str, target: str) -> None:
    """Write `target` with symbolic input and output sizes."""
    model = onnx.load(source)
    for values, names in ((model.graph.input, ("n", "", "height", "width")), (model.graph.output, ("n", "", "h", "w"))):
        for value in values:
            dims = value.type.tensor_type.shape.dim
            for dim, name in zip(dims, names if len(dims) == 4 else (), strict=False):
                if name:
                    dim.Clear()
                    dim.dim_param = name
    del model.graph.value_info[:]
    onnx.checker.check_model(model)
    onnx.save(model, target)


if __name__ == "__main__":
    main(*sys.argv[1:3])
