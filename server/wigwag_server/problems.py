"""Errors as people and programs get them: `application/problem+json`, with a sentence that says what to do.

Source: RFC 9457.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from aiohttp import web

from wigwag_proto.codec import encode
from wigwag_proto.errors import WigwagError

CONTENT_TYPE = "application/problem+json"


class Problem(WigwagError):
    """Ends a request with an error. `detail` says what is wrong and what to do about it.

    `violations` are `{"pointer": <JSON pointer into the body>, "detail": …}`; `extra` becomes further members.
    """

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        violations: Sequence[dict[str, str]] = (),
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.violations = tuple(violations)
        self.headers = headers or {}
        self.extra = extra

    def response(self, instance: str) -> web.Response:
        """Return the answer; `instance` is the request's id, to be found in the log."""
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
            "instance": instance,
            **self.extra,
        }
        if self.violations:
            body["errors"] = list(self.violations)
        return web.Response(status=self.status, body=encode(body), content_type=CONTENT_TYPE, headers=self.headers)


class Waiting(WigwagError):
    """Ends a request that has done nothing yet: somebody else has to agree first. `body` says what waits."""

    def __init__(self, body: dict[str, Any]) -> None:
        super().__init__("waiting for a second person")
        self.body = body

    def response(self) -> web.Response:
        """Return the answer."""
        return web.Response(status=HTTPStatus.ACCEPTED, body=encode(self.body), content_type="application/json")
