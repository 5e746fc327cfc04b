#!/bin/sh
# Expected: Adam goes on alike from a state whose moments have the right shapes and values, however they lie in memory:
# without `fused` it does.
# Seen: `Adam(fused=True)` on a CPU takes the moments in the order of memory. A channels-last weight whose moments were
# loaded as contiguous tensors (as most file formats keep them) gets those of other elements, without a word.
# torch 2.13.0 on a CPU, NumPy 2.4.6.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch

RATE = 0.1


def drawn(seed: int) -> torch.Tensor:
    numbers = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(seed))
    return numbers.contiguous(memory_format=torch.channels_last)


def two_steps(fused: bool, contiguous: bool) -> torch.Tensor:
    """A weight after one step, a restart from the optimiser's saved state, and another step."""
    weight = torch.nn.Parameter(drawn(1))
    optimiser = torch.optim.Adam([weight], lr=RATE, fused=fused)
    weight.grad = drawn(2)
    optimiser.step()
    state = optimiser.state_dict()
    if contiguous:
        for name in ("exp_avg", "exp_avg_sq"):
            state["state"][0][name] = state["state"][0][name].contiguous()
    optimiser = torch.optim.Adam([weight], lr=RATE, fused=fused)
    optimiser.load_state_dict(state)
    weight.grad = drawn(3)
    optimiser.step()
    return weight.detach()


wanted = two_steps(False, False)
off = {
    (fused, contiguous): float((two_steps(fused, contiguous) - wanted).abs().max())
    for fused in (False, True)
    for contiguous in (False, True)
}
print("torch", torch.__version__)
for (fused, contiguous), distance in off.items():
    print(f"  fused {fused}, moments {'contiguous' if contiguous else 'channels last'}: off by {distance:.2g}")
wrong = off.pop((True, True))
sys.exit(0 if wrong > RATE / 10 and max(off.values()) < 1e-5 else 1)
PYTHON
