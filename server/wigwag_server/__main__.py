"""`wigwag-server`: options, and the life of the process around `lifecycle.running`."""

import asyncio
import logging
import signal
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from wigwag_proto.errors import StoreUnavailable, WigwagError
from wigwag_server.backup.commands import backup, restore
from wigwag_server.bootstrap import check_bootstrap_token, first_admin_token
from wigwag_server.dev import dev_banner, dev_keys, dev_link
from wigwag_server.lifecycle import Running, running
from wigwag_server.log import LogFormat, set_up_logging
from wigwag_server.settings import DEFAULT_PORT, BadSetting, Listen, Settings, parse_listen, parse_origin
from wigwag_server.tracing import export_spans

logger = logging.getLogger(__name__)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer's signature
    if wanted:
        typer.echo(f"wigwag-server {version('wigwag')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    *,
    listen: Annotated[
        str, typer.Option(envvar="WIGWAG_SERVER_LISTEN", metavar="HOST:PORT", help="Where to listen.")
    ] = f"127.0.0.1:{DEFAULT_PORT}",
    store: Annotated[
        str, typer.Option(envvar="WIGWAG_SERVER_STORE", metavar="URL", help="sqlite:FILE, or redis://HOST:PORT/DB.")
    ] = "sqlite:wigwag.db",
    data_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="WIGWAG_SERVER_DATA_DIR",
            help="Where a server on Redis keeps its own copy of the flags.  [default: wigwag-data]",
        ),
    ] = None,
    log_format: Annotated[
        LogFormat, typer.Option(envvar="WIGWAG_SERVER_LOG_FORMAT", help="How log lines look.")
    ] = LogFormat.TEXT,
    tls_certificate: Annotated[
        Path | None, typer.Option(envvar="WIGWAG_SERVER_TLS_CERTIFICATE", help="Certificate chain (PEM).")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(envvar="WIGWAG_SERVER_TLS_KEY", help="Private key (PEM).")] = None,
    reuse_port: Annotated[
        bool,
        typer.Option(
            "--reuse-port",
            envvar="WIGWAG_SERVER_REUSE_PORT",
            help="Let other servers listen on the same port, one for each core; needs Redis.",
        ),
    ] = False,
    max_connection_age: Annotated[
        float | None,
        typer.Option(
            envvar="WIGWAG_SERVER_MAX_CONNECTION_AGE",
            metavar="SECONDS",
            min=60,
            help="Have streams opened anew at this age, so that several servers share them evenly.",
        ),
    ] = None,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(
            envvar="WIGWAG_SERVER_CORS_ORIGIN",
            metavar="ORIGIN",
            help="Let web pages of this origin ask with a browser key, such as https://shop.example.  (repeatable)",
        ),
    ] = None,
    bootstrap_token: Annotated[
        str | None,
        typer.Option(envvar="WIGWAG_BOOTSTRAP_TOKEN", help="The first admin token of a fresh store.", hidden=True),
    ] = None,
    dev: Annotated[
        bool,
        typer.Option("--dev", envvar="WIGWAG_SERVER_DEV", help="Loopback only; makes keys and shows how to use them."),
    ] = False,
    insecure_http: Annotated[
        bool,
        typer.Option(
            "--insecure-http",
            envvar="WIGWAG_SERVER_INSECURE_HTTP",
            help="Listen beyond loopback without TLS, because a proxy in front does it.",
        ),
    ] = False,
    webhook_allow_private: Annotated[
        bool,
        typer.Option(
            "--webhook-allow-private",
            envvar="WIGWAG_SERVER_WEBHOOK_ALLOW_PRIVATE",
            help="Let webhooks lead into the server's own network, and to http.",
        ),
    ] = False,
    otel: Annotated[
        bool, typer.Option("--otel", envvar="WIGWAG_SERVER_OTEL", help="Trace commits by OpenTelemetry.")
    ] = False,
    _version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """Keep feature flags and push every change to the apps that follow them."""
    set_up_logging(log_format)
    try:
        host, port = parse_listen(listen)
        check_bootstrap_token(bootstrap_token)
        settings = Settings(
            listen=Listen(host, port, tls_certificate, tls_key, insecure_http, reuse_port),
            store=store,
            data_dir=data_dir,
            dev=dev,
            bootstrap_token=bootstrap_token,
            max_connection_age_s=max_connection_age,
            cors_origins=tuple(parse_origin(origin) for origin in cors_origin or ()),
            webhook_allow_private=webhook_allow_private,
            otel=otel,
        )
        if reuse_port and store.startswith("sqlite:"):
            raise BadSetting("--reuse-port is for several servers, which share a Redis: a SQLite file takes one server")
        if dev and not settings.listen.loopback:
            raise BadSetting(f"--dev shows its keys, so it listens on loopback only, not on {listen}")
        if context.invoked_subcommand is not None:
            context.obj = settings
            return
        if otel:
            export_spans()
        _run(settings)
    except (WigwagError, OSError) as error:
        if context.invoked_subcommand is not None:
            context.obj = error  # a check says it in its own way
            return
        typer.echo(f"wigwag-server: {error}", err=True)
        raise typer.Exit(1) from None


app.command()(backup)
app.command()(restore)


def _run(settings: Settings) -> None:
    try:
        import uvloop  # noqa: PLC0415 - where the platform has it
    except ImportError:
        asyncio.run(_serve(settings))
    else:
        uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    async with running(settings) as server:
        logger.info("listening on %s, store %s", server.url, _without_password(settings.store))
        server.services.tasks.start("first keys", _show_keys(server))
        await stop.wait()
        logger.info("stopping")


async def _show_keys(server: Running) -> None:
    system = server.services.system
    while True:
        # A copy on this server's disk tells who may come in, but only the store takes new keys.
        await system.wait_until(lambda: not system.degraded)
        try:
            await _make_keys(server)
        except StoreUnavailable as error:
            logger.warning("the first keys cannot be made yet: %s", error)
        else:
            return


async def _make_keys(server: Running) -> None:
    if server.services.settings.dev:
        keys = await dev_keys(server.services, server.url)
        typer.echo(dev_banner(keys, await dev_link(server.services, keys)))
    elif (token := await first_admin_token(server.services)) is not None:
        typer.echo(f"\nThe first admin token, shown only now:\n\n  {token}\n")


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}://…@{rest.rpartition('@')[2]}" if separator and "@" in rest else url


if __name__ == "__main__":
    app(prog_name="wigwag-server")
