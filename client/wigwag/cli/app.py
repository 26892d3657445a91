"""The command `wigwag`: its subcommands, and the options that all of them have."""

from importlib.metadata import version
from typing import Annotated

import typer

from wigwag.cli.approvals import approvals
from wigwag.cli.audit import audit
from wigwag.cli.call import Options, with_options
from wigwag.cli.codegen import codegen
from wigwag.cli.doctor import doctor
from wigwag.cli.environments import environments
from wigwag.cli.explaining import explain
from wigwag.cli.guarding import guard
from wigwag.cli.history import history, revert
from wigwag.cli.instances import instances
from wigwag.cli.keys import keys
from wigwag.cli.lives import archive, restore, stale
from wigwag.cli.login import login_link
from wigwag.cli.mcp import mcp
from wigwag.cli.reading import flags, show
from wigwag.cli.register import docs
from wigwag.cli.rollout import rollout
from wigwag.cli.scanning import references, scan
from wigwag.cli.schedules import schedule
from wigwag.cli.segments import segments
from wigwag.cli.setting import set_flag
from wigwag.cli.tail import tail
from wigwag.cli.time_travel import changes, rewind, state
from wigwag.cli.transfer import diff, export, import_file, validate
from wigwag.cli.webhooks import webhooks
from wigwag.cli.writing import delete, kill, revive

EPILOG = """\b
Exit codes:
  0  done
  1  the server said no, or it failed
  2  wrong usage
  3  no server can be reached
  4  not authorised
  5  there is no such flag
  6  done, but not everybody has confirmed it in time (kill --wait)
  7  nothing has changed yet: the change waits for a second person

The server is found by --url and --token, else by WIGWAG_URL and WIGWAG_TOKEN, else by the .wigwag/dev.json that
"wigwag-server --dev" writes, in this folder or one above it. "tail" and "doctor" take --key or WIGWAG_KEY
in place of the token.
"""

# No rich markup: its boxes are noise in a pipe, and a usage error is one message, not a panel.
app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer's signature
    if wanted:
        typer.echo(f"wigwag {version('wigwag')}")
        raise typer.Exit


@app.callback()
@with_options
def wigwag(
    context: typer.Context,
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
    options: Options,
) -> None:
    """Look at feature flags, change them, and kill what hurts."""
    context.obj = options


for name, function in (
    ("flags", flags),
    ("show", show),
    ("set", set_flag),
    ("kill", kill),
    ("revive", revive),
    ("delete", delete),
    ("tail", tail),
    ("history", history),
    ("revert", revert),
    ("explain", explain),
    ("export", export),
    ("import", import_file),
    ("diff", diff),
    ("validate", validate),
    ("codegen", codegen),
    ("scan", scan),
    ("references", references),
    ("stale", stale),
    ("archive", archive),
    ("restore", restore),
    ("docs", docs),
    ("state", state),
    ("changes", changes),
    ("rewind", rewind),
    ("mcp", mcp),
    ("instances", instances),
    ("login-link", login_link),
    ("doctor", doctor),
):
    app.command(name)(function)
for name, group in (
    ("rollout", rollout),
    ("guard", guard),
    ("schedule", schedule),
    ("segments", segments),
    ("environments", environments),
    ("keys", keys),
    ("approvals", approvals),
    ("audit", audit),
    ("webhooks", webhooks),
):
    app.add_typer(group, name=name)
