"""The OpenAPI document: every route, described by what its handler states and by the types that it names.

Errors are not stated one by one. Those that follow from what an operation needs and takes are added by rule, so that
a new handler is described whole, and right, from its first day.

Source: OpenAPI 3.1.1, JSON Schema 2020-12.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from importlib.metadata import version
from types import NoneType
from typing import Any, get_args

import msgspec
from aiohttp import web

from wigwag_proto.codec import decode, encode
from wigwag_server.auth.keys import KeyKind
from wigwag_server.auth.rights import Right, roles_with
from wigwag_server.web.openapi_parts import (
    DESCRIPTION,
    ENVIRONMENT,
    EXAMPLES,
    PATH_PARAMETERS,
    PROBLEM_HEADERS,
    PROBLEMS,
    SECURITY,
    Problem,
    Waits,
)
from wigwag_server.web.operation import Media, Operation, Stated, operation_of

Json = dict[str, Any]

REF = "#/components/schemas/{name}"
WRITES = ("POST", "PUT", "PATCH")
# What is changed with these rights may have to wait for a second person.
WAITING = (Right.EDIT, Right.REVIVE)
# Pages are for people: what they do, they do by what is described.
PAGES = "/ui"
UNDESCRIBED = ("HEAD", "OPTIONS")
IN_PATH = re.compile(r"{(\w+)}")


def document(routes: web.UrlDispatcher) -> Json:
    """Describe these routes."""
    paths: dict[str, Json] = {}
    types: dict[Any, None] = {Problem: None, Waits: None}
    described = list(_operations(routes))
    for _, _, _, stated in described:
        types.update(dict.fromkeys(_types_of(stated)))
    queries = {stated.query for _, _, _, stated in described if stated.query is not None}
    schemas = _Schemas([*types, *queries], queries)
    for path, method, handler, stated in described:
        paths.setdefault(path, {})[method.lower()] = _operation(path, method, handler, stated, schemas)
    for path, methods in paths.items():
        if "post" in methods and path.endswith("}"):
            _link(methods["post"], list(_links(path, paths)))
    return {
        "openapi": "3.1.1",
        "info": {"title": "wigwag", "version": version("wigwag"), "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": schemas.components,
            "responses": {_name(status): _problem(status, what) for status, what in PROBLEMS.items()},
            "securitySchemes": {
                name: {"type": "http", "scheme": "bearer", "description": what} for name, what in SECURITY.values()
            },
        },
    }


def _operations(routes: web.UrlDispatcher) -> Iterator[tuple[str, str, Any, Operation]]:
    for route in routes.routes():
        # HEAD goes along with GET, and OPTIONS is for browsers: neither needs a description of its own.
        if route.method in UNDESCRIBED or route.resource is None or route.resource.canonical.startswith(PAGES):
            continue
        yield route.resource.canonical, route.method, route.handler, operation_of(route.handler)


class _Schemas:
    """The schemas of bodies and answers, each by reference where it has a name."""

    def __init__(self, types: list[Any], queries: set[Any]) -> None:
        schemas, components = msgspec.json.schema_components(types, ref_template=REF)
        self.components = decode(encode(components))  # a default of () is a list there
        self._schemas = list(zip(types, schemas, strict=True))
        examples = {**EXAMPLES, **{kind: kind.EXAMPLE for kind in types if hasattr(kind, "EXAMPLE")}}
        for kind, example in examples.items():
            if kind.__name__ in self.components:
                self.components[kind.__name__]["examples"] = [example]
        # The struct of a query is no type of its own: its fields are parameters.
        self.queries = {kind.__name__: self.components.pop(kind.__name__) for kind in queries}
        for component in self.components.values():
            if "description" in component:
                component["description"] = _text(component["description"])

    def of(self, kind: Any) -> Json:
        if isinstance(kind, tuple):
            return {"anyOf": [self.of(each) for each in kind]}
        return {} if kind is Any else next(schema for known, schema in self._schemas if known == kind)


def _types_of(stated: Operation) -> Iterator[Any]:
    for kind in (stated.takes, stated.fails, *(() if isinstance(stated.gives, Stated) else stated.gives.values())):
        for bare in kind if isinstance(kind, tuple) else (_optional(kind)[0],):
            if bare not in (None, Any) and not isinstance(bare, Stated | Media):
                yield bare


def _optional(kind: Any) -> tuple[Any, bool]:
    """Split `Body | None`."""
    options = get_args(kind) if not hasattr(kind, "__metadata__") else ()
    if len(options) == 2 and NoneType in options:
        return next(option for option in options if option is not NoneType), True
    return kind, False


def _operation(path: str, method: str, handler: Any, stated: Operation, schemas: _Schemas) -> Json:
    described: Json = {
        "operationId": handler.__name__.removesuffix("_"),
        "tags": [_tag(path)],
        "summary": stated.summary,
        "description": "\n\n".join(filter(None, [_text(inspect.getdoc(handler)), _who(stated.needs)])),
        "parameters": list(_parameters(path, stated, schemas)),
        "security": _security(stated.needs),
        "responses": {
            **dict(_successes(path, stated, schemas)),
            **{str(status): _error(status, stated, schemas) for status in _errors(path, method, stated)},
        },
    }
    if (body := _body(method, stated, schemas)) is not None:
        described["requestBody"] = body
    return described


def _parameters(path: str, stated: Operation, schemas: _Schemas) -> Iterator[Json]:
    for name in IN_PATH.findall(path):
        kind = PATH_PARAMETERS.get(f"{_tag(path)}.{name}") or PATH_PARAMETERS.get(name, str)
        yield _parameter("path", name, msgspec.json.schema(kind), needed=True)
    if _in_environment(path, stated):
        yield _parameter("query", "environment", msgspec.json.schema(ENVIRONMENT))
    if stated.query is not None:
        struct = schemas.queries[stated.query.__name__]
        for name, field in struct["properties"].items():
            yield _parameter("query", name, field, needed=name in struct["required"])
    for header in stated.headers:
        described = _parameter("header", header.name, msgspec.json.schema(header.kind))
        example = {"example": header.example} if header.example else {}
        yield {**described, "description": header.description, **example}


def _parameter(place: str, name: str, schema: Json, *, needed: bool = False) -> Json:
    bare = {key: value for key, value in schema.items() if key not in ("description", "examples")}
    described: Json = {"name": name, "in": place, "required": needed, "schema": bare}
    if "description" in schema:
        described["description"] = schema["description"]
    if "examples" in schema:
        described["example"] = schema["examples"][0]
    return described


def _body(method: str, stated: Operation, schemas: _Schemas) -> Json | None:
    if stated.takes is None or (stated.takes is Stated.NOTHING and method not in WRITES):
        return None
    if stated.takes is Stated.NOTHING:
        return {"required": False, "content": {"application/json": {}}}
    if isinstance(stated.takes, Media):
        return {"required": False, "content": {stated.takes.type: {}}}
    kind, optional = _optional(stated.takes)
    return {"required": not optional, "content": {"application/json": {"schema": schemas.of(kind)}}}


def _successes(path: str, stated: Operation, schemas: _Schemas) -> Iterator[tuple[str, Json]]:
    given = {} if isinstance(stated.gives, Stated) else dict(stated.gives)
    if isinstance(stated.gives, Stated):
        yield "2XX", {"description": "Done.", "content": {"application/json": {}}}
    if _in_environment(path, stated) and stated.needs in WAITING:
        given.setdefault(202, Waits)
    for status, kind in given.items():
        answer: Json = {"description": HTTPStatus(status).phrase}
        if kind is not None:
            answer["content"] = dict(_contents(kind, schemas))
        yield str(status), answer


def _contents(kind: Any, schemas: _Schemas) -> Iterator[tuple[str, Json]]:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    types = tuple(each for each in kinds if not isinstance(each, Media))
    if types:
        yield "application/json", {"schema": schemas.of(types[0] if len(types) == 1 else types)}
    for each in kinds:
        if isinstance(each, Media):
            yield each.type, {"schema": {"type": "string"}}


def _errors(path: str, method: str, stated: Operation) -> list[int]:
    """Return the statuses of errors: those that are stated, and those that follow from what it needs and takes."""
    found = {400, *stated.refuses}  # a request line that is too long is refused before any route is known
    if stated.needs != ():
        found |= {401, 403, 429, 503}
    if _in_environment(path, stated) or "{" in path:
        found |= {404, 422}
    if not isinstance(stated.takes, Media | None) and (stated.takes is not Stated.NOTHING or method in WRITES):
        found |= {413, 415, 422}
    if stated.query is not None:
        found.add(422)
    if any(header.name == "If-Match" for header in stated.headers):
        found.add(412)
    if stated.gives is Stated.NOTHING:
        found |= {404, 409, 412, 422}
    return sorted(found)


def _error(status: int, stated: Operation, schemas: _Schemas) -> Json:
    if stated.fails is None:
        return {"$ref": f"#/components/responses/{_name(status)}"}
    content = {"application/json": {"schema": schemas.of(stated.fails)}, **_plain_text(status)}
    return {"description": PROBLEMS[status], "content": content}


def _plain_text(status: int) -> Json:
    """Return how aiohttp itself answers what is no request that it can read."""
    return {"text/plain": {"schema": {"type": "string"}}} if status == 400 else {}


def _links(path: str, paths: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    """Return what can be done next with a thing that was written at a path: everything at it and below it."""
    same = {name: f"$request.path.{name}" for name in IN_PATH.findall(path)}
    for other, methods in paths.items():
        if other == path or (other.startswith(f"{path}/") and len(IN_PATH.findall(other)) == len(same)):
            for each in methods.values():
                names = {parameter["name"] for parameter in each["parameters"]}
                where = {"environment": "$request.query.environment"} if "environment" in names else {}
                yield each["operationId"], {"operationId": each["operationId"], "parameters": {**same, **where}}


def _link(operation: Json, links: list[tuple[str, Json]]) -> None:
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            answer["links"] = dict(links)


def _problem(status: int, what: str) -> Json:
    answer: Json = {
        "description": what,
        "content": {
            "application/problem+json": {"schema": {"$ref": REF.format(name="Problem")}},
            **_plain_text(status),
        },
    }
    if status in PROBLEM_HEADERS:
        name, meaning, kind = PROBLEM_HEADERS[status]
        answer["headers"] = {name: {"description": meaning, "schema": {"type": kind}}}
    return answer


def _security(needs: Right | tuple[KeyKind, ...]) -> list[Json]:
    kinds = (KeyKind.ADMIN,) if isinstance(needs, Right) else needs
    return [{SECURITY[kind][0]: []} for kind in kinds]


def _who(needs: Right | tuple[KeyKind, ...]) -> str:
    if isinstance(needs, Right):
        return f"Takes an admin token with the role {' or '.join(f'`{role}`' for role in roles_with(needs))}."
    kinds = " or ".join("an admin token" if kind is KeyKind.ADMIN else f"a `{kind}` key" for kind in needs)
    return f"Takes {kinds}." if kinds else "No key is needed."


def _in_environment(path: str, stated: Operation) -> bool:
    return isinstance(stated.needs, Right) and not stated.of_server and "{environment}" not in path


def _tag(path: str) -> str:
    first, _, rest = path.strip("/").partition("/")
    names: Mapping[str, str] = {"v1": "apps", "ofrep": "apps", "api": "apps", "admin": rest.partition("/")[0]}
    return names.get(first, "server")


def _name(status: int) -> str:
    return HTTPStatus(status).name.title().replace("_", "")


def _text(docstring: str | None) -> str:
    """Return a docstring as running text: the description of a route repeats neither its method nor its path."""
    words = re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.cleandoc(docstring or ""))
    words = re.sub(r"^(GET|POST|PUT|PATCH|DELETE) /\S*?[:.](\s|$)", "", words)
    return words[:1].upper() + words[1:]
