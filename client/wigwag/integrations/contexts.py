"""The context of a request, made once by a function of the application."""

import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

from wigwag_proto.context import Context

logger = logging.getLogger(__name__)

R = TypeVar("R")
Made = Context | Mapping[str, Any] | None
MakeContext = Callable[[R], Made | Awaitable[Made]]

COMPLAIN_EVERY_S = 10.0


class Contexts(Generic[R]):
    """Asks the application's function. What goes wrong there must not take the request down with it.

    A context that cannot be made is an empty one: rules on users do not match, partial rollouts leave it out, and the
    request gets what everybody gets. Such an error is logged with its traceback, but not for every request.
    """

    def __init__(self, make: MakeContext[R] | None, passes: tuple[type[BaseException], ...] = ()) -> None:
        self._make = make
        self._passes = passes  # exceptions that are the application's way to answer
        self._complained_at = float("-inf")

    async def of(self, request: R) -> Context | None:
        """Return the context of a request."""
        if self._make is None:
            return None
        try:
            made = self._make(request)
            if type(made) is Context:
                return made
            if inspect.isawaitable(made):
                made = await made
            if made is None or isinstance(made, Context):
                return made
            return Context.from_plain(made)
        except self._passes:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, the request goes on
            self._complain(error)
            return None

    def _complain(self, error: Exception) -> None:
        now = time.monotonic()
        if now - self._complained_at >= COMPLAIN_EVERY_S:
            self._complained_at = now
            logger.error("the function that makes the context failed; flags are decided without one", exc_info=error)
