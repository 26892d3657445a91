"""What the routes work with: one small object, made in `lifecycle`, found in the application."""

import asyncio
from collections.abc import Collection, Coroutine
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar

from aiohttp import web

from wigwag_proto.tasks_io import Tasks
from wigwag_server.auth.guard import Guard
from wigwag_server.auth.keys import Keys
from wigwag_server.auth.last_use import LastUse
from wigwag_server.auth.sessions import Sessions
from wigwag_server.catalog import Catalog
from wigwag_server.changes import Changes
from wigwag_server.emergencies import Emergencies
from wigwag_server.environment import Environment
from wigwag_server.hub.hub import Hub
from wigwag_server.instances.instances import Instances
from wigwag_server.ofrep.evaluator import Evaluator
from wigwag_server.ofrep.notices import Notices
from wigwag_server.problems import Problem
from wigwag_server.relay.key_log import KeyLog, KeyLogs
from wigwag_server.rollouts.runner import Runner
from wigwag_server.samples.intake import Sampling
from wigwag_server.settings import Settings
from wigwag_server.settled import Settled
from wigwag_server.usage.intake import Intake
from wigwag_server.webhooks.webhooks import Webhooks

T = TypeVar("T")


@dataclass(slots=True)
class Services:
    """Everything that is alive in a server."""

    settings: Settings
    server_id: str
    tasks: Tasks
    system: Environment
    keys: Keys
    guard: Guard
    uses: LastUse
    instances: Instances
    usage: Intake
    samples: Sampling
    sessions: Sessions
    webhooks: Webhooks
    key_logs: KeyLogs
    environments: dict[str, Environment] = field(default_factory=dict)
    hubs: dict[str, Hub] = field(default_factory=dict)
    catalogs: dict[str, Catalog] = field(default_factory=dict)
    emergencies: dict[str, Emergencies] = field(default_factory=dict)
    evaluators: dict[str, Evaluator] = field(default_factory=dict)
    notices: dict[str, Notices] = field(default_factory=dict)
    changes: dict[str, Changes] = field(default_factory=dict)
    runners: dict[str, Runner] = field(default_factory=dict)
    settled: Settled = field(default_factory=Settled)
    draining: bool = False
    snapshots_sending: int = 0
    _writes: set[asyncio.Task[Any]] = field(default_factory=set)

    def environment(self, name: str) -> Environment:
        """Return the environment of that name. Raises Problem (404)."""
        environment = self.environments.get(name)
        if environment is None:
            known = ", ".join(sorted(self.environments))
            raise Problem(HTTPStatus.NOT_FOUND, f"There is no environment '{name}'. There is: {known}.")
        return environment

    def known_environment(self, name: str) -> Environment:
        """Return an environment whose state is known. Raises Problem (404, 503)."""
        environment = self.environment(name)
        if environment.replica.cursor is None:
            raise _unknown_yet()
        return environment

    def key_log(self, environments: Collection[str]) -> tuple[KeyLog, Hub]:
        """Return the log of keys for relays of these environments. Raises Problem (503)."""
        self._check_serving()
        if self.system.replica.cursor is None:
            raise _unknown_yet()
        return self.key_logs.of(environments)

    async def run_to_end(self, work: Coroutine[Any, Any, T]) -> T:
        """Await work that goes on although the caller hangs up. Raises what the work raises."""
        task = asyncio.create_task(work)
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return await asyncio.shield(task)

    async def writes_done(self) -> None:
        """Wait until nothing is being written any more."""
        while self._writes:
            await asyncio.wait(self._writes)

    def hub(self, name: str | None) -> Hub:
        """Return the hub of an environment whose state is known. Raises Problem (404, 503)."""
        self._check_serving()
        return self.hubs[self.known_environment(name or "").name]

    def _check_serving(self) -> None:
        if self.draining:
            detail = "This server is shutting down."
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "1"})


def _unknown_yet() -> Problem:
    detail = "This server has not reached its store yet."
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "1"})


SERVICES = web.AppKey("services", Services)
