"""What apps report to a relay reaches the store, whatever else is on its way there."""

from asyncio import timeout
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.relays import relay_key, relaying
from tests.support.server import Server
from tests.support.server import running as running_server
from tests.support.waiting import until
from wigwag_proto.runs import BOUNDS_S
from wigwag_proto.telemetry import ROWS_LIMIT

DAY_MS = 86_400_000
ALL_BUCKETS = [1] * (len(BOUNDS_S) + 1)


@pytest.fixture
async def upstream(store_url: str, tmp_path: Path) -> AsyncIterator[Server]:
    async with running_server(store_url, data_dir=tmp_path / "upstream", heartbeat_s=0.2) as server:
        await server.put("checkout", enabled=True)
        yield server


@pytest.fixture
async def relay(upstream: Server, tmp_path: Path) -> AsyncIterator[Server]:
    key = await relay_key(upstream)
    async with relaying(upstream.url, key, tmp_path / "relay", app_key=upstream.key, heartbeat_s=0.2) as made:
        yield made


async def report(relay: Server, name: str, **said: Any) -> int:
    """Seat an instance at the relay, and have it report."""
    instance = {"id": name, "label": name}
    header = {"Wigwag-Instance": f"id={name}&label={name}"}
    assert (await relay.ask("GET", "/v1/snapshot", token=relay.key, headers=header)).status == 200
    body = {"instance": instance, **said}
    return (await relay.ask("POST", "/v1/telemetry", token=relay.key, json=body)).status


async def test_what_is_older_than_a_day_does_not_hold_up_what_others_report(upstream: Server, relay: Server) -> None:
    cursor = str(relay.services.environments["production"].replica.cursor)
    tripped = [{"flag": "checkout", "forMs": 3 * DAY_MS}]
    # As a client reports that could not for longer than it may say.
    old = [{"cursor": cursor, "heldMs": DAY_MS}]
    assert await report(relay, "oldinstance", applied=old, tripped=tripped) == 204
    assert await report(relay, "newinstance", applied=[{"cursor": cursor}], tripped=[tripped[0] | {"forMs": 5}]) == 204
    async with timeout(10):
        while True:
            found = (await upstream.ask("GET", "/admin/instances")).body["instances"]
            if [each["tripped"] != [] for each in found] == [True, True]:
                break
    since = {each["id"]: each["tripped"][0]["sinceAgoMs"] for each in found}
    assert since["oldinstance"] >= 3 * DAY_MS > since["newinstance"]


async def test_the_largest_report_that_an_app_may_send_is_counted_behind_a_relay(
    upstream: Server, relay: Server
) -> None:
    names = [f"a-flag-of-many-{number}" for number in range(ROWS_LIMIT)]
    flags = {name: {"enabled": True} for name in names}
    assert (await upstream.ask("POST", "/admin/import", json={"flags": flags})).status == 200
    known = relay.services.catalogs["production"].records.flags
    await until(lambda: names[-1] in known, "the flags")
    outcome = {"enabled": True, "calls": 15, "errors": 1, "durationMs": 1, "durations": ALL_BUCKETS}
    usage = {"enabled": True, "reason": "STATIC", "count": 2}
    rows = {
        "usage": [{"flag": each, **usage} for each in names],
        "outcomes": [{"flag": each, **outcome} for each in names],
    }
    assert await report(relay, "biginstance", batch=1, **rows) == 204
    counted = (await upstream.ask("GET", f"/admin/flags/{names[-1]}/metrics")).body
    assert (counted["total"], counted["outcomes"]["on"]["calls"]) == (2, 15)


@pytest.mark.parametrize("body", [b'{"environment":"\xff"}', b'{"environment":"production","later":' + b"[" * 100_000])
async def test_what_no_relay_would_send_is_refused(upstream: Server, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {await relay_key(upstream)}"}
    async with upstream.session.post(f"{upstream.url}/v1/relayed", data=body, headers=headers) as answer:
        assert answer.status == 422
