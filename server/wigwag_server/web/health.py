"""Whether the process lives, and whether it should get traffic."""

from typing import Any

import msgspec
from aiohttp import web

from wigwag_proto.codec import encode
from wigwag_proto.follower import Standing
from wigwag_server.environment import Environment
from wigwag_server.services import SERVICES
from wigwag_server.web.operation import operation


class EnvironmentState(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """How a log stands to its store."""

    cursor: str | None
    degraded: bool
    store: Standing
    last_error: str | None
    streams: int | msgspec.UnsetType = msgspec.UNSET


class Readiness(msgspec.Struct, frozen=True, rename="camel"):
    """Whether the server should get traffic, and what there is to know when it should not."""

    ready: bool
    draining: bool
    failed_tasks: int
    environments: dict[str, EnvironmentState]
    system: EnvironmentState


@operation("Whether the process lives", needs=(), whom="anybody", gives={200: dict[str, str]})
async def healthz(_: web.Request) -> web.Response:
    """Answer as long as the event loop turns."""
    return web.Response(body=b'{"status":"ok"}', content_type="application/json")


@operation("Whether the server should get traffic", needs=(), whom="anybody", gives={200: Readiness, 503: Readiness})
async def readyz(request: web.Request) -> web.Response:
    """Answer 200 while every environment is known and follows its store, else 503 with what is wrong."""
    services = request.app[SERVICES]
    known = {name: _state(environment) for name, environment in services.environments.items()}
    for name, hub in services.hubs.items():
        known[name]["streams"] = len(hub.connections)
    ready = (
        not services.draining
        and services.tasks.failures == 0
        and not services.system.degraded
        and not any(environment.degraded for environment in services.environments.values())
    )
    body = {
        "ready": ready,
        "draining": services.draining,
        "failedTasks": services.tasks.failures,
        "environments": known,
        "system": _state(services.system),
    }
    return web.Response(status=200 if ready else 503, body=encode(body), content_type="application/json")


def _state(environment: Environment) -> dict[str, Any]:
    cursor = environment.replica.cursor
    return {
        "cursor": str(cursor) if cursor else None,
        "degraded": environment.degraded,
        "store": environment.follower.standing.value,
        "lastError": environment.follower.last_error,
    }
