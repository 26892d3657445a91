"""`wigwag-server backup` and `wigwag-server restore`."""

import asyncio
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated

import typer

from wigwag_proto.errors import WigwagError
from wigwag_server.backup import backing_up
from wigwag_server.backup.backing_up import Tally
from wigwag_server.backup.target import open_source, open_target
from wigwag_server.settings import Settings

File = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]


def backup(context: typer.Context, file: File) -> None:
    """Write the flags, keys, webhooks and audit logs of a store to a file, while servers run.

    The store is named as for the server, before the word backup: wigwag-server --store URL backup FILE.
    """
    tally = _run(_back_up(_store(context), file))
    typer.echo(f"{file}: {_said(tally)}. It holds the secrets of webhooks: keep it as you keep those.")


def restore(
    context: typer.Context,
    file: File,
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Also into a store that is not empty: what is there is backed up first.")
    ] = False,
) -> None:
    """Put a backup into a store, of whatever kind, while no server runs. Apps then take it for the latest state.

    The store is named as for the server, before the word restore: wigwag-server --store URL restore FILE.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    set_aside = file.with_name(f"{file.name}.replaced-{stamp}") if replace else None
    tally = _run(_restore(_store(context), file, set_aside))
    typer.echo(f"restored: {_said(tally)}")
    if set_aside is not None and set_aside.exists():
        typer.echo(f"What was there before is in {set_aside}")


def _store(context: typer.Context) -> str:
    settings = context.obj
    assert isinstance(settings, Settings | Exception)
    if isinstance(settings, Exception):
        typer.echo(f"wigwag-server: {settings}", err=True)
        raise typer.Exit(1)
    return settings.store


async def _back_up(url: str, file: Path) -> Tally:
    source = await open_source(url)
    try:
        return await backing_up.back_up(source, file)
    finally:
        await source.close()


async def _restore(url: str, file: Path, set_aside: Path | None) -> Tally:
    target = await open_target(url)
    try:
        return await backing_up.restore(target, file, set_aside=set_aside)
    finally:
        await target.close()


def _run(work: Coroutine[None, None, Tally]) -> Tally:
    try:
        return asyncio.run(work)
    except (WigwagError, OSError) as error:
        typer.echo(f"wigwag-server: {error}", err=True)
        raise typer.Exit(1) from None


def _said(tally: Tally) -> str:
    return f"{tally.environments} logs, {tally.records} records, {tally.entries} audit entries"
