"""What a GPU would see, without one: no tensor is left on the host, and no step waits for the device.

Training runs on the ``meta`` device, which has no numbers: whatever asks for one, or mixes it with a tensor of the CPU,
fails, and a copy from the host is counted. Drawing and evaluation run on fake tensors of the device ``cuda``; torch
without CUDA cannot differentiate those.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from training_dataset import SETS  # noqa: E402

from phq.camera.convention import intrinsics, orbit  # noqa: E402
from phq.generator.networks.discriminator import Discriminator  # noqa: E402
from phq.generator.networks.generator import Generator  # noqa: E402
from phq.generator.networks.rng import SampleRng  # noqa: E402
from phq.generator.train import data, ranks  # noqa: E402
from phq.generator.train.config import load_run_config  # noqa: E402
from phq.generator.train.data import Conditions, Real, sent  # noqa: E402
from phq.generator.train.networks import Networks  # noqa: E402
from phq.generator.train.phases import DivergedError, Phases  # noqa: E402
from phq.generator.train.ranks import Ranks  # noqa: E402
from phq.generator.train.schedule import ema_decay, now  # noqa: E402

META, CPU = torch.device("meta"), torch.device("cpu")


class Traffic(TorchDispatchMode):
    """Counts what goes from the host to another device, and what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        name, tensors = str(func), [a for a in args if isinstance(a, torch.Tensor)]
        if "_local_scalar_dense" in name and tensors[0].device.type != "cpu":
            self.counts["asked"] += 1
        devices = {t.device.type for t in tensors} | ({found.device.type} if isinstance(found, torch.Tensor) else set())
        if ("_to_copy" in name or "copy_" in name) and len(devices) > 1:
            self.counts["copied"] += 1
        return found


