"""/openapi.json says what the routes are, and /docs shows it."""

from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.support.server import Server, running
from wigwag_proto.validate import FLAG_FIELDS, SEGMENT_FIELDS, SERVER_FIELDS, check_flag_body, check_segment_body
from wigwag_server.admin import control_shapes, shapes
from wigwag_server.app import build_app
from wigwag_server.auth.rights import Right
from wigwag_server.web.openapi import PAGES, document
from wigwag_server.web.openapi_parts import EXAMPLES
from wigwag_server.web.operation import Stated, operation, operation_of

# Operations that do not say yet what they take or give, by the names of their handlers.
NOT_YET_DESCRIBED: frozenset[str] = frozenset()
WRITES = ("POST", "PUT", "PATCH")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server; what it says of itself does not depend on its store."""
    async with running(f"sqlite:{tmp_path / 'flags.db'}") as made:
        yield made


def operations(plain: Any) -> dict[str, Any]:
    """Return the operations of a document, by id."""
    found = [each for methods in plain["paths"].values() for each in methods.values()]
    by_id = {each["operationId"]: each for each in found}
    assert len(by_id) == len(found), "two operations have one name"
    return by_id


async def test_the_document_is_openapi(server: Server) -> None:
    answer = await server.ask("GET", "/openapi.json", token=None)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.body["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(answer.body).validate()


async def test_every_route_is_in_the_document_and_nothing_else(server: Server) -> None:
    plain = (await server.ask("GET", "/openapi.json", token=None)).body
    there = {
        (route.method, route.resource.canonical)
        for route in build_app(server.services).router.routes()
        if route.resource and route.method not in ("HEAD", "OPTIONS") and not route.resource.canonical.startswith(PAGES)
    }
    assert {(method.upper(), path) for path, each in plain["paths"].items() for method in each} == there


async def test_every_operation_is_described(server: Server) -> None:
    lacking = set()
    for route in build_app(server.services).router.routes():
        if route.method == "OPTIONS" or (route.resource and route.resource.canonical.startswith(PAGES)):
            continue
        stated = operation_of(route.handler)
        silent = stated.gives is Stated.NOTHING or (route.method in WRITES and stated.takes is Stated.NOTHING)
        if silent:
            lacking.add(getattr(route.handler, "__name__", ""))
    assert lacking == NOT_YET_DESCRIBED, "say what they take and give, where their handlers stand"
    plain = (await server.ask("GET", "/openapi.json", token=None)).body
    bare = {name for name, each in operations(plain).items() if "\n\n" not in each["description"]}
    assert not bare, "a sentence in the docstring of the handler, beyond method and path"


@operation("Do something", needs=Right.EDIT)
async def silent_handler(_: web.Request) -> web.Response:
    """POST /admin/things/{name}: say no more than that."""
    return web.Response()


def test_a_handler_that_says_little_is_described_right() -> None:
    app = web.Application()
    app.router.add_post("/admin/things/{name}", silent_handler)
    plain = document(app.router)
    OpenAPIV31SpecValidator(plain).validate()
    described = operations(plain)["silent_handler"]
    assert described["tags"] == ["things"]
    assert described["description"].startswith("Say no more than that.\n\nTakes an admin token with the role `editor`")
    assert described["security"] == [{"adminToken": []}]
    assert described["requestBody"] == {"required": False, "content": {"application/json": {}}}
    assert [each["name"] for each in described["parameters"]] == ["name", "environment"]
    statuses = "2XX 202 400 401 403 404 409 412 413 415 422 429 503"
    assert " ".join(described["responses"]) == statuses


async def test_who_is_let_in_is_said(server: Server) -> None:
    found = operations((await server.ask("GET", "/openapi.json", token=None)).body)
    assert found["healthz"]["security"] == []
    assert "401" not in found["healthz"]["responses"]
    assert found["snapshot"]["security"] == [{"serverKey": []}, {"relayKey": []}]
    assert found["kill_flag"]["security"] == [{"adminToken": []}]
    assert "`operator`" in found["kill_flag"]["description"]
    assert {"401", "403", "404", "422", "503"} <= found["kill_flag"]["responses"].keys()
    assert "requestBody" not in found["delete_flag"]
    assert found["kill_flag"]["requestBody"]["required"] is False
    assert found["put_flag"]["requestBody"]["required"] is True


def test_the_shapes_have_the_fields_that_the_checks_know() -> None:
    def names(kind: type[msgspec.Struct]) -> set[str]:
        return {each.encode_name for each in msgspec.structs.fields(kind)}

    assert names(shapes.FlagBody) >= {*FLAG_FIELDS, "killSwitch", *SERVER_FIELDS}
    assert names(shapes.SegmentBody) >= {*SEGMENT_FIELDS, "key", "createdAt", "updatedAt", "revision"}


def test_examples_are_what_they_are_examples_of() -> None:
    for kind, example in EXAMPLES.items():
        assert msgspec.to_builtins(msgspec.convert(example, kind), str_keys=True).keys() == example.keys()
    for kind in [*vars(shapes).values(), *vars(control_shapes).values()]:
        if isinstance(kind, type) and hasattr(kind, "EXAMPLE"):
            msgspec.convert(kind.EXAMPLE, kind)
    assert check_flag_body(shapes.FlagBody.EXAMPLE, key="checkout").violations == ()
    assert check_segment_body(shapes.SegmentBody.EXAMPLE, key="staff").violations == ()


class Page(HTMLParser):
    """What a page has in it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs


async def test_the_page_shows_every_operation_and_loads_nothing(server: Server) -> None:
    plain = (await server.ask("GET", "/openapi.json", token=None)).body
    async with server.session.get(f"{server.url}/docs") as response:
        text = await response.text()
        assert (response.status, response.content_type) == (200, "text/html")
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    page = Page()
    page.feed(text)
    assert not page.tags & {"script", "link", "img", "iframe", "object"}
    names = {name for name, _ in page.attributes}
    assert not {name for name in names if name.startswith("on") or name in ("style", "src")}
    ids = [value for name, value in page.attributes if name == "id"]
    assert {*operations(plain), *(f"type-{name}" for name in plain["components"]["schemas"])} <= set(ids)
    assert len(ids) == len(set(ids))
    links = [value or "" for name, value in page.attributes if name == "href"]
    assert {link.removeprefix("#") for link in links if link.startswith("#")} <= set(ids)
    assert {link for link in links if not link.startswith("#")} == {"openapi.json"}
    assert ("name", "viewport") in page.attributes
