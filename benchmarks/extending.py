"""What an extension by one percent costs, of what a new finalise of the whole dataset costs: stand-ins, one run.

    python benchmarks/extending.py /tmp/extending --photos 20000
    python benchmarks/extending.py /tmp/scale --photos 1000000 --finalise 1710  # on what scale.py --quick has built

Both do what follows the units: gathering, decisions, shards, manifest, rejects and card, in this process alone. The
extension reads the list of known photos and compares with the dataset too.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path

from scale import SETS, Clock, pipeline
from stand_ins import WriteUnit

from phq.building.carrying import CarryUnits
from phq.building.executors.choice import Engine, Execution
from phq.building.finalise.dataset import Source, conclude_units, write_units
from phq.building.finalise.extension import add_units, conclude_extension, known_photos, since
from phq.building.plan import Plan, close_work_folder, inputs_path, open_work_folder, unit_size
from phq.building.running import EXTENDING, run_plan
from phq.config.build import Config, load_config
from phq.dataset.card import Card
from phq.dataset.folder import INPUTS
from phq.photos.discover import Found
from phq.system.atomic import write_bytes
from phq.system.journal import stage

INLINE = Execution(engine=Engine.inline, workers=1)


def inputs(count: int, start: int) -> list[Found]:
    """Photos that are not there, the first of which has this number."""
    names = (f"{number // 1000:05d}/{number:08d}.jpg" for number in range(start, start + count))
    return [Found(Path("/photos") / name, name, stamp=(1_000_000, "0")) for name in names]


def units(out: Path, plan: Plan, first: int, name: str) -> Source:
    """Finished units of a plan, whose people are those of units from `first` on."""
    work = open_work_folder(out, plan, name=name)
    carry = CarryUnits(partial(pipeline, 0.0), work)
    run_plan(replace(carry, carry=WriteUnit(first)), plan, INLINE, quiet=True)
    return Source(work, len(plan.units), plan.config)


def build(out: Path, config: Config, clock: Clock, photos: int) -> None:
    """A dataset."""
    source = units(out, Plan(inputs(photos, 0), config), 0, ".phq-work")
    with clock.step("a new finalise"):
        outcome = conclude_units(out, source)
        record = {"command": "build", "config": config.model_dump(), "counts": outcome.decisions.counts(photos)}
        write_units(out, source, outcome, record, Card("Stand-ins", "0", ()), INLINE, sheet=False)
        write_bytes(out / INPUTS, inputs_path(source.work).read_bytes())
    close_work_folder(source.work)


def extend(out: Path, config: Config, clock: Clock, photos: int, before: tuple[int, int]) -> None:
    """Add photos to a dataset of so many photos and units."""
    plan = Plan(inputs(photos, before[0]), config)
    source = units(out, plan, before[1], EXTENDING)
    listed = inputs(before[0] + photos, 0)
    with clock.step("what is known, and what is new"):
        since(known_photos(out), listed)
    del listed
    with stage(out) as change:
        with clock.step("decide beside the dataset"):
            outcome = conclude_extension(out, source)
        with clock.step("shards, manifest, rejects, card"):
            add_units(change, source, outcome, plan.inputs, {"counts": outcome.decisions.counts(photos)})
    close_work_folder(source.work)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--percent", type=float, default=1.0)
    parser.add_argument("--finalise", type=float, help="CPU seconds that it took, of the dataset that is there")
    options = parser.parse_args()
    config, clock = load_config("everything", sets=SETS), Clock(options.photos)
    more = round(options.photos * options.percent / 100)
    made = -(-options.photos // unit_size(options.photos))
    if options.finalise is None:
        build(options.out, config, clock, options.photos)
    new, clock.spent = options.finalise or clock.spent, 0.0
    extend(options.out, config, clock, more, (options.photos, made))
    print(f"an extension by {more} photos / a new finalise: {clock.spent / new:.1%}")


if __name__ == "__main__":
    main()
