"""The commands to look at a dataset and decide: ``report``, ``stats``, ``show``, ``review``, ``decide``, ``calibrate``
and ``evaluate pose``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from phq.commands.options import Body, ConfigFile, Dataset, LocalDataset, Revision, Sets, preset_option
from phq.commands.output import Json, echo, report
from phq.system.arrow import without_pandas

PORT = 7360


def report_command(
    dataset: Dataset,
    *,
    out: Annotated[Path | None, typer.Option(help="HTML file to write.", show_default="DATASET/report.html")] = None,
    revision: Revision = "latest",
    png_dir: Annotated[
        Path | None, typer.Option(help="Folder for the main figures as PNG.", show_default="none")
    ] = None,
    body: Body = None,
) -> None:
    """Write one self-contained page: directions, scores, rejects, doubtful samples, sources, throughput."""
    from phq.view.report.reporting import report as write  # numpy, Arrow and Plotly: not for --help

    done = write(dataset, out, revision=revision, png_dir=png_dir, body=body)
    if done.unreadable:
        echo(f"phq: {done.unreadable} pictures cannot be read and are left out; phq verify says why", err=True)
    for picture in done.pictures:
        echo(f"figure   {picture}")
    echo(f"report   {done.page}")


def stats_command(dataset: Dataset, *, revision: Revision = "latest", json: Json = None) -> None:
    """Print counts, directions, scores, reasons, licences and sizes."""
    from phq.view.stats import lines, stats

    found = stats(dataset, revision=revision)
    report("stats", found, lines(found), json)


def show_command(
    dataset: Dataset,
    key: Annotated[
        str,
        typer.Argument(
            help="Key of a sample or its beginning, or a photo: what was decided of its people.", show_default=False
        ),
    ],
    *,
    revision: Revision = "latest",
    out: Annotated[
        Path | None,
        typer.Option(help="PNG to write: the picture, its landmarks and mask, the fitted body.", show_default="none"),
    ] = None,
    body: Body = None,
    json: Json = None,
) -> None:
    """Print the record of one sample, and draw its labels."""
    without_pandas()
    from phq.view.show import show

    done = show(dataset, key, revision=revision, out=out, body=body)
    pictures = [f"picture   {done.picture}"] if done.picture else []
    report(
        "show",
        {"key": done.key, "record": done.row, "picture": done.picture, "people": list(done.people)},
        [done.text, *pictures],
        json,
    )


def review_command(
    dataset: LocalDataset,
    *,
    stats: Annotated[bool, typer.Option("--stats", help="Only count the marks and compare reviewers.")] = False,
    json: Json = None,
    reviewer: Annotated[str, typer.Option(help="Name that the page offers.", show_default="your login")] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0: any that is free.")] = PORT,
    token: Annotated[
        str | None,
        typer.Option(envvar="PHQ_REVIEW_TOKEN", help="Token of the link, to keep the link.", show_default="a new one"),
    ] = None,
    body: Body = None,
) -> None:
    """Look at samples in the browser and mark them; Ctrl-C stops, and puts the marks into an overlay."""
    if stats:
        from phq.view.review.agreement import lines, review_stats

        found = review_stats(dataset)
        report("review", found, lines(found), json)
        return
    from phq.view.review.serving import serve

    name = serve(dataset, port=port, token=token, reviewer=reviewer or _login(), body=body, notify=echo)
    echo(f"marks are in the overlay {name}" if name else "no new marks")


def _login() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may run as a number that has no name
        return ""


def decide_command(  # noqa: PLR0913 - one parameter an option
    dataset: LocalDataset,
    *,
    preset: Annotated[str | None, preset_option("phq.config", "the thresholds in force")] = None,
    config: ConfigFile = None,
    set_: Sets = None,
    pictures: Annotated[
        Path | None, typer.Option(help="HTML or PNG with samples that enter and leave.", show_default="none")
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Write the decision as an overlay; without, a dry run.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Name of the overlay.", show_default="decide-N")] = None,
    json: Json = None,
) -> dict[str, bool]:
    """Decide again from the stored scores what to keep and what to reject."""
    from phq.decisions.moves import lines, record
    from phq.decisions.redecide import decide  # Arrow: not for --help
    from phq.view.decision_pictures import check_pictures, write_pictures

    if pictures is not None:
        check_pictures(pictures)
    look = None if pictures is None else partial(write_pictures, pictures)
    done = decide(dataset, preset=preset, config=config, sets=set_ or (), apply=apply, name=name, look=look)
    written = [] if pictures is None else [f"pictures   {pictures}"]
    unchanged = not (done.decided.entering | done.decided.leaving).any() and done.overlay is None
    overlay = "dry run, nothing is written; --apply writes the overlay"
    if apply and unchanged:
        overlay = "no sample changes and the thresholds are those in force: no overlay is written"
    elif unchanged:
        overlay = "dry run: nobody enters or leaves, and nothing is written"
    elif apply:
        overlay = (
            f"overlay {done.overlay}   decision, reason or margin of {done.changed} samples; it is in force; "
            "--revision none, or an earlier overlay's name, reads the dataset without it"
        )
    content = {**record(done.decided), "overlay": done.overlay, "changed": done.changed}
    report("decide", content, [*lines(done.decided), *written, overlay], json)
    return {"unchanged": unchanged}


def calibrate_command(
    dataset: LocalDataset,
    *,
    out: Annotated[
        Path | None, typer.Option(help="TOML file to write, for --config of decide and build.", show_default="none")
    ] = None,
    preset: Annotated[str | None, preset_option("phq.config", "the dataset's thresholds")] = None,
    config: ConfigFile = None,
    least: Annotated[int, typer.Option(min=1, help="Least number of marks to keep, and of marks to reject.")] = 20,
    json: Json = None,
) -> None:
    """Move the thresholds so that they agree with the marks of a review."""
    from phq.view.review.calibrate import calibrate, lines

    done = calibrate(dataset, out=out, preset=preset, config=config, least=least)
    written = [] if out is None else [f"written to {out}"]
    report("calibrate", done, [*lines(done), *written], json)


def evaluate_pose_command(
    dataset: LocalDataset,
    *,
    truth: Annotated[
        Path, typer.Option(help="Folder of renders with NNNNN.json, or JSON file of headshots.", show_default=False)
    ],
    out: Annotated[
        Path | None, typer.Option(help="PNG to write: stated doubt against errors found.", show_default="none")
    ] = None,
    json: Json = None,
) -> None:
    """Compare labels with the truth: of renders pose, crops, flips; of headshots yaw, people found, stated doubt."""
    from phq.evaluate.evaluating import evaluate

    found, text = evaluate(dataset, truth, out)
    pictures = [] if out is None else [f"picture   {out}"]
    report("evaluate pose", found, [text, *pictures], json)
