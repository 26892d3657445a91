"""`/admin/login-links`: signing a browser in without typing a token."""

from http import HTTPStatus
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from wigwag_proto.codec import encode
from wigwag_server.admin.answers import admit_to_server, author
from wigwag_server.auth.keys import Key
from wigwag_server.auth.login_links import PATH, MakeLink, find_link, new_secret
from wigwag_server.auth.rights import Right
from wigwag_server.services import Services
from wigwag_server.web.operation import operation


class LoginLink(msgspec.Struct, frozen=True, rename="camel"):
    """A link that signs one browser in, once."""

    path: Annotated[str, Meta(description="Put the address of the server in front of it.")]
    expires_at: Annotated[int, Meta(description="Unix time in ms.")]


@operation("Make a link that signs a browser in", needs=Right.READ, takes=None, gives={201: LoginLink}, of_server=True)
async def create_login_link(request: web.Request) -> web.Response:
    """POST /admin/login-links: the browser that opens it may do what the token may. It is good once, for minutes."""
    services, caller = admit_to_server(request)
    secret = new_secret()
    lasts_s = services.settings.sessions.link_s
    command = MakeLink(secret, caller.id, lasts_s)
    await services.run_to_end(services.system.commit(command, author(request, caller)))
    until = find_link(services.system.replica.records, secret, 0)["until"]
    body = {"path": PATH + secret, "expiresAt": until}
    return web.Response(status=HTTPStatus.CREATED, body=encode(body), content_type="application/json")


async def login_link_of(services: Services, key: Key) -> str:
    """Return the path of a new link for a key. Raises StoreUnavailable."""
    secret = new_secret()
    await services.system.commit(MakeLink(secret, key.id, services.settings.sessions.link_s))
    return PATH + secret
