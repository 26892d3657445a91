"""Which log a stream or a snapshot is of: the one of an app's key, or of those of a relay's key the one it names."""

from http import HTTPStatus
from typing import Annotated

import msgspec
from aiohttp import web

from wigwag_server.auth.keys import Key, KeyKind
from wigwag_server.following import Standpoint
from wigwag_server.hub.hub import Hub
from wigwag_server.problems import Problem
from wigwag_server.relay.visible import KEYS
from wigwag_server.services import Services


class FollowQuery(msgspec.Struct, frozen=True):
    """What is to be followed."""

    environment: Annotated[
        str | None,
        msgspec.Meta(
            description="Of a relay's key: one of its environments, or `_keys`, the keys that are valid in these. "
            "Needed where the key names several. The key of an app opens its own, and this is not looked at."
        ),
    ] = None


def followed(services: Services, request: web.Request, key: Key) -> tuple[Hub, Standpoint]:
    """Return where a log is followed, and what is known of it. Raises Problem (403, 404, 422, 503)."""
    if key.kind is not KeyKind.RELAY:
        hub = services.hub(key.environment)
        return hub, services.environment(key.environment or "").follower
    name = request.query.get("environment")
    mine = key.scope.environments
    if name == KEYS:
        log, hub = services.key_log(mine)
        return hub, log
    if name is None and len(mine) == 1:
        name = mine[0]
    if name is None:
        detail = f"This key follows {', '.join(mine)}. Say which: ?environment={mine[0]}, or {KEYS} for the keys."
        wrong = {"parameter": "environment", "detail": "is needed here"}
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, violations=[wrong])
    if name not in mine:
        raise Problem(HTTPStatus.FORBIDDEN, f"This key does not follow '{name}', but {', '.join(mine)}.")
    hub = services.hub(name)
    return hub, services.environment(name).follower
