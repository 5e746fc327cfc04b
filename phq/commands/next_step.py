"""The next useful command after each command: its last line, on the standard error."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import typer

from phq.commands.ending import Command, ExitCode
from phq.commands.output import echo
from phq.system.logs import STDOUT

Options = Mapping[str, Any]
"""Arguments and options of a call, by the names of its parameters."""
AGAIN = "{again}"
"""The same command line."""


def _review(options: Options) -> str:
    return "phq calibrate {dataset}" if not options.get("stats") else "phq review {dataset}"


def _annotate(options: Options) -> str:
    if options.get("consent"):  # as stated now; bake follows the decision
        return f"phq decide {{dataset}}{'' if options['rejects_refused'] else ' --set consent.min=0'} --apply"
    if options.get("sidecar"):
        return "phq bake {dataset} NEW --revision {name}"
    return "phq diff {dataset} {base} {name}"


def _decide(options: Options) -> str:
    if options.get("unchanged"):
        return "phq report {dataset}"  # with a histogram of each score beside its threshold
    return "phq bake {dataset} NEW" if options["apply"] else f"{AGAIN} --apply"


def _calibrate(options: Options) -> str:
    return "phq decide {dataset} --config {out}" if options["out"] else f"{AGAIN} --out thresholds.toml"


def _publish(options: Options) -> str:
    if not options["apply"]:
        return f"{AGAIN} --apply"
    return "phq stats hf://datasets/" + options["to"][3:] if options["to"].startswith("hf:") else "phq verify {to}"


def _build(options: Options) -> str:
    return "phq report {dataset}" if options["kept"] else "phq show {dataset} PHOTO.jpg"


_REMEDIES = {"annotate": "{dataset} --name NAME", "bake": "{dataset} NEW", "redact": "{dataset} KEY",
             "split": "{dataset} --name NAME", "verify": "{dataset}"}  # fmt: skip
"""Arguments of the commands that mend a violation."""


def _remedy(options: Options) -> str:
    command, _, more = options["remedy"].partition(" ")
    return f"phq {command} {_REMEDIES[command]} {more}".rstrip() if command else ""


def _verify(options: Options) -> str:
    return "phq publish {dataset} --to COPY" if not options["repair"] else "phq report {dataset}"


def _merge(options: Options) -> str:
    return f"phq verify {_escaped(options['datasets'][-1])}"


def _train(options: Options) -> str:
    return f"phq gan evaluate {{out}} --data {_escaped(options['datasets'][0])}"


def _escaped(path: object) -> str:
    """Quoted for a shell, and for a template."""
    return shlex.quote(str(path)).replace("{", "{{").replace("}", "}}")


Step = str | Callable[[Options], str]
NEXT: dict[str, Step] = {
    "build": _build,
    "import": "phq report {dataset}",
    "synth": "phq report {dataset}",
    "settings": "phq build PHOTOS DATASET --set KEY=VALUE",
    "report": "phq review {dataset}",
    "stats": "phq report {dataset}",
    "show": "phq review {dataset}",
    "review": _review,
    "decide": _decide,
    "calibrate": _calibrate,
    "evaluate pose": "phq review {dataset}",
    "annotate": _annotate,
    "diff": "phq bake {dataset} NEW --revision {after}",
    "bake": "phq verify {out}",
    "verify": _verify,
    "redact": "phq verify {dataset}",
    "merge": _merge,
    "split": "phq bake {dataset} NEW --revision {name}",
    "balance": "phq gan train {dataset} --out RUN --set training.balance=balance_weight",
    "export labels": "phq gan import-checkpoint NETWORK.pkl RUN",
    "export coco": "phq annotate {dataset} --name NAME --predictions FILE --as keypoints",
    "export crops": "phq annotate {dataset} --name NAME --predictions FILE --as smpl",
    "publish": _publish,
    "gan train": _train,
    "gan settings": "phq gan train DATASET --out RUN --set KEY=VALUE",
    "gan import-checkpoint": "phq gan orbit {out} --out orbit.mp4",
    "gan export": "phq gan sample {run} --out PICTURES",
    "gan sample": "phq gan orbit {run} --out orbit.mp4",
    "gan orbit": "phq gan mesh {run} --out head.glb",
    "gan morph": "phq gan view {run}",
    "gan act": "phq gan view {run}",
    "gan sweep": "phq gan mix {run} --out mix.png",
    "gan mix": "phq gan morph {run} --out morph.mp4",
    "gan mesh": "phq gan view {run}",
    "gan invert": "phq gan orbit {run} --latent {out}/latent.npz --out orbit.mp4",
    "gan view": "phq gan sample {run} --out PICTURES",
    "gan evaluate": "phq gan orbit {run} --out orbit.mp4",
    "gan poses": "phq annotate {data} --name NAME --predictions {out} --as headpose --convention headshot",
    "weights list": "phq weights licences",
    "weights pull": "phq backends list",
    "weights verify": "phq backends list",
    "weights licences": "phq weights pull NAME",
    "backends list": "phq backends check SLOT SPEC --photos PHOTOS",
    "backends check": "phq build PHOTOS DATASET --set models.{slot}={spec}",
}
"""By command: a command line with parameters of the call in braces, or what gives it. Words in capitals are to be
filled in."""
FOUND: dict[str, Step] = {
    "verify": _remedy,
    "weights verify": "phq weights pull NAME",
    "backends check": "phq backends list",
}
"""The same where a command ends with `phq.commands.ending.ExitCode.FOUND`; nothing is said for others."""


def next_step(name: str, options: Options, found: bool = False) -> str:
    """The next command line, '' if there is none.

    Args:
        name: of the command.
        options: of the call.
        found: whether it ended with `ExitCode.FOUND`.
    """
    step = FOUND.get(name, "") if found else NEXT[name]
    template = step if isinstance(step, str) else step(options)
    if options.get("pretrained"):
        template = template.replace("{run}", "--pretrained {pretrained}")
    quoted = {key: shlex.quote(str(getattr(value, "value", value))) for key, value in options.items()}
    return template.format(**quoted, again=shlex.join(["phq", *sys.argv[1:]]))


def followed(name: str, command: Command) -> Command:
    """The command, which says the next useful one at its end; not where the result is printed as JSON.

    Args:
        name: of the command, see `NEXT`.
        command: called with its parameters by name; what it returns counts as further options.
    """

    @wraps(command)
    def wrapped(**options: Any) -> None:
        try:
            found = command(**options)
        except typer.Exit as end:
            if end.exit_code == ExitCode.FOUND:
                _say(name, {**options, **getattr(end, "facts", {})}, found=True)
            raise
        _say(name, {**options, **(found or {})})

    return wrapped


def _say(name: str, options: Options, found: bool = False) -> None:
    if options.get("json") != STDOUT and (line := next_step(name, options, found)):
        echo(f"next: {line}", err=True)
