"""`wigwag tail`: changes as they happen. It follows the stream as an app does."""

import asyncio
import time
from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Any

import msgspec
import typer

from wigwag.cli.admin_client import AdminClient
from wigwag.cli.call import Call, command
from wigwag.cli.exits import ExitCode, Stop
from wigwag.cli.flag_words import differences, kill_words, summary
from wigwag.cli.output import note, say, say_json
from wigwag.client import FlagClient
from wigwag.settings import Settings
from wigwag_proto.flag import Flag
from wigwag_proto.ruleset import FlagChange, What
from wigwag_proto.tasks_io import Tasks

LOOK_S = 0.5


@command
async def tail(
    call: Call,
    server_key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="SDK key of a server.  [WIGWAG_KEY, .wigwag/dev.json]"),
    ] = None,
) -> None:
    """Show changes as they happen, one a line, until Ctrl-C.

    It follows the stream like an app, so it takes an SDK key (ww_server_…) in place of an admin token, and the key
    picks the environment.
    """
    server = call.stream_server(server_key)
    async with AdminClient(server, call.environment) as client:
        snapshot = await client.snapshot()  # asked for first, since this can say what is wrong
    environment = str(snapshot.get("environment"))
    if call.options.environment not in (None, environment):
        raise Stop(f"this key is for {environment}, not for {call.environment}", ExitCode.USAGE)
    tasks = Tasks()
    async with FlagClient(server.url, server.secret, settings=Settings(cache_dir=None, label="wigwag tail")) as flags:
        note(f"following {environment} at {server.url}; Ctrl-C ends it")
        tasks.start("connection notes", _note_losses(flags))
        try:
            async with aclosing(flags.changes()) as changes:
                async for change in changes:
                    _tell(call, change)
        finally:
            await tasks.close()


async def _note_losses(flags: FlagClient) -> None:
    """Say when the stream is lost and when it is back: no line must not look like no change."""
    connected = True
    while True:
        await asyncio.sleep(LOOK_S)
        status = flags.status
        if status.connected != connected:
            connected = status.connected
            why = status.last_error or "the server is going down"
            note("connected again" if connected else f"connection lost: {why}; trying again")


def _tell(call: Call, change: FlagChange) -> None:
    if call.options.as_json:
        say_json(_plain(change), indent=None)
    else:
        at = datetime.fromtimestamp(_at_ms(change) / 1000).astimezone()
        say(f"{at:%H:%M:%S}  {change.what:<8} {change.key}  {_words(change)}".rstrip())


def _words(change: FlagChange) -> str:
    before, after = _fields(change.before), _fields(change.after)
    if change.what is What.KILLED:
        return kill_words(after["kill"])
    if change.what in (What.CREATED, What.REVIVED):
        return summary(after)
    return "" if change.what is What.DELETED else "; ".join(differences(before, after))


def _plain(change: FlagChange) -> dict[str, Any]:
    return {
        "at": _at_ms(change),
        "revision": change.revision,
        "what": change.what,
        "key": change.key,
        "before": msgspec.to_builtins(change.before),
        "after": msgspec.to_builtins(change.after),
    }


def _fields(flag: Flag | None) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(flag) or {}
    return plain


def _at_ms(change: FlagChange) -> int:
    """Return when it was committed; a deleted flag cannot tell any more."""
    return change.after.updated_at if change.after else round(time.time() * 1000)
