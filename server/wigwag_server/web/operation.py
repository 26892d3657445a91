"""What a route is: stated where its handler stands, and read by the guard and by whatever describes the API."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web

from wigwag_server.auth.keys import KeyKind
from wigwag_server.auth.rights import Right

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
AnyHandler = TypeVar("AnyHandler", bound=Handler)

ATTRIBUTE = "wigwag_operation"


@dataclass(frozen=True, slots=True)
class Operation:
    """What a handler states. `needs` is a right of an admin token, or the kinds of keys that are let in.

    No kinds: nobody is asked who they are.
    """

    summary: str
    needs: Right | tuple[KeyKind, ...]


def operation(summary: str, *, needs: Right | tuple[KeyKind, ...]) -> Callable[[AnyHandler], AnyHandler]:
    """Say what a handler does and who may ask for it. Every route has one: a test goes through them."""

    def stated(handler: AnyHandler) -> AnyHandler:
        setattr(handler, ATTRIBUTE, Operation(summary, needs))
        return handler

    return stated


def operation_of(handler: object) -> Operation:
    """Return what was stated. Raises AttributeError for a handler that states nothing: it lets nobody in."""
    found: Operation = getattr(handler, ATTRIBUTE)
    return found
