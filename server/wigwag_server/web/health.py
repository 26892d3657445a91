"""Whether the process lives, and whether it should get traffic."""

from typing import Annotated, Any

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
    upstream: Annotated[str | None, msgspec.Meta(description="Of a relay: the server that it follows.")]
    failed_tasks: int
    environments: dict[str, EnvironmentState]
    system: EnvironmentState


@operation("Whether the process lives", needs=(), whom="anybody", gives={200: dict[str, str]})
async def healthz(_: web.Request) -> web.Response:
    """Answer as long as the event loop turns."""
    return web.Response(body=b'{"status":"ok"}', content_type="application/json")


@operation("Whether the server should get traffic", needs=(), whom="anybody", gives={200: Readiness, 503: Readiness})
async def readyz(request: web.Request) -> web.Response:
    """Answer 200 while every environment is known and follows its store, else 503 with what is wrong.

    A relay is there for the time when its upstream is away: it is ready as soon as it knows what to serve.
    """
    services = request.app[SERVICES]
    known = {name: _state(environment) for name, environment in services.environments.items()}
    for name, hub in services.hubs.items():
        known[name]["streams"] = len(hub.connections)
    logs = (services.system, *services.environments.values())
    upstream = services.settings.upstream
    if upstream is not None:
        well = all(each.replica.cursor is not None for each in logs)
    else:
        well = not any(each.degraded for each in logs)
    ready = well and not services.draining and services.tasks.failures == 0
    body = {
        "ready": ready,
        "draining": services.draining,
        "upstream": upstream.url if upstream is not None else None,
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
