"""`/openapi.json` and `/docs`: the API described, for programs and for people."""

from functools import cached_property
from typing import Any

from aiohttp import web

from wigwag_proto.codec import encode
from wigwag_server.ui.api_page import groups, schemas
from wigwag_server.ui.pages import Pages
from wigwag_server.web.openapi import document
from wigwag_server.web.operation import Media, operation


class ApiDescription:
    """The description of an application's routes, made once, when it is first asked for."""

    def __init__(self, routes: web.UrlDispatcher) -> None:
        self._routes = routes
        self.pages = Pages()

    @cached_property
    def document(self) -> dict[str, Any]:
        """The OpenAPI document."""
        return document(self._routes)

    @cached_property
    def json(self) -> bytes:
        """The same, as it is sent."""
        return encode(self.document)

    @cached_property
    def page(self) -> bytes:
        """The same, as a page."""
        plain = self.document
        return self.pages.render(
            "api.html",
            info=plain["info"],
            openapi=plain["openapi"],
            security=plain["components"]["securitySchemes"],
            groups=groups(plain),
            schemas=schemas(plain),
        )


API = web.AppKey("api", ApiDescription)


@operation("Describe this API for programs", needs=(), whom="anybody", gives={200: dict[str, Any]})
async def openapi_json(request: web.Request) -> web.Response:
    """GET /openapi.json: this document, OpenAPI 3.1. No key is needed: it says nothing of what is in the store."""
    body = request.app[API].json
    return web.Response(body=body, content_type="application/json", headers={"Cache-Control": "no-cache"})


@operation("Describe this API for people", needs=(), whom="anybody", gives={200: Media("text/html")})
async def docs_page(request: web.Request) -> web.Response:
    """GET /docs: `/openapi.json` as a page."""
    api = request.app[API]
    return api.pages.answer(api.page)
