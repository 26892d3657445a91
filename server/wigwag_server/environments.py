"""The environments of a server: which there are stands in `_system`; each is opened, and closed, as the log says."""

import asyncio
import logging
from pathlib import Path

import msgspec

from wigwag_proto.commit import Commit, Epoch
from wigwag_proto.snapshot import Tables
from wigwag_proto.tasks_io import Tasks
from wigwag_server.catalog import Catalog
from wigwag_server.changes import Changes
from wigwag_server.emergencies import Emergencies
from wigwag_server.environment import Environment
from wigwag_server.hub.hub import Hub
from wigwag_server.kill_expiry import KillExpiry
from wigwag_server.kills_again import lost_kills
from wigwag_server.ofrep.evaluator import Evaluator
from wigwag_server.ofrep.notices import Notices
from wigwag_server.relay.relay import Relay
from wigwag_server.rollouts.runner import Runner
from wigwag_server.rollouts.scheduler import Scheduler
from wigwag_server.services import Services
from wigwag_server.store.store import Store

logger = logging.getLogger(__name__)

RECORD = "environment"
PRODUCTION = "production"


class EnvironmentRecord(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What `_system` holds about an environment. `production` is there without a record, too.

    With `approvals`, a change by an editor waits for another person. `expected_life_days` is that of flags which say
    nothing else; beyond `owner_release_flags` release flags an owner is warned, or with `refuse_over_limit` stopped.
    `sample_contexts`: it takes samples from apps that send some. `created_at` is Unix time in ms.
    """

    name: str
    description: str = ""
    approvals: bool = False
    expected_life_days: int = 40
    owner_release_flags: int | None = None
    refuse_over_limit: bool = False
    sample_contexts: bool = False
    created_at: int = 0
    created_by: str = ""


def environment_record(system: Tables, name: str) -> EnvironmentRecord:
    """Return what `_system` says of an environment; a record that cannot be read counts as a bare one."""
    plain = system.get(RECORD, {}).get(name)
    try:
        return msgspec.convert({**(plain or {}), "name": name}, EnvironmentRecord)
    except (TypeError, msgspec.ValidationError):
        return EnvironmentRecord(name=name)


class Environments:
    """Opens and closes environments as `_system` says. Follows it as a listener."""

    def __init__(self, services: Services, store: Store, folder: Path | None, relay: Relay | None = None) -> None:
        """`folder` is where the server keeps its own copies; None where the store is on this disk anyway."""
        self._relay = relay
        self._services = services
        self._store = store
        self._folder = folder
        self._changed = asyncio.Event()
        self._tasks: dict[str, Tasks] = {}

    async def open(self, name: str, *, patience_s: float) -> None:
        """Begin to follow one, and serve it."""
        services = self._services
        tasks = self._tasks[name] = services.tasks.group()
        relay = self._relay
        make_leg = relay.leg(name, tasks) if relay is not None else None
        environment = Environment(name, self._store, tasks, self._folder, make_leg=make_leg)
        environment.tracing = services.system.tracing
        hub = Hub(
            environment.follower,
            services.server_id,
            heartbeat_s=services.settings.heartbeat_s,
            max_age_s=services.settings.max_connection_age_s,
            on_claim=environment.client_claims,
        )
        catalog = Catalog(environment.replica)
        evaluator = Evaluator(environment)
        notices = Notices(environment.replica, evaluator)
        changes = Changes()
        environment.listeners += [hub, catalog, evaluator, notices, changes]
        environment.listeners.append(services.instances.follow(environment.replica))
        environment.on_emergencies += [hub.emergencies_changed, lambda _: notices.emergencies_changed()]
        services.environments[name] = environment
        services.hubs[name] = hub
        services.catalogs[name] = catalog
        services.evaluators[name] = evaluator
        services.notices[name] = notices
        services.changes[name] = changes
        if self._relay is not None:  # its upstream declares emergencies, lifts kills, and moves rollouts
            await environment.open(patience_s=patience_s)
            tasks.start(f"hub of {name}", hub.run())
            return
        expiry = KillExpiry(environment)
        emergencies = Emergencies(environment, hub, self._emergencies_file(name))
        emergencies.watchers += [notices.emergencies_changed, changes.emergencies_changed]
        runner = Runner(environment, services.usage.store, Scheduler(services, environment))
        environment.listeners += [expiry, emergencies, runner]
        environment.on_overruled.append(lambda records: emergencies.hold(lost_kills(records)))
        services.webhooks.follow(environment, emergencies)
        services.emergencies[name] = emergencies
        services.runners[name] = runner
        await environment.open(patience_s=patience_s)
        tasks.start(f"hub of {name}", hub.run())
        tasks.start(f"kill expiry of {name}", expiry.run())
        tasks.start(f"rollouts of {name}", runner.run())
        await emergencies.open()
        tasks.start(f"emergencies of {name}", emergencies.run())

    async def close(self, name: str) -> None:
        """Stop serving one: its streams end, and its commits are flushed."""
        services = self._services
        environment = services.environments.pop(name)
        hub = services.hubs.pop(name)
        services.catalogs.pop(name)
        services.emergencies.pop(name, None)
        services.evaluators.pop(name)
        services.runners.pop(name, None)
        services.notices.pop(name).end()
        services.changes.pop(name).end()
        services.instances.forget(name)
        await hub.drain(services.settings.drain_s)
        await environment.close()
        await self._tasks.pop(name).close()

    async def run(self) -> None:
        """Open what was made and close what was deleted, here or on another server. Runs until cancelled."""
        while True:
            self._changed.clear()
            wanted = self._wanted()
            for name in sorted(wanted - self._services.environments.keys()):
                logger.info("environment %s is there", name)
                await self.open(name, patience_s=0)
            for name in sorted(self._services.environments.keys() - wanted):
                logger.info("environment %s was deleted", name)
                await self.close(name)
            await self._changed.wait()

    async def open_known(self, *, patience_s: float) -> None:
        """Open all that are known of at the start: a relay knows what its disk or its upstream says."""
        await asyncio.gather(*(self.open(name, patience_s=patience_s) for name in sorted(self._wanted())))

    def _wanted(self) -> set[str]:
        named = set(self._services.system.replica.records.get(RECORD, {}))
        return named if self._relay is not None else {PRODUCTION, *named}

    # As a listener.

    def loaded(self) -> None:
        """Look anew."""
        self._changed.set()

    def committed(self, epoch: Epoch, commit: Commit) -> None:  # noqa: ARG002 - a listener's signature
        """Look anew when an environment was made or deleted."""
        if any(change.kind == RECORD for change in commit.changes):
            self._changed.set()

    def _emergencies_file(self, name: str) -> Path:
        if self._folder is not None:
            return self._folder / f"{name}.emergencies"
        database = Path(self._services.settings.store.partition(":")[2].removeprefix("//"))
        return database.with_name(f"{database.name}.{name}.emergencies")
