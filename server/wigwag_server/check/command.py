"""`wigwag-server check`: the options of the server, and its own."""

import asyncio
import json
from typing import Annotated

import typer

from wigwag_proto.errors import WigwagError
from wigwag_proto.findings import as_lines, as_plain, failed
from wigwag_server.check.check import Wanted
from wigwag_server.check.check import check as look
from wigwag_server.settings import Settings


def check(
    context: typer.Context,
    *,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where clients find the server: also look at the proxies on that way."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(envvar="WIGWAG_KEY", metavar="KEY", help="A server key, to follow a stream at --url with."),
    ] = None,
    streams: Annotated[int, typer.Option(metavar="NUMBER", min=1, help="How many streams are expected.")] = 1000,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="How long to wait for what should come at once.")
    ] = 5.0,
    as_json: Annotated[bool, typer.Option("--json", help="JSON for programs.")] = False,
) -> None:
    """Look whether a server with these options would run well here, and say what to mend.

    The server's own options stand before the word check, or in their variables. Ends with 1 if something is wrong.
    """
    settings = context.obj
    assert isinstance(settings, Settings | WigwagError)
    found = asyncio.run(look(settings, Wanted(streams, url, key, timeout)))
    typer.echo(json.dumps(as_plain(found), indent=2) if as_json else "\n".join(as_lines(found)))
    if failed(found):
        raise typer.Exit(1)
