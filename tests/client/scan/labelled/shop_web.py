"""Requests, middleware, gates and dependencies."""

from typing import Annotated

from aiohttp import web
from fastapi import Depends, FastAPI, Request
from wigwag import BoundFlags
from wigwag.integrations.aiohttp import requires_flag
from wigwag.integrations import fastapi as wigwag_fastapi

app = FastAPI()
routes = web.RouteTableDef()


@routes.get("/")
async def index(request: web.Request) -> web.Response:
    if request["flags"].is_enabled("aiohttp_index"):  #: aiohttp_index
        colour = request["flags"].value("aiohttp_colour", default="grey")  #: aiohttp_colour
        return web.Response(text=colour)
    flags = request["flags"]
    flags.variant("aiohttp_variant")  #: aiohttp_variant
    mine = request["flags"]
    mine.value("aiohttp_mine", default=0)  #: aiohttp_mine
    request["session"].value("not_a_flag")
    return web.Response()


@routes.get("/beta")
@requires_flag("gate_beta")  #: gate_beta
async def beta(request: web.Request) -> web.Response:
    return web.Response()


@routes.get("/gamma")
@requires_flag("gate_gamma", redirect="/")  #: gate_gamma
async def gamma(request: web.Request) -> web.Response:
    return web.Response()


@app.get("/items")
async def items(request: Request) -> dict[str, bool]:
    return {
        "new": request.state.flags.is_enabled("fastapi_new"),  #: fastapi_new
        "old": request.state.flags.is_enabled("fastapi_old", default=True),  #: fastapi_old
    }


@app.get("/prices", dependencies=[Depends(wigwag_fastapi.requires_flag("gate_prices"))])  #: gate_prices
async def prices(bound: Annotated[BoundFlags, Depends(print)]) -> object:
    return bound.value("annotated_bound", default=1)  #: annotated_bound


@app.get("/wrong")
async def wrong(session: dict[str, str]) -> None:
    session.get("fastapi_session")
    session.setdefault("value", "variant")
    print("is_enabled")


async def handler(request: web.Request) -> web.Response:
    on = request["flags"].is_enabled("held")  #: held
    if on:
        request["flags"].is_enabled("under_held")  #: under_held
    return web.json_response({"on": on})


def template(flags: object) -> str:
    return "new" if flags.is_enabled("by_name") else "old"  #: by_name


class View(web.View):
    async def get(self) -> web.Response:
        if not self.request["flags"].is_enabled("view"):  #: view
            raise web.HTTPNotFound
        return web.Response(text=self.request["flags"].value("view_text", default=""))  #: view_text
