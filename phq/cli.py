"""The command ``phq``: every command with its place in ``--help``, and what is true when Ctrl-C ends it."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from phq.commands import annotate, build, curate, draw, exchange, gan, look, networks, settings
from phq.commands.ending import (
    ABSENT,
    CONTINUES,
    REPAIRS,
    RESTARTS,
    TRAINING,
    UNCHANGED,
    WHOLE_CHANGE,
    WHOLE_FILES,
    Command,
    ExitCode,
    interruptible,
)
from phq.commands.next_step import followed
from phq.commands.output import echo
from phq.commands.tree import Commands, Group
from phq.errors import PhqError
from phq.system.streams import lasting_output
from phq.system.threads import one_blas_thread
from phq.system.version import __version__

COMMANDS: dict[str, dict[str, tuple[Command, str]]] = {
    "Build": {
        "build": (build.build_command, CONTINUES),
        "import": (build.import_command, CONTINUES),
        "synth": (build.synth_command, CONTINUES),
        "settings": (settings.settings_command, UNCHANGED),
    },
    "Look and decide": {
        "report": (look.report_command, WHOLE_FILES),
        "stats": (look.stats_command, UNCHANGED),
        "show": (look.show_command, WHOLE_FILES),
        "review": (look.review_command, UNCHANGED),
        "decide": (look.decide_command, WHOLE_CHANGE),
        "calibrate": (look.calibrate_command, WHOLE_FILES),
        "evaluate pose": (look.evaluate_pose_command, WHOLE_FILES),
    },
    "Re-annotate": {
        "annotate": (annotate.annotate_command, CONTINUES),
        "diff": (annotate.diff_command, WHOLE_FILES),
        "bake": (annotate.bake_command, RESTARTS),
    },
    "Curate": {
        "verify": (curate.verify_command, REPAIRS),
        "redact": (curate.redact_command, WHOLE_CHANGE),
        "merge": (curate.merge_command, RESTARTS),
        "split": (curate.split_command, WHOLE_CHANGE),
        "balance": (curate.balance_command, WHOLE_CHANGE),
    },
    "Exchange": {
        "export labels": (exchange.export_labels_command, ABSENT),
        "export coco": (exchange.export_coco_command, ABSENT),
        "export crops": (exchange.export_crops_command, ABSENT),
        "publish": (exchange.publish_command, CONTINUES),
    },
    "Train": {
        "gan train": (gan.train_command, TRAINING),
        "gan settings": (settings.gan_settings_command, UNCHANGED),
        "gan import-checkpoint": (gan.import_command, ABSENT),
        "gan export": (gan.export_command, ABSENT),
        "gan sample": (draw.sample_command, ABSENT),
        "gan orbit": (draw.orbit_command, WHOLE_FILES),
        "gan morph": (draw.morph_command, WHOLE_FILES),
        "gan act": (draw.act_command, WHOLE_FILES),
        "gan sweep": (draw.sweep_command, WHOLE_FILES),
        "gan mix": (draw.mix_command, WHOLE_FILES),
        "gan mesh": (draw.mesh_command, WHOLE_FILES),
        "gan invert": (draw.invert_command, ABSENT),
        "gan view": (draw.view_command, UNCHANGED),
        "gan evaluate": (gan.evaluate_command, WHOLE_FILES),
        "gan poses": (gan.poses_command, WHOLE_FILES),
    },
    "Networks": {
        "weights list": (networks.list_weights_command, UNCHANGED),
        "weights pull": (networks.pull_weights_command, CONTINUES),
        "weights verify": (networks.verify_weights_command, UNCHANGED),
        "weights licences": (networks.licences_command, UNCHANGED),
        "backends list": (networks.list_backends_command, UNCHANGED),
        "backends check": (networks.check_backend_command, UNCHANGED),
    },
}
"""By panel of ``--help`` and name: the command, and what is true when it is stopped at any moment."""
GROUPS = {
    "evaluate": "Measure labels against the truth.",
    "export": "Write a dataset in the format of another program.",
    "gan": "The bundled 3D generator: train, draw, film a turning head, evaluate.",
    "weights": "Download and check the weights of other back ends.",
    "backends": "List and check the networks for each slot of the pipeline.",
}


def _version(show: bool) -> None:
    if show:
        from phq.system import opencv

        echo(f"phq {__version__}")
        if trouble := opencv.trouble():
            echo(f"phq: {trouble}", err=True)
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """360° portrait datasets: raw photographs in, annotated one-quarter headshots out."""


def tree() -> Commands:
    """Every command in its group."""
    commands = Commands()
    for panel, listed in COMMANDS.items():
        for name, (command, stopped) in listed.items():
            group, _, last = name.rpartition(" ")
            into = commands.group(panel, group, GROUPS[group]) if group else commands
            into.add("Commands" if group else panel, last, followed(name, interruptible(stopped)(command)))
    return commands


class Root(Group):
    """The command ``phq``."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = tree()


app = typer.Typer(
    cls=Root, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    callback=_root,
)  # fmt: skip


def main() -> None:
    """Entry point: an error that phq raises on purpose is one sentence, any other one a traceback; see `ExitCode`."""
    if sys.argv[1:2] != ["gan"]:  # where torch may train with the same variable
        one_blas_thread()
    with lasting_output() as output:
        code = _exit_code()
        if lost := output.lost():
            echo(f"phq: {lost}", err=True)
            code = code or ExitCode.REFUSED
    sys.exit(code)


def _exit_code() -> int:
    try:
        app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except PhqError as error:
        return _refused(error)
    except Exception as error:  # noqa: BLE001 - reported, and told apart by its exit code
        from phq.system.atomic import disk_failure

        if isinstance(error, OSError) and (failure := disk_failure(error)):
            return _refused(failure)
        import traceback

        traceback.print_exc()
        echo("phq: this is an error in phq itself; please report it with the lines above", err=True)
        return ExitCode.BUG
    return ExitCode.DONE


def _refused(error: PhqError) -> int:
    echo(f"phq: {error}", err=True)
    return ExitCode.REFUSED
