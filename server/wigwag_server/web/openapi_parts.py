"""What all operations of the OpenAPI document share: who may come in, what goes wrong, parameters, examples."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from wigwag_proto.flag import Flag, Segment
from wigwag_proto.validate import KEY
from wigwag_server.auth.keys import KeyKind

DESCRIPTION = (
    "Feature flags and kill switches. `/admin` is for people and their tools, and takes an admin token; `/v1` is for "
    "apps, and takes the key of an app. Errors are `application/problem+json` (RFC 9457), and say what to do."
)

SECURITY = {
    KeyKind.ADMIN: ("adminToken", "An admin token, `ww_admin_…`. Its role says what it may do."),
    KeyKind.SERVER: ("serverKey", "The key of an app's server side, `ww_server_…`. It belongs to one environment."),
    KeyKind.CLIENT: (
        "clientKey",
        "A key for browsers and phones, `ww_client_…`. `/ofrep` and `/api` also take it in the header `X-API-Key`.",
    ),
    KeyKind.RELAY: ("relayKey", "The key of a relay, `ww_relay_…`. It follows the environments that it names."),
    KeyKind.HOOK: ("hookKey", "A key for an alerting system, `ww_hook_…`. It may kill the flags that it names."),
}

PROBLEMS = {
    400: "The body is missing or is no JSON, or a header cannot be read. Plain text where it is no HTTP, or too long.",
    401: "There is no key, or it is not valid here.",
    403: "This key may not do that.",
    404: "There is no such thing. For a flag or segment, `nearest` has keys that may have been meant.",
    405: "The path does not take this method.",
    409: "It cannot be done as things are. Where others need what is to be deleted, `neededBy` names them.",
    412: "The flag is not as the condition says. `current` is the flag as it is now, null where there is none.",
    413: "The body is larger than this server takes.",
    415: "The body is of another type than JSON.",
    422: "What was sent is refused, and nothing was changed. `errors` lists everything that is wrong.",
    429: "Too many requests. `Retry-After` says when to come again.",
    503: "The store does not answer, or the server is busy or stopping. `Retry-After` says when to come again.",
}
# Of an error: the header, what it means, and its type.
PROBLEM_HEADERS = {
    401: ("WWW-Authenticate", "How to come in.", "string"),
    429: ("Retry-After", "Seconds.", "integer"),
    503: ("Retry-After", "Seconds.", "integer"),
}

Key = Annotated[str, Meta(pattern=f"^{KEY.pattern}$", description="The key.", examples=["checkout"])]
ENVIRONMENT = Annotated[str, Meta(description="The environment: `production` by default.", examples=["production"])]
PATH_PARAMETERS: dict[str, Any] = {
    "name": Key,
    "environments.name": Annotated[str, Meta(description="The environment.", examples=["production"])],
    "environments.other": Annotated[str, Meta(description="The other environment.", examples=["production"])],
    "revision": Annotated[int, Meta(ge=0, description="A revision.", examples=[1])],
    "environment": Annotated[str, Meta(description="The environment.", examples=["production"])],
    "id": Annotated[str, Meta(description="The id.", examples=["60a111452fd32e6a"])],
}


class ProblemError(msgspec.Struct, frozen=True):
    """One thing that is wrong with a request."""

    detail: str
    pointer: Annotated[str, Meta(description="A JSON Pointer (RFC 6901) into the body.")] | UnsetType = UNSET
    parameter: Annotated[str, Meta(description="A parameter in the URL.")] | UnsetType = UNSET


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, and what to do about it (RFC 9457). Some problems have members beside these."""

    type: str
    title: str
    status: int
    detail: Annotated[str, Meta(description="What is wrong, and what to do.")]
    instance: Annotated[str, Meta(description="The id of the request, to be found in the server's log.")]
    errors: tuple[ProblemError, ...] | UnsetType = UNSET


class Waits(msgspec.Struct, frozen=True):
    """Nothing has changed yet: the environment asks for a second person."""

    approval: dict[str, Any]
    detail: Annotated[str, Meta(description="Who approves it, and how.")]


FLAG = {
    "key": "checkout",
    "enabled": True,
    "kill": None,
    "whitelist": ["user_123"],
    "blacklist": [],
    "rules": [{"attribute": "plan", "operator": "equals", "value": "premium"}],
    "rolloutPercentage": 10,
    "variants": [],
    "overrides": [],
    "bucketBy": "userId",
    "requires": [],
    "failSafeAfter": None,
    "clientVisible": False,
    "kind": "release",
    "expectedLifeDays": None,
    "description": "The new checkout",
    "owner": "payments",
    "tags": ["payments"],
    "archived": None,
    "createdAt": 1795394151112,
    "updatedAt": 1795394151112,
    "revision": 7,
}
SEGMENT = {
    "key": "employees",
    "include": ["ann"],
    "exclude": [],
    "rules": [{"attribute": "email", "operator": "endsWith", "value": "@example.com"}],
    "description": "",
    "createdAt": 1795394151112,
    "updatedAt": 1795394151112,
    "revision": 8,
}
# Examples of types that are not the API's own. Those have theirs as `EXAMPLE`.
EXAMPLES: dict[type, Any] = {Flag: FLAG, Segment: SEGMENT}
