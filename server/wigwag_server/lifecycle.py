"""The life of a server: open, serve, drain, close. Everything is made here and handed in."""

import asyncio
import logging
import secrets
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from wigwag_proto.tasks_io import Tasks
from wigwag_server.app import build_app
from wigwag_server.auth.guard import Guard
from wigwag_server.auth.key_watch import KeyWatch
from wigwag_server.auth.keys import Keys
from wigwag_server.auth.last_use import LastUse
from wigwag_server.auth.sessions import Sessions
from wigwag_server.catalog import Catalog
from wigwag_server.changes import SystemChanges
from wigwag_server.environment import Environment
from wigwag_server.environments import PRODUCTION, Environments
from wigwag_server.instances.instances import Instances
from wigwag_server.instances.roster import Roster
from wigwag_server.log import HttpLog
from wigwag_server.services import Services
from wigwag_server.settings import BadSetting, Listen, Settings
from wigwag_server.store.beside import open_beside
from wigwag_server.store.from_url import open_store
from wigwag_server.store.store import Store
from wigwag_server.tracing import open_telemetry
from wigwag_server.usage.intake import Intake
from wigwag_server.usage.usage_store import UsageStore
from wigwag_server.webhooks.webhooks import Webhooks

logger = logging.getLogger(__name__)

SYSTEM = "_system"


@dataclass(frozen=True, slots=True)
class Running:
    """A server that takes requests at `url`."""

    url: str
    services: Services


@asynccontextmanager
async def running(settings: Settings) -> AsyncGenerator[Running]:
    """Serve from the moment the context is entered; leaving it drains the streams and closes everything.

    Raises BadSetting, UnknownStore, StoreInUse, StoreUnavailable (embedded store only) and OSError (the address).
    """
    settings.listen.check()
    store = await open_store(settings.store, settle_s=settings.settle_s)
    tasks = Tasks()
    try:
        roster, usage = await open_beside(settings.store, instances_limit=settings.limits.instances)
    except BaseException:
        await store.close()
        raise
    try:
        services = await _open(settings, store, tasks, roster, usage)
        runner = web.AppRunner(
            build_app(services),
            access_log=None,
            logger=HttpLog(logging.getLogger("wigwag_server.http"), {}),
            handler_cancellation=True,  # how a stream learns that its client has gone
            shutdown_timeout=1.0,
        )
        await runner.setup()
        try:
            site = _site(runner, settings.listen)
            await site.start()
            yield Running(_url(runner, settings.listen), services)
            await _drain(services, site)
        finally:
            await runner.cleanup()
            await _close(services)
    finally:
        await tasks.close()
        for each in (roster, usage, store):
            await each.close()


async def _open(settings: Settings, store: Store, tasks: Tasks, roster: Roster, usage: UsageStore) -> Services:
    folder = _data_dir(settings)
    server_id = secrets.token_hex(6)
    system = Environment(SYSTEM, store, tasks, folder)
    if settings.otel:
        system.tracing = open_telemetry()
    keys = Keys(system.replica)
    system.listeners.append(keys)
    uses = LastUse()
    instances = Instances(roster, server_id, limit=settings.limits.instances)
    catalogs: dict[str, Catalog] = {}
    intake = Intake(usage, catalogs)
    served: dict[str, Environment] = {}
    webhooks = Webhooks(
        system,
        served,
        tasks,
        server_id,
        instances=instances,
        file=_webhooks_file(settings, folder),
        alone=folder is None,
        allow_private=settings.webhook_allow_private,
    )
    services = Services(
        settings,
        server_id,
        tasks,
        system,
        keys,
        Guard(keys, uses, settings.limits),
        uses,
        instances,
        intake,
        Sessions(keys, system.replica, settings.sessions),
        webhooks,
        catalogs=catalogs,
        environments=served,
    )
    watch = KeyWatch(system, keys, uses, hubs=services.hubs, notices=services.notices)
    system.listeners.append(watch)
    environments = Environments(services, store, folder)
    system.listeners += [environments, SystemChanges(services.changes)]
    await asyncio.gather(
        system.open(patience_s=settings.patience_s), environments.open(PRODUCTION, patience_s=settings.patience_s)
    )
    tasks.start("environments", environments.run())
    await webhooks.start()
    tasks.start("ends of keys", watch.end_streams())
    tasks.start("uses of keys", watch.write_uses())
    tasks.start("roster of instances", instances.run())
    tasks.start("usage", intake.run())
    return services


def _data_dir(settings: Settings) -> Path | None:
    """The server's own copy is for stores that can be away; the embedded one is a file on this disk already."""
    if settings.store.startswith("sqlite:"):
        return None
    return settings.data_dir or Path("wigwag-data")


def _webhooks_file(settings: Settings, folder: Path | None) -> Path:
    if folder is not None:
        return folder / "webhooks.events"
    database = Path(settings.store.partition(":")[2].removeprefix("//"))
    return database.with_name(f"{database.name}.webhooks.events")


def _site(runner: web.AppRunner, listen: Listen) -> web.TCPSite:
    context = None
    if listen.tls_certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(listen.tls_certificate, listen.tls_key)
        except (OSError, ssl.SSLError) as error:
            what = f"--tls-certificate {listen.tls_certificate} with --tls-key {listen.tls_key}"
            raise BadSetting(f"{what} cannot be used: {error}") from error
    reuse_port = listen.reuse_port or None  # None: the platform may not know the option
    return web.TCPSite(runner, listen.host, listen.port, ssl_context=context, backlog=4096, reuse_port=reuse_port)


def _url(runner: web.AppRunner, listen: Listen) -> str:
    port = runner.addresses[0][1]
    host = f"[{listen.host}]" if ":" in listen.host else listen.host
    return f"{'https' if listen.tls_certificate else 'http'}://{host}:{port}"


async def _drain(services: Services, site: web.TCPSite) -> None:
    """Take no new connections, finish what is being written, and send the streams elsewhere."""
    services.draining = True
    await site.stop()
    await services.writes_done()
    window_s = services.settings.drain_s
    streams = sum(len(hub.connections) for hub in services.hubs.values())
    if streams:
        logger.info("draining %d streams", streams)
    for notices in services.notices.values():
        notices.end()
    for changes in services.changes.values():
        changes.end()
    await asyncio.gather(*(hub.drain(window_s) for hub in services.hubs.values()))


async def _close(services: Services) -> None:
    await services.instances.close()
    await services.webhooks.close()
    for environment in (services.system, *services.environments.values()):
        await environment.close()
