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
from wigwag_server.environments import PRODUCTION, Environments, environment_record
from wigwag_server.hub.hub import Hub
from wigwag_server.instances.instances import Instances
from wigwag_server.instances.roster import Roster
from wigwag_server.log import HttpLog
from wigwag_server.relay.beside import UpstreamRoster, UpstreamSide, UpstreamUsage
from wigwag_server.relay.key_log import KeyLogs
from wigwag_server.relay.no_store import NoStore
from wigwag_server.relay.relay import Relay
from wigwag_server.samples.intake import Sampling
from wigwag_server.samples.memory_samples import MemorySamples
from wigwag_server.services import Services
from wigwag_server.settings import BadSetting, Listen, Settings
from wigwag_server.store.beside import open_beside, open_samples
from wigwag_server.store.from_url import open_store
from wigwag_server.store.store import Store
from wigwag_server.tracing import open_telemetry
from wigwag_server.usage.intake import Intake
from wigwag_server.usage.usage_store import UsageStore
from wigwag_server.web.garbled import Runner
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
    store: Store
    if settings.upstream is not None:
        store = NoStore(settings.upstream.url)
    else:
        store = await open_store(settings.store, settle_s=settings.settle_s, wait_replicas=settings.redis_wait_replicas)
    tasks = Tasks()
    try:
        roster, usage = await _open_beside(settings)
    except BaseException:
        await store.close()
        raise
    try:
        services = await _open(settings, store, tasks, roster, usage)
        runner = Runner(
            build_app(services),
            access_log=None,
            logger=HttpLog(logging.getLogger("wigwag_server.http"), {}),
            handler_cancellation=True,  # how a stream learns that its client has gone
            shutdown_timeout=1.0,
            keepalive_timeout=settings.request_times.idle_s,
            auto_decompress=False,
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
    relay = None
    if settings.upstream is not None:
        assert folder is not None, "a relay always has one"
        relay = Relay(settings.upstream, folder, settings.patience)
        system = Environment(SYSTEM, store, tasks, relay.keys_folder, make_leg=relay.keys_leg(tasks))
    else:
        system = Environment(SYSTEM, store, tasks, folder)
    if settings.otel:
        system.tracing = open_telemetry()
    keys = Keys(system.replica)
    system.listeners.append(keys)
    uses = LastUse()
    instances = Instances(roster, server_id, limit=settings.limits.instances)
    catalogs: dict[str, Catalog] = {}
    intake = Intake(usage, catalogs)
    sampling = Sampling(
        # Apps behind a relay are not asked for samples: which environments take them is not told to it.
        open_samples(settings.store) if relay is None else MemorySamples(),
        catalogs,
        lambda name: environment_record(system.replica.records, name).sample_contexts,
    )
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
    key_logs = KeyLogs(
        system,
        tasks,
        lambda log: Hub(
            log,
            server_id,
            heartbeat_s=settings.heartbeat_s,
            max_age_s=settings.max_connection_age_s,
            on_claim=system.client_claims,
        ),
        always=() if relay else (PRODUCTION,),
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
        sampling,
        Sessions(keys, system.replica, settings.sessions),
        webhooks,
        key_logs,
        catalogs=catalogs,
        environments=served,
    )
    watch = KeyWatch(system, keys, uses, hubs=services.hubs, notices=services.notices, key_logs=key_logs)
    environments = Environments(services, store, folder, relay)
    system.listeners += [key_logs, watch, environments, SystemChanges(services.changes)]
    if relay is not None:
        await system.open(patience_s=settings.patience_s)
        await environments.open_known(patience_s=settings.patience_s)
    else:
        await asyncio.gather(
            system.open(patience_s=settings.patience_s), environments.open(PRODUCTION, patience_s=settings.patience_s)
        )
        tasks.start("uses of keys", watch.write_uses())
        await webhooks.start()
    tasks.start("environments", environments.run())
    tasks.start("ends of keys", watch.end_streams())
    tasks.start("roster of instances", instances.run())
    tasks.start("usage", intake.run())
    tasks.start("samples", sampling.run())
    return services


async def _open_beside(settings: Settings) -> tuple[Roster, UsageStore]:
    """A relay keeps neither: what it is told goes on to its upstream."""
    if settings.upstream is None:
        return await open_beside(settings.store, instances_limit=settings.limits.instances)
    side = UpstreamSide(settings.upstream)
    return UpstreamRoster(side), UpstreamUsage(side)


def _data_dir(settings: Settings) -> Path | None:
    """The server's own copy is for stores that can be away; the embedded one is a file on this disk already."""
    if settings.upstream is None and settings.store.startswith("sqlite:"):
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
    hubs = (*services.hubs.values(), *services.key_logs.hubs)
    streams = sum(len(hub.connections) for hub in hubs)
    if streams:
        logger.info("draining %d streams", streams)
    for notices in services.notices.values():
        notices.end()
    for changes in services.changes.values():
        changes.end()
    await asyncio.gather(*(hub.drain(window_s) for hub in hubs))


async def _close(services: Services) -> None:
    await services.instances.close()
    if services.settings.upstream is None:
        await services.webhooks.close()
    await services.samples.store.close()
    for environment in (services.system, *services.environments.values()):
        await environment.close()