@pytest.fixture
def no_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random numbers of a device that has no random generator."""

    def empty(self: SampleRng, *shape: int) -> Any:
        return None if self._generators is None else torch.empty(len(self._generators), *shape, device=self.device)

    def made(self: SampleRng, seeds: Any, device: Any) -> None:
        self.device, self._generators = device, None if seeds is None else list(seeds)

    monkeypatch.setattr(SampleRng, "__init__", made)
    monkeypatch.setattr(SampleRng, "normal", empty)
    monkeypatch.setattr(SampleRng, "uniform", empty)


def cameras(count: int, device: Any) -> Any:
    labels = [[*orbit(37.0 * i, 5).ravel(), *intrinsics().ravel()] for i in range(count)]
    return torch.tensor(np.array(labels), dtype=torch.float32).to(device)


@pytest.mark.parametrize("kind", ["trigrid", "hybrid", "triplane", "spheres"])
def test_a_step_neither_waits_for_the_device_nor_copies_to_it(no_numbers: None, kind: str):
    planes = f"{{kind='{kind}', resolution=8, channels=4, channel_base=64, channel_max=8}}"
    config = load_run_config("tiny", sets=[*SETS, f"model.planes={planes}"])
    networks = Networks(config, META)
    phases = Phases(config, networks, Ranks(0, 1, META))
    conditions = [Conditions(range(4), cameras(4, META), torch.empty(4, 6, device=META))]
    shapes = ((4, 3, 16, 16), (4, 1, 16, 16), (4, 25), (4, 6))
    real = [Real(*(torch.empty(shape, device=META) for shape in shapes))]
    today = now(config.training, 0)
    with Traffic() as traffic:
        scalars = phases.generator(conditions, today) | phases.density(conditions, today)
        scalars |= phases.discriminator(list(zip(real, conditions, strict=True)), today) | phases.r1(real, today)
        networks.average(ema_decay(config.training, 8))
    assert traffic.counts == Counter()
    assert {value.device.type for value in scalars.values()} == {"meta"}
    tensors = {name: value.device.type for name, value in networks.tensors().items()}
    tensors = {name: where for name, where in tensors.items() if not name.endswith(".step")}  # fused, on the GPU too
    assert set(tensors.values()) == {"meta"}, [name for name, where in tensors.items() if where != "meta"]


def test_the_count_sees_a_list_that_is_copied_and_a_number_that_is_asked_for():
    with Traffic() as traffic:
        torch.tensor([1.0, 2.0]).to(META)
        with pytest.raises(RuntimeError):
            float(torch.empty(1, device=META))
    assert traffic.counts["copied"] == 1


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_drawing_and_judging_stay_on_the_device(no_numbers: None, precision: str):
    config = load_run_config("tiny", sets=[*SETS, f"model.precision={precision}"]).model
    g, d = Generator(config), Discriminator(config)
    for module in (*g.modules(), *d.modules()):
        for held in (module._parameters, module._buffers):
            for name, value in held.items():
                held[name] = None if value is None else torch.empty_like(value, device=META, requires_grad=False)
    with META, torch.no_grad():
        z, camera = torch.empty(3, config.latent), torch.empty(3, 25)
        pose = g.predict_pose(z, camera)
        ws = g.mapping(z, camera, pose, update_average=True, truncation=0.7)
        seen = g.synthesis(ws, camera, pose, seeds=[1, 2, 3], density_noise=0.5)
        again = g.synthesis(ws, camera, None, planes=g.draw_planes(ws))
        verdict = d(seen["image"], seen["raw"], seen["mask"], camera)
        points = g.sample(torch.empty(3, 50, 3), ws, pose)
    for value in (*seen.values(), *again.values(), *verdict, *points):
        assert (value.device.type, value.dtype) == ("meta", torch.float32)


def test_bytes_are_pinned_and_sent_without_waiting(monkeypatch: pytest.MonkeyPatch):
    asked: list[Any] = []

    class Bytes:
        dtype = torch.uint8

        def pin_memory(self) -> Bytes:
            asked.append("pinned")
            return self

        def to(self, *where: Any, **how: Any) -> Bytes:
            asked.append((where, how))
            return self

    sent(Bytes(), torch.device("cuda", 1))  # type: ignore[arg-type]
    assert asked == ["pinned", ((torch.device("cuda", 1),), {"non_blocking": True})]
    assert sent(torch.ones(2, dtype=torch.uint8), CPU).dtype == torch.uint8
    assert data.sent is sent


def test_processes_with_gpus_talk_by_nccl_and_agree_on_the_cpu(monkeypatch: pytest.MonkeyPatch):
    begun: list[Any] = []
    for name, value in (("WORLD_SIZE", "2"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(ranks, "_device", lambda _name, local: torch.device("cuda", local))
    monkeypatch.setattr(ranks.distributed, "init_process_group", lambda *a, **k: begun.append((a, k)))
    monkeypatch.setattr(ranks.distributed, "destroy_process_group", lambda: begun.append("ended"))
    monkeypatch.setattr(ranks.distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(ranks.distributed, "get_world_size", lambda: 2)
    summed: list[Any] = []
    monkeypatch.setattr(ranks.distributed, "all_reduce", summed.append)
    with ranks.joined("auto") as mine:
        assert mine.any(True)
    assert begun == [(("cpu:gloo,cuda:nccl",), {"device_id": torch.device("cuda", 1)}), "ended"]
    assert [value.device.type for value in summed] == ["cpu"]
    assert Ranks(0, 1, META).any(True)


def test_a_gpu_is_asked_about_gradients_only_at_the_check(no_numbers: None):
    phases = Phases(
        load_run_config("tiny", sets=SETS), Networks(load_run_config("tiny", sets=SETS), CPU), Ranks(0, 1, CPU)
    )
    phases._finite = {"R1": torch.tensor(False), "generator": torch.tensor(True)}
    with pytest.raises(DivergedError, match="of the R1 phase"):
        phases.check()
    phases.check()


def test_losses_of_float16_are_scaled_and_the_scale_is_saved():
    config = load_run_config("tiny", sets=[*SETS, "model.precision=float16"])
    networks = Networks(config, CPU)
    scaler = networks.scalers["opt_d"]
    assert scaler.is_enabled()
    assert not Networks(load_run_config("tiny", sets=SETS), CPU).scalers["opt_g"].is_enabled()
    phases = Phases(config, networks, Ranks(0, 1, CPU))
    before = networks.d.out.weight.detach().clone()

    def overflows(part: Any) -> Any:
        return networks.d.out.weight.sum() * float("inf"), {}

    real = [Real(*(torch.zeros(s) for s in ((4, 3, 16, 16), (4, 1, 16, 16), (4, 25), (4, 6))))]
    phases._run("discriminator", real, overflows, networks.d, networks.opt_d)
    assert torch.equal(networks.d.out.weight, before)
    assert scaler.state_dict()["scale"] == 2.0**15
    scaler.load_state_dict({**scaler.state_dict(), "scale": 2.0**-11})
    with pytest.raises(DivergedError, match="float16"):
        phases.check()
