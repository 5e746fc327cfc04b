"""An unfinished build and a dataset in one folder: neither is lost to the other."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from networkless_pipeline import SIDE, digests, names, photos, use_networkless_pipeline

from phq.building.build import build
from phq.building.executors.choice import Engine, Execution
from phq.curate.bake import bake
from phq.curate.merge import merge
from phq.curate.verify.verify import verify
from phq.dataset.folder import WORK
from phq.errors import OutputError
from phq.exchange.publish.publishing import publish
from phq.synth.synthesising import synthesise
from phq.synth.views import Spread
from phq.system.locking import alone_in

pytestmark = pytest.mark.usefixtures("networkless")

INLINE = Execution(engine=Engine.inline)
Make = Callable[[Path, Path], object]
INTO: dict[str, Make] = {
    "bake": bake,
    "merge": lambda ds, out: merge([ds, ds], out),
    "publish": lambda ds, out: publish(ds, out, apply=True, accept=["licences"], workers=1),
}
"""What writes a dataset that is not built."""


def made(source: Path, out: Path, **options: object) -> None:
    build(source, out, preset="everything", size=SIDE, execution=INLINE, **options)


def _stop(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photos; no test changes them."""
    return photos(tmp_path_factory.mktemp("source") / "photos", names(6))


@pytest.fixture(scope="module")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "ds"
    with pytest.MonkeyPatch.context() as patch:
        use_networkless_pipeline(patch)
        made(source, out)
    return out


@pytest.fixture
def ds(built: Path, tmp_path: Path) -> Path:
    """Their dataset."""
    return Path(shutil.copytree(built, tmp_path / "ds"))


@pytest.fixture
def begun(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All units of a build of the same photos, interrupted before its dataset is written."""
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("phq.building.build.conclude_units", _stop)
        made(source, tmp_path / "begun")
    return tmp_path / "begun"


def other_dataset(ds: Path, way: str, parent: Path) -> Path:
    """A dataset that is going to come into the folder of a build by other means than phq."""
    if way == "baked":  # its run.json has the plan of the build
        bake(ds, parent / "other")
    else:
        made(photos(parent / "more", names(3, 40)), parent / "other")
    return parent / "other"


@pytest.mark.parametrize("name", INTO)
def test_no_dataset_is_written_beside_an_unfinished_build(name: str, ds: Path, begun: Path, source: Path) -> None:
    before = digests(begun)
    with pytest.raises(OutputError, match=r"is an unfinished build: run the same build again.*another folder"):
        INTO[name](ds, begun)
    assert digests(begun) == before
    made(source, begun)
    assert digests(begun) == digests(ds)


@pytest.mark.parametrize("name", ["bake", "merge"])
def test_nor_while_a_build_runs(name: str, ds: Path, tmp_path: Path) -> None:
    (out := tmp_path / "out").mkdir()
    with alone_in(out / WORK, ""), pytest.raises(OutputError, match="another phq process is building in"):
        INTO[name](ds, out)
    INTO[name](ds, out)
    assert not (out / WORK).exists()


def test_a_build_is_refused_while_a_bake_runs(
    ds: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = []

    def built_meanwhile(*arguments: object) -> None:
        with pytest.raises(OutputError, match="another phq process"):
            made(source, tmp_path / "out")
        refused.append(arguments)
        real(*arguments)

    from phq.curate import bake as baking

    real = baking.write_dataset
    monkeypatch.setattr(baking, "write_dataset", built_meanwhile)
    bake(ds, tmp_path / "out")
    assert refused
    assert verify(tmp_path / "out", workers=1).clean


@pytest.mark.parametrize("keep_rejects", [False, True])
@pytest.mark.parametrize("way", ["baked", "of other photos"])
def test_a_build_replaces_no_dataset_that_came_while_it_ran(
    way: str, keep_rejects: bool, ds: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from phq.building import build as building

    out, real, other = tmp_path / "out", building.run_plan, other_dataset(ds, way, tmp_path)
    came = digests(other)

    def run_then_put(*arguments: object, **options: object) -> None:
        real(*arguments, **options)
        shutil.copytree(other, out, dirs_exist_ok=True)

    with monkeypatch.context() as patch, pytest.raises(OutputError, match="has not made and would replace"):
        patch.setattr(building, "run_plan", run_then_put)
        made(source, out, keep_rejects=keep_rejects)
    _stands(out, came)
    for name in came:
        (out / name).unlink()
    made(source, out, keep_rejects=keep_rejects)
    assert verify(out, workers=1).clean


@pytest.mark.parametrize("extend", [False, True])
@pytest.mark.parametrize("way", ["baked", "of other photos"])
def test_an_interrupted_build_that_is_continued_replaces_none_either(
    way: str, extend: bool, ds: Path, begun: Path, source: Path, tmp_path: Path
) -> None:
    shutil.copytree(other := other_dataset(ds, way, tmp_path), begun, dirs_exist_ok=True)
    came = digests(other)
    with pytest.raises(OutputError, match=r"has not made and would replace|was not made by phq build"):
        build(source, begun, execution=INLINE, extend=True) if extend else made(source, begun)
    assert not verify(begun, repair=True, workers=1).clean
    _stands(begun, came)


def _stands(out: Path, came: dict[str, str]) -> None:
    """The dataset as it came, and the work of the build."""
    now = digests(out)
    assert {name: digest for name, digest in now.items() if not name.startswith(WORK)} == came
    assert {path.name for path in (out / WORK).iterdir()} >= {"plan.json", "000000.parquet", "000001.parquet"}


def test_its_own_dataset_is_no_obstacle_to_tidying_up(source: Path, tmp_path: Path, monkeypatch) -> None:
    """A build that was killed after its last write."""
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("phq.building.build.close_work_folder", _stop)
        made(source, tmp_path / "out")
    assert (tmp_path / "out" / WORK / "plan.json").exists()
    with pytest.raises(OutputError, match="already holds a dataset"):
        made(source, tmp_path / "out")
    assert not (tmp_path / "out" / WORK).exists()


def test_what_is_drawn_goes_into_no_other_dataset(ds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn() -> None:
        synthesise(tmp_path / "drawn", 1, size=64, spread=Spread(pose_noise=5), workers=1)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("phq.synth.synthesising.conclude_units", _stop)
        drawn()
    shutil.copytree(ds, tmp_path / "drawn", dirs_exist_ok=True)
    with pytest.raises(OutputError, match="has not made and would replace"):
        drawn()
    assert not (tmp_path / "drawn/overlays").exists()
