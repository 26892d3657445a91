"""Around every request: an id for it, and one shape for everything that goes wrong."""

import logging
import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from wigwag_proto.errors import StoreRefused, StoreUnavailable
from wigwag_server.problems import Problem, Waiting

logger = logging.getLogger(__name__)

REQUEST_HEADER = "X-Request-Id"
REQUEST_ID = web.RequestKey("request_id", str)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SAY = {
    HTTPStatus.NOT_FOUND: "There is nothing at {path}. GET /docs lists what there is.",
    HTTPStatus.METHOD_NOT_ALLOWED: "{path} does not take {method}. It takes {allowed}.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (
        "The body is larger than this server takes: at most {limit:,} bytes. Move long lists of ids into segments."
    ),
}


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error as `application/problem+json`."""
    request_id = request[REQUEST_ID] = secrets.token_hex(6)
    try:
        return await handler(request)
    except Problem as problem:
        return problem.response(request_id)
    except Waiting as waiting:
        return waiting.response()
    except StoreUnavailable as error:
        logger.warning("request %s: %s", request_id, error)
        return _unavailable(error).response(request_id)
    except web.HTTPException as error:
        return _from_aiohttp(request, error).response(request_id)
    except Exception:
        logger.exception("request %s: %s %s failed", request_id, request.method, request.rel_url.raw_path)
        detail = f"This is a defect of wigwag. The server's log has it under {request_id}."
        return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail).response(request_id)


async def identify(request: web.Request, response: web.StreamResponse) -> None:
    """Give every answer the id under which the log has its request."""
    if REQUEST_ID in request:
        response.headers[REQUEST_HEADER] = request[REQUEST_ID]


def _unavailable(error: StoreUnavailable) -> Problem:
    if isinstance(error, StoreRefused):
        detail = f"The store refused the change, so nothing was changed: {error}."
        return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "5"})
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        f"The store did not answer in time, so it is not certain whether the change was made: {error}. "
        "Look at the flag, then try again.",
        headers={"Retry-After": "1"},
    )


def _from_aiohttp(request: web.Request, error: web.HTTPException) -> Problem:
    status = HTTPStatus(error.status)
    detail = SAY.get(status, error.text or status.description)
    allowed = error.headers.get("Allow", "")
    headers = {"Allow": allowed} if allowed else {}
    known = {"allowed": allowed.replace(",", ", "), "limit": request.client_max_size}
    return Problem(status, detail.format(path=request.path, method=request.method, **known), headers=headers)
