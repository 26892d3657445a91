"""Whatever is done over HTTP, in whatever order: a model in a dict, the API's answers and the store agree.

The model knows of each flag its configuration and who killed it, and keeps what everything was after each revision.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.redis_server import RedisServer
from tests.support.server import SETTLE_S, Server, running
from wigwag_proto.differences import BOOKKEEPING, DEFAULTS, same_json
from wigwag_server.admin.merge_patch import merge_patch
from wigwag_server.store.from_url import open_store

KEYS = ("a", "b")
Config = dict[str, Any]
SEGMENT_RULE = {"attribute": "userId", "operator": "inSegment", "value": "s"}
NO_KILL = "nobody"


def defaults(kind: str) -> Config:
    return {name: value for name, value in DEFAULTS[kind].items() if name not in {*BOOKKEEPING, "kill"}}


@dataclass
class Model:
    """What there should be."""

    flags: dict[str, Config] = field(default_factory=dict)
    segments: dict[str, Config] = field(default_factory=dict)
    kills: dict[str, str] = field(default_factory=dict)
    buried: dict[str, str] = field(default_factory=dict)  # the kill under which a flag was last deleted
    touched: dict[tuple[str, str], int] = field(default_factory=dict)
    revision: int = 0
    past: list[tuple[dict[str, Config], dict[str, Config]]] = field(default_factory=lambda: [({}, {})])

    def commit(self, *touched: tuple[str, str]) -> None:
        """Make a revision."""
        self.revision += 1
        self.past.append((dict(self.flags), dict(self.segments)))
        for each in touched:
            self.touched[each] = self.revision

    # Each returns the status that the API should answer with.

    def write(self, kind: str, key: str, config: Config, *, create: bool, unless_same: bool) -> int:
        """Write a whole configuration, if what it refers to is there."""
        table = self.flags if kind == "flag" else self.segments
        if kind == "flag" and not self.may_be(key, config):
            return 422
        if unless_same and table.get(key) == config:
            return 200
        status = 200 if key in table else 201
        assert create or status == 200
        table[key] = config
        self.commit((kind, key))
        return status

    def may_be(self, key: str, config: Config) -> bool:
        """Say whether what a flag refers to is there, and no chain or cycle comes about that is not permitted."""
        if config["rules"] and "s" not in self.segments:
            return False
        required = [each["flag"] for each in config["requires"]]
        if any(each == key or each not in self.flags for each in required):
            return False
        # With two flags, the only other cycle is that both require each other.
        return not any(each["flag"] == key for other in required for each in self.flags[other]["requires"])

    def put(self, kind: str, key: str, body: Config) -> int:
        return self.write(kind, key, {**defaults(kind), **body}, create=True, unless_same=False)

    def patch(self, kind: str, key: str, patch: Config) -> int:
        table = self.flags if kind == "flag" else self.segments
        if key not in table:
            return 404
        config = {**defaults(kind), **merge_patch(table[key], patch)}
        return self.write(kind, key, config, create=False, unless_same=True)

    def delete(self, kind: str, key: str) -> int:
        table = self.flags if kind == "flag" else self.segments
        if key not in table:
            return 404
        needed = (
            any(each["flag"] == key for other, flag in self.flags.items() if other != key for each in flag["requires"])
            if kind == "flag"
            else any(flag["rules"] for flag in self.flags.values())
        )
        if needed:
            return 409
        del table[key]
        if kind == "flag":
            self.buried[key] = self.kills.pop(key, NO_KILL)
        self.commit((kind, key))
        return 204

    def revert(self, kind: str, key: str, revision: int) -> int:
        if revision > self.revision:
            return 404
        earlier = self.past[revision][0 if kind == "flag" else 1].get(key)
        if earlier is None:
            return 404
        gone = key not in (self.flags if kind == "flag" else self.segments)
        status = self.write(kind, key, earlier, create=True, unless_same=True)
        if status == 201 and gone and kind == "flag" and self.buried[key] != NO_KILL:
            self.kills[key] = self.buried[key]
        return status

    def kill(self, keys: list[str], reason: str) -> int:
        if any(key not in self.flags for key in keys):
            return 404
        self.kills.update(dict.fromkeys(keys, reason))
        self.commit(*(("flag", key) for key in keys))
        return 200

    def revive(self, key: str) -> int:
        if key not in self.flags:
            return 404
        # One that is not killed makes a revision all the same: it ends emergencies.
        self.commit(*([("flag", key)] if self.kills.pop(key, None) is not None else []))
        return 200


keys = st.sampled_from(KEYS)
flag_bodies: st.SearchStrategy[Config] = st.fixed_dictionaries(
    {},
    optional={
        "enabled": st.booleans(),
        "rolloutPercentage": st.sampled_from([0, 10, 99.5]),
        "whitelist": st.lists(st.sampled_from(["u1", "u2"]), unique=True, max_size=2),
        "rules": st.sampled_from([[], [SEGMENT_RULE]]),
        "requires": st.sampled_from([[], [{"flag": "a", "variant": None}], [{"flag": "b", "variant": None}]]),
        "variants": st.sampled_from([[], [{"name": "x", "weight": 1, "value": {"n": [True, 1, 1.5, None]}}]]),
        "description": st.sampled_from(["", 'ü\n"', "x"]),
    },
)
segment_bodies: st.SearchStrategy[Config] = st.fixed_dictionaries(
    {}, optional={"include": st.sampled_from([[], ["u1"], ["u1", "u2"]]), "description": st.sampled_from(["", "s"])}
)
nulls = st.fixed_dictionaries({}, optional={"description": st.none(), "whitelist": st.none(), "requires": st.none()})
operations = st.one_of(
    st.tuples(st.just("put"), st.just("flag"), keys, flag_bodies),
    st.tuples(st.just("put"), st.just("segment"), st.just("s"), segment_bodies),
    st.tuples(st.just("patch"), st.just("flag"), keys, st.builds(lambda one, two: {**one, **two}, flag_bodies, nulls)),
    st.tuples(st.just("patch"), st.just("segment"), st.just("s"), segment_bodies),
    st.tuples(st.just("delete"), st.just("flag"), keys, st.none()),
    st.tuples(st.just("delete"), st.just("segment"), st.just("s"), st.none()),
    st.tuples(st.just("revert"), st.just("flag"), keys, st.integers(0, 20)),
    st.tuples(st.just("revert"), st.just("segment"), st.just("s"), st.integers(0, 20)),
    st.tuples(st.just("kill"), st.just("flag"), keys.map(lambda key: [key]), st.just("fire")),
    st.tuples(st.just("kill"), st.just("flag"), st.lists(keys, min_size=1, max_size=2, unique=True), st.just("fire")),
    st.tuples(st.just("revive"), st.just("flag"), keys, st.none()),
)

# Whatever is there at first makes more of the rest succeed.
FIRST = [("put", "segment", "s", {}), ("put", "flag", "a", {"description": "x"}), ("put", "flag", "b", {})]
todos = st.lists(operations, min_size=20, max_size=40).map(lambda rest: [*FIRST, *rest])


async def do(server: Server, model: Model, operation: tuple[str, str, Any, Any]) -> None:
    """Do it over HTTP and in the model, and hold the answer against that."""
    name, kind, key, argument = operation
    path = f"/admin/{kind}s/{key}"
    match name:
        case "put":
            answer, status = await server.ask("POST", path, json=argument), model.put(kind, key, argument)
        case "patch":
            answer, status = await server.ask("PATCH", path, json=argument), model.patch(kind, key, argument)
        case "delete":
            answer, status = await server.ask("DELETE", f"{path}?confirm={key}"), model.delete(kind, key)
        case "revert":
            answer, status = await server.ask("POST", f"{path}/revert/{argument}"), model.revert(kind, key, argument)
        case "kill":
            body = {"keys": key, "reason": argument}
            answer, status = await server.ask("POST", "/admin/kill", json=body), model.kill(key, argument)
        case _:
            answer, status = await server.ask("POST", f"{path}/revive"), model.revive(key)
    assert answer.status == status, (operation, answer)
    if status in (200, 201) and name != "kill":
        assert_is(model, kind, key, answer.body)
        assert answer.headers["ETag"] == f'"{model.touched[kind, key]}"'


def assert_is(model: Model, kind: str, key: str, record: Any) -> None:
    """Hold a record, from wherever, against the model."""
    table = model.flags if kind == "flag" else model.segments
    config = {name: value for name, value in record.items() if name not in {*BOOKKEEPING, "kill"}}
    assert config.keys() == table[key].keys()
    assert same_json(config, table[key]), (config, table[key])
    assert record["revision"] == model.touched[kind, key]
    if kind == "flag":
        assert (record["kill"] or {}).get("reason") == model.kills.get(key)


async def check(server: Server, model: Model) -> list[Any]:
    """Hold the lists of the API and the past against the model; return the records that were listed."""
    flags = (await server.ask("GET", "/admin/flags")).body
    segments = (await server.ask("GET", "/admin/segments")).body
    assert [each["key"] for each in flags["flags"]] == sorted(model.flags)
    assert [each["key"] for each in segments["segments"]] == sorted(model.segments)
    for record in flags["flags"]:
        assert_is(model, "flag", record["key"], record)
    for record in segments["segments"]:
        assert_is(model, "segment", record["key"], record)
    for revision, (then, _) in enumerate(model.past):
        told = (await server.ask("POST", "/admin/explain", json={"asOf": revision})).body["decisions"]
        assert [each["flag"] for each in told] == sorted(then), revision
    return [flags["flags"], segments["segments"]]


async def run(url: str, folder: Path, todo: list[tuple[str, str, Any, Any]]) -> None:
    """Do everything on a server; then look into the store behind its back."""
    model = Model()
    async with running(url, data_dir=folder / "data") as server:
        for operation in todo:
            await do(server, model, operation)
        listed = await check(server, model)
    store = await open_store(url, settle_s=SETTLE_S)
    try:
        snapshot = await store.load("production")
    finally:
        await store.close()
    assert snapshot is not None
    assert snapshot.cursor.revision == model.revision
    tables = [snapshot.records.get(kind, {}) for kind in ("flag", "segment")]
    assert [[table[key] for key in sorted(table)] for table in tables] == listed


@given(todos)
@settings(max_examples=60)
def test_the_api_the_store_and_a_simple_model_agree(todo: list[tuple[str, str, Any, Any]]) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(run(f"sqlite:{Path(folder) / 'flags.db'}", Path(folder), todo))


@pytest.mark.long
@given(todos)
@settings(max_examples=25)
def test_they_agree_on_redis_as_well(todo: list[tuple[str, str, Any, Any]]) -> None:
    async def on_a_new_redis(folder: Path) -> None:
        async with RedisServer(folder / "redis") as redis:
            await run(redis.url, folder, todo)

    with TemporaryDirectory() as folder:
        asyncio.run(on_a_new_redis(Path(folder)))
