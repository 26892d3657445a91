"""What the page about the API shows: the OpenAPI document, turned into words. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from markupsafe import Markup, escape

Json = Mapping[str, Any]

COLUMN = 88


@dataclass(frozen=True, slots=True)
class Row:
    """A parameter, or a field of an object."""

    name: str
    type: Markup
    description: str
    place: str = ""
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back with a status."""

    status: str
    description: str
    type: Markup


@dataclass(frozen=True, slots=True)
class OperationView:
    """One operation."""

    id: str
    tag: str
    method: str
    path: str
    summary: str
    paragraphs: tuple[str, ...]
    parameters: tuple[Row, ...]
    body: Markup | None
    body_needed: bool
    answers: tuple[Answer, ...]
    curl: str


@dataclass(frozen=True, slots=True)
class SchemaView:
    """One named type."""

    name: str
    description: str
    fields: tuple[Row, ...]
    closed: bool
    example: str


def groups(document: Json) -> list[tuple[str, list[OperationView]]]:
    """Return the operations, by what they are about."""
    found = [
        _operation(document, path, method, each)
        for path, methods in document["paths"].items()
        for method, each in methods.items()
    ]
    found.sort(key=lambda view: view.tag)
    return [(tag, list(views)) for tag, views in groupby(found, key=lambda view: view.tag)]


def schemas(document: Json) -> list[SchemaView]:
    """Return the named types."""
    return [_schema(name, each) for name, each in sorted(document["components"]["schemas"].items())]


def _operation(document: Json, path: str, method: str, plain: Json) -> OperationView:
    body = plain.get("requestBody")
    schema = next(iter(body["content"].values())).get("schema", {}) if body else None
    return OperationView(
        id=plain["operationId"],
        tag=plain["tags"][0],
        method=method.upper(),
        path=path,
        summary=plain["summary"],
        paragraphs=tuple(plain["description"].split("\n\n")),
        parameters=tuple(_parameter(each) for each in plain["parameters"]),
        body=type_words(schema) if schema is not None else None,
        body_needed=bool(body and body["required"]),
        answers=tuple(_answer(document, status, each) for status, each in plain["responses"].items()),
        curl=_curl(document, path, method.upper(), plain, schema),
    )


def _parameter(plain: Json) -> Row:
    return Row(
        plain["name"], type_words(plain["schema"]), plain.get("description", ""), plain["in"], needed=plain["required"]
    )


def _answer(document: Json, status: str, plain: Json) -> Answer:
    if "$ref" in plain:
        plain = document["components"]["responses"][plain["$ref"].rpartition("/")[2]]
    content = plain.get("content", {})
    kinds = Markup(" ").join(
        type_words(each["schema"]) if kind.endswith("json") and "schema" in each else escape(kind)
        for kind, each in content.items()
    )
    return Answer(status, plain["description"], kinds)


def _schema(name: str, plain: Json) -> SchemaView:
    needed = plain.get("required", ())
    return SchemaView(
        name=name,
        description=plain.get("description", ""),
        fields=tuple(
            Row(field, type_words(each), each.get("description", ""), needed=field in needed)
            for field, each in plain.get("properties", {}).items()
        )
        or (Row("", type_words(plain), ""),),
        closed=plain.get("additionalProperties") is False,
        example="\n".join(_pretty(each) for each in plain.get("examples", ())),
    )


def type_words(schema: Json) -> Markup:
    """Return a schema in a few words, with links to the named types in it."""
    return Markup(" ").join([_base(schema), *_bounds(schema)])


def _base(schema: Json) -> Markup:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return Markup('<a href="#type-{0}">{0}</a>').format(name)
    if "anyOf" in schema:
        return Markup(" or ").join(type_words(each) for each in schema["anyOf"])
    if "enum" in schema:
        return Markup(" or ").join(Markup("<code>{}</code>").format(each) for each in schema["enum"])
    kind = schema.get("type", "any JSON")
    if kind == "array":
        return Markup("list of ") + type_words(schema.get("items", {}))
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return Markup("object with values of ") + type_words(schema["additionalProperties"])
    return escape(kind)


def _bounds(schema: Json) -> Iterator[Markup]:
    for name, words in (
        ("minimum", "at least {}"),
        ("exclusiveMinimum", "above {}"),
        ("maximum", "at most {}"),
        ("minLength", "at least {} characters"),
        ("maxLength", "at most {} characters"),
        ("minItems", "at least {} items"),
        ("maxItems", "at most {} items"),
        ("pattern", "matching {}"),
    ):
        if name in schema:
            yield escape(f"({words.format(schema[name])})")
    if "default" in schema and schema["default"] not in (None, "", []):
        yield Markup("(default <code>{}</code>)").format(json.dumps(schema["default"]))


def _curl(document: Json, path: str, method: str, plain: Json, schema: Json | None) -> str:
    for each in plain["parameters"]:
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", str(each.get("example", each["name"])))
    verb = "" if method == "GET" else f"-X {method} "
    variables = {"adminToken": "WIGWAG_TOKEN", "serverKey": "WIGWAG_KEY"}
    scheme = next((name for each in plain["security"] for name in each), None)
    secret = f'-H "Authorization: Bearer ${variables.get(scheme, "WIGWAG_KEY")}" ' if scheme else ""
    line = f'curl {verb}{secret}"$WIGWAG_URL{path}"'
    name = (schema or {}).get("$ref", "").rpartition("/")[2]
    examples = document["components"]["schemas"].get(name, {}).get("examples")
    return f"{line} -d '{_pretty(examples[0])}'" if examples else line


def _pretty(plain: Any) -> str:
    line = json.dumps(plain, ensure_ascii=False)
    return line if len(line) <= COLUMN else json.dumps(plain, ensure_ascii=False, indent=2)
