"""What later releases may add is passed over: an older app on a newer server, an older server beside a newer one."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.compatibility.site import decisions
from tests.compatibility.test_releases import RELEASES, older_server, read
from tests.support.server import Server, running
from tests.support.waiting import until
from wigwag import FlagClient, Settings
from wigwag_proto.commit import Change, Commit

LATER = {"later": [{"deeply": 1}]}
RELEASE = RELEASES[-1]


def extended(value: Any) -> Any:
    """Return the value with a field more in every object that the protocol knows."""
    if isinstance(value, list):
        return [extended(each) for each in value]
    if not isinstance(value, dict):
        return value
    own = {name: each if name == "value" else extended(each) for name, each in value.items()}
    # These are keyed by what people choose, and the values of variants are theirs altogether.
    return own if own.keys() >= {"plain", "colour"} or "staff" in own else {**own, **LATER}


def later(streamed: bytes) -> bytes:
    """Return a stream as a later release may write it."""
    lines = [b"event: hologram", b"data: not even json", b""]
    for line in streamed.split(b"\n"):
        field, colon, data = line.partition(b": ")
        if field == b"data" and data.startswith(b"{"):
            plain = extended(json.loads(data))
            if "changes" in plain:
                plain["changes"].append({"kind": "hologram", "key": "x", "value": {"a": 1}})
            lines.append(field + colon + json.dumps(plain).encode())
        else:
            lines.append(line)
    return b"\n".join(lines)


async def test_a_client_follows_a_later_server() -> None:
    expected = read(RELEASE, "expected.json")
    streamed = later((RELEASE / "stream.sse").read_bytes())
    begun_with = streamed.partition(b"event: put\ndata: ")[2].partition(b"\n")[0]
    assert b"hologram" in streamed
    assert b"deeply" in begun_with
    async with (
        older_server(streamed=streamed, snapshot=begun_with) as url,
        FlagClient(url, expected["key"], settings=Settings(cache_dir=None)) as client,
    ):
        await until(lambda: client.is_enabled("last"), "the end of the stream")
        assert decisions(client) == expected["decisions"]
        assert client.status.unreadable == {}


@pytest.fixture
async def server(tmp_path: Path) -> Any:
    async with running(f"sqlite:{tmp_path / 'flags.db'}") as made:
        yield made


async def test_a_server_answers_a_later_client(server: Server) -> None:
    await server.put("some", enabled=True)
    for asked in read(RELEASE, "requests.json"):
        if asked["path"] == "/v1/telemetry":
            body = extended(json.loads(asked["body"]))
            answer = await server.ask("POST", "/v1/telemetry?later=1", token=server.key, json=body)
            assert answer.status == 204, answer


async def test_a_server_follows_a_later_one_and_keeps_what_it_does_not_know(server: Server) -> None:
    await server.put("checkout", enabled=True)
    environment = server.services.environments["production"]
    cursor = environment.replica.cursor
    assert cursor is not None
    flag = environment.replica.records["flag"]["checkout"]
    rule = {"attribute": "plan", "operator": "resonatesWith", "value": 1, **LATER}
    changes = (
        Change("flag", "checkout", {**flag, **LATER}),
        Change("flag", "ruled", {**flag, "key": "ruled", "rules": [rule]}),
        Change("segment", "staff", {"key": "staff", "include": ["ann"], **LATER}),
        Change("hologram", "x", {"a": 1}),
    )
    commit = Commit(cursor.revision + 1, cursor.head, "later", flag["updatedAt"], changes)
    async with server.client() as client:
        await until(lambda: client.is_enabled("checkout"), "the client")
        await environment._store.commit("production", cursor.epoch, commit)
        await until(lambda: client.status.revision == commit.revision, "what the later server wrote")
        assert client.is_enabled("checkout")
        assert not client.is_enabled("ruled", plan="pro")  # off, where it cannot know whom it is for
        # People work with what an older server can see of it, and lose nothing of the rest.
        killed = await server.kill("checkout")
        assert killed["kill"] is not None
        await server.revive("checkout")
        answer = await server.ask("PATCH", "/admin/flags/checkout", json={"description": "by the older one"})
        assert answer.status == 200, answer
        answer = await server.ask("PATCH", "/admin/segments/staff", json={"include": ["bob"]})
        assert answer.status == 200, answer
        records = environment.replica.records
        assert records["segment"]["staff"]["later"] == LATER["later"]
        assert records["flag"]["checkout"]["later"] == LATER["later"]
        assert records["hologram"]["x"] == {"a": 1}
