"""`wigwag doctor`: whether an app here would get its flags, and what to mend where it would not."""

import asyncio
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Annotated

import typer

from wigwag.cli.arguments import Timeout
from wigwag.cli.call import Call, command
from wigwag.cli.exits import ExitCode
from wigwag.cli.output import say, say_json
from wigwag.local_kills import VARIABLE, parse_kills
from wigwag.settings import default_cache_dir, default_kill_file
from wigwag_proto.disk_io import write_atomically
from wigwag_proto.findings import Finding, as_lines, as_plain, failed, ok, warning, wrong
from wigwag_proto.http_feed_io import Upstream
from wigwag_proto.stream_probe_io import probe
from wigwag_proto.stream_verdict import findings_of

PATIENCE_S = 5.0
LEAST_FREE_BYTES = 100 * 1024 * 1024
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@command
async def doctor(
    call: Call,
    *,
    server_key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="SDK key of a server.  [WIGWAG_KEY, .wigwag/dev.json]"),
    ] = None,
    cache_dir: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where the app keeps its last known flags.", show_default=False),
    ] = None,
    patience_s: Timeout = None,
) -> None:
    """Say whether an app here would get its flags, or why not.

    It asks the server as an app does and watches a stream for two heartbeats, so it takes an SDK key (ww_server_…).
    Run it as the user, and in the environment, of the app.
    """
    server = call.stream_server(server_key)
    ours = version("wigwag")
    wait_s = patience_s or PATIENCE_S
    upstream = Upstream(server.url, server.secret, connect_timeout_s=wait_s, request_timeout_s=wait_s)
    found = findings_of(await probe(upstream, patience_s=wait_s), server.url, ours, time.time())
    found += await asyncio.to_thread(lambda: list(on_this_machine(cache_dir or default_cache_dir(), os.environ)))
    if call.options.as_json:
        say_json(as_plain(found))
    else:
        say(f"wigwag {ours}, Python {python_version()}; server by {server.origin}, key by {server.secret_origin}\n")
        say("\n".join(as_lines(found)))
    if failed(found):
        raise typer.Exit(ExitCode.FAILED)


def on_this_machine(cache_dir: Path, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at what an app uses besides the server. Blocks on the disk."""
    yield _cache(cache_dir)
    yield from _local_kills(environ, default_kill_file())
    if named := [name for name in PROXIES if environ.get(name)]:
        mend = "Let this machine reach the server directly, or by a proxy that stands at the server's own address."
        yield warning("proxy", f"{', '.join(named)} is set, and wigwag does not go by it", mend)


def _cache(folder: Path) -> Finding:
    """Write as an app would, and look how much room there is."""
    probe_file = folder / f".doctor-{os.getpid()}"
    mend = (
        "Without it, an app that starts while no server answers has no flags, and its defaults decide. Let the app's "
        "user write there, or give it another folder: Settings(cache_dir=…)."
    )
    try:
        write_atomically(probe_file, b"wigwag doctor\n")
        probe_file.unlink()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return wrong("cache", f"the last known flags cannot be kept in {folder}: {error.strerror or error}", mend)
    if free < LEAST_FREE_BYTES:
        return warning("cache", f"{folder} has only {free // 2**20} MiB left", "Make room. " + mend)
    return ok("cache", f"the last known flags can be kept in {folder}")


def _local_kills(environ: Mapping[str, str], file: Path | None) -> Iterator[Finding]:
    """Flags that are off here alone are easily forgotten, and then looked for on the server."""
    mend = "Nothing, if it is meant. Else take the flags out again."
    if killed := sorted(parse_kills(environ.get(VARIABLE, ""))):
        yield warning("local kills", f"{VARIABLE} keeps off, in apps that have it: {', '.join(killed)}", mend)
    if file is None:
        return
    try:
        killed = sorted(parse_kills(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        yield ok("local kills", f"there is no kill file at {file}, so it kills nothing")
    except (OSError, ValueError) as error:
        yield wrong("local kills", f"the kill file {file} cannot be read: {error}", "Let the app's user read it.")
    else:
        if killed:
            yield warning("local kills", f"{file} keeps off on this machine: {', '.join(killed)}", mend)
