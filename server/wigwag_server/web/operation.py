"""What a route is: stated where its handler stands, and read by the guard and by whatever describes the API."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, TypeVar

import msgspec
from aiohttp import web

from wigwag_server.auth.keys import KeyKind
from wigwag_server.auth.rights import Right

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
AnyHandler = TypeVar("AnyHandler", bound=Handler)

ATTRIBUTE = "wigwag_operation"


class Stated(Enum):
    """In place of a type that a handler has not stated: any JSON."""

    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Header:
    """A request header that an operation heeds. `kind` is a type, perhaps with a `msgspec.Meta`."""

    name: str
    description: str
    kind: Any = str
    example: str = ""


@dataclass(frozen=True, slots=True)
class Media:
    """A body that need not be JSON."""

    type: str


IF_MATCH = Header(
    "If-Match",
    "The `ETag` that the edit is based on, or `*`. Where it is another by now, the answer is 412.",
    Annotated[str, msgspec.Meta(pattern=r'^(\*|"[0-9]{1,15}")$')],
    example="*",
)
IF_NONE_MATCH = Header(
    "If-None-Match",
    "`*` creates, and never overwrites: where there is one already, the answer is 412.",
)


@dataclass(frozen=True, slots=True)
class Operation:
    """What a handler states. The name of the handler names the operation, its docstring describes it.

    `needs` is a right of an admin token, or the kinds of keys that are let in. With no kinds, `whom` says in words who
    is let in: anybody, or whom the handler itself knows by something that is no key.
    `takes` is the type of the body: `Body | None` where it may be left out, None where there is none, a Media for any.
    `gives` are the statuses of success, each with the type of its JSON (a tuple for one of several), None for no
    body, or a Media.
    `query` is a Struct with a field for each parameter. `refuses` are statuses of errors beside those that follow from
    all else (`web.openapi` has the rules), and `fails` is the type of an error's JSON where it is no problem+json.
    `of_server` says that it is about no single environment.
    """

    summary: str
    needs: Right | tuple[KeyKind, ...]
    takes: Any = Stated.NOTHING
    gives: Mapping[int, Any] | Stated = Stated.NOTHING
    query: type[msgspec.Struct] | None = None
    headers: tuple[Header, ...] = ()
    refuses: tuple[int, ...] = ()
    fails: Any = None
    of_server: bool = False
    whom: str = ""


def operation(
    summary: str,
    *,
    needs: Right | tuple[KeyKind, ...],
    takes: Any = Stated.NOTHING,
    gives: Mapping[int, Any] | Stated = Stated.NOTHING,
    query: type[msgspec.Struct] | None = None,
    headers: tuple[Header, ...] = (),
    refuses: tuple[int, ...] = (),
    fails: Any = None,
    of_server: bool = False,
    whom: str = "",
) -> Callable[[AnyHandler], AnyHandler]:
    """Say what a handler does and who may ask for it. Every route has one: a test goes through them."""
    stated = Operation(summary, needs, takes, gives, query, headers, refuses, fails, of_server, whom)

    def mark(handler: AnyHandler) -> AnyHandler:
        setattr(handler, ATTRIBUTE, stated)
        return handler

    return mark


def operation_of(handler: object) -> Operation:
    """Return what was stated. Raises AttributeError for a handler that states nothing: it lets nobody in."""
    found: Operation = getattr(handler, ATTRIBUTE)
    return found
