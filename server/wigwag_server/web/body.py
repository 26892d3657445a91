"""Reading JSON bodies."""

from http import HTTPStatus
from typing import Any

from aiohttp import web

from wigwag_proto.codec import decode
from wigwag_proto.errors import Malformed
from wigwag_server.problems import Problem
from wigwag_server.web.depth import DEEPEST, too_deep

# `curl -d` calls every body a form: in an incident nobody should have to remember a header.
JSON_TYPES = ("application/json", "application/x-www-form-urlencoded")


async def read_json(request: web.Request, *, default: Any = None) -> Any:
    """Return the body; `default` where there is none and a default is given. Raises Problem (400, 413, 415)."""
    data = await request.read()
    if not data.strip():
        if default is not None:
            return default
        raise Problem(HTTPStatus.BAD_REQUEST, "This request needs a JSON body.")
    if request.headers.get("Content-Type") and request.content_type not in JSON_TYPES:
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"Send JSON with 'Content-Type: application/json', not '{request.content_type}'.",
        )
    try:
        body = decode(data)
    except Malformed as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"The body is {error}.") from None
    if too_deep(body):
        raise Problem(HTTPStatus.BAD_REQUEST, f"The body is nested more than {DEEPEST} levels deep; flatten it.")
    return body


async def read_object(request: web.Request, *, optional: bool = False) -> dict[str, Any]:
    """Return a body that is an object. Raises Problem."""
    body = await read_json(request, default={} if optional else None)
    if not isinstance(body, dict):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"The body is to be a JSON object, not {_json_name(body)}.")
    return body


def _json_name(value: Any) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
