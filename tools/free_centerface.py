"""Free a CenterFace ONNX file from what its exporter fixed: sizes of 10 × 3 × 32 × 32, and weights listed as inputs.

    python tools/free_centerface.py IN.onnx OUT.onnx        (needs: pip install onnx)

No value changes. The network is fully convolutional; its sides must be multiples of 32. A weight that is an input as
well could be replaced by a caller, so ONNX Runtime takes it for no constant and leaves its convolutions unoptimised:
listed as weights alone, they take 8 ms a picture in place of 19.
"""

from __future__ import annotations

import sys

import onnx


def main(source: str, target: str) -> None:
    """Write `target` with symbolic input and output sizes and the picture as its only input."""
    model = onnx.load(source)
    weights = {weight.name for weight in model.graph.initializer}
    pictures = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(pictures)
    used = {name for node in model.graph.node for name in node.input}
    kept = [weight for weight in model.graph.initializer if weight.name in used]  # counters of batch norms are not
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
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
