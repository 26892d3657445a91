"""What clients tell over HTTP, and what operators are told of it."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.server import Server, running
from tests.support.waiting import until, until_async
from wigwag import Circuit
from wigwag_proto.sse import SseParser
from wigwag_proto.telemetry import INSTANCE_HEADER
from wigwag_server.instances.roster import Roster
from wigwag_server.settings import Limits

WHO = {"id": "instance1", "label": "shop", "host": "web", "pid": 7, "sdk": "raw/1"}


async def report(server: Server, **body: Any) -> Any:
    return await server.ask("POST", "/v1/telemetry", token=server.key, json={"instance": WHO, **body})


async def propagation(server: Server, revision: int) -> Any:
    answer = await server.ask("GET", f"/admin/propagation/{revision}")
    assert answer.status == 200, answer
    return answer.body


async def instances(server: Server, query: str = "") -> Any:
    answer = await server.ask("GET", f"/admin/instances{query}")
    assert answer.status == 200, answer
    return answer.body


async def cursor(server: Server) -> str:
    return str(server.services.environments["production"].replica.cursor)


async def test_a_kill_that_waits_tells_that_everybody_has_it(server: Server) -> None:
    await server.put("checkout", enabled=True)
    rarely: dict[str, Any] = {"report_every_s": 3600}  # so that nothing but the kill makes them report
    async with server.client(**rarely) as one, server.client(**rarely), server.client(**rarely):
        answer = await server.ask("POST", "/admin/flags/checkout/kill?wait=10s")
        assert not one.is_enabled("checkout")
    assert answer.status == 200
    assert answer.body["key"] == "checkout"
    proof = answer.body["propagation"]
    assert (proof["complete"], proof["frozen"], proof["instances"]) == (True, True, 3)
    assert proof["counts"] == {"confirmed": 3, "pending": 0, "lost": 0, "unknown": 0, "left": 0}
    assert 0 <= proof["ms"]["p50"] <= proof["ms"]["p99"] <= proof["ms"]["max"]
    revived = await server.ask("POST", "/admin/flags/checkout/revive?wait=10s")
    assert revived.body["propagation"]["counts"]["confirmed"] == 0
    assert revived.body["propagation"]["counts"]["left"] == 0  # they left before


async def test_a_wait_that_is_no_time_kills_nothing(server: Server) -> None:
    await server.put("checkout", enabled=True)
    for wait in ("", "soon", "0s", "61s", "-1s", "1e9s"):
        answer = await server.ask("POST", f"/admin/flags/checkout/kill?wait={wait}")
        assert answer.status == 422, wait
    assert (await server.ask("GET", "/admin/flags/checkout")).body["kill"] is None


async def test_a_stream_that_does_not_confirm_is_pending_by_name_until_it_does(server: Server) -> None:
    await server.put("checkout", enabled=True)
    header = {INSTANCE_HEADER: "id=instance1&label=shop&host=web&pid=7&sdk=raw/1"}
    async with server.stream(**header), server.stream():
        await until_async(lambda: _there(server, "stream", 1), "the seat")
        before = await cursor(server)
        killed = await server.ask("POST", "/admin/flags/checkout/kill?wait=200ms")
        proof = killed.body["propagation"]
        (pending,) = proof["pending"]
        assert (pending["name"], pending["sdk"], pending["revision"]) == ("shop@web:7", "raw/1", None)
        assert (proof["complete"], proof["anonymousStreams"], proof["servers"]) == (False, 1, 1)
        revision = killed.body["revision"]
        assert (await report(server, applied=[{"cursor": before, "heldMs": 0}])).status == 204
        assert (await report(server, applied=[{"cursor": await cursor(server), "heldMs": 5}])).status == 204
        await until_async(lambda: _complete(server, revision), "the confirmation")
        (listed,) = (await instances(server))["instances"]
        assert (listed["current"], listed["revision"], listed["state"]) == (True, revision, "stream")
        # Held back for longer than it can have been in force: the clock of a client cannot make it look faster.
        assert (await propagation(server, revision))["ms"]["max"] >= 0
    await until_async(lambda: _there(server, "lost", 1), "the loss")


async def test_the_live_stream_tells_how_it_spreads_and_ends_when_it_is_everywhere(server: Server) -> None:
    await server.put("checkout", enabled=True)
    async with server.stream(**{INSTANCE_HEADER: "id=instance1"}):
        await until_async(lambda: _there(server, "stream", 1), "the seat")
        revision = (await server.kill("checkout"))["revision"]
        headers = {"Accept": "text/event-stream", "Authorization": "Bearer ww_admin_of-the-tests-0123456789"}
        parser, told = SseParser(), []
        async with server.session.get(f"{server.url}/admin/propagation/{revision}", headers=headers) as live:
            async for chunk in live.content.iter_any():
                told += parser.feed(chunk)
                if len(told) == 1:
                    await report(server, applied=[{"cursor": await cursor(server), "heldMs": 1}])
    assert [event.event for event in told] == ["propagation", "propagation"]
    assert '"complete":false' in told[0].data
    assert '"complete":true' in told[1].data


async def test_a_revision_that_is_no_kill_is_told_by_what_everybody_has_now(server: Server) -> None:
    async with server.client(report_every_s=0.1):
        revision = (await server.put("checkout", enabled=True))["revision"]
        await until_async(lambda: _confirmed(server, revision, 1), "the report")
    found = await propagation(server, revision)
    assert (found["frozen"], found["ms"]["max"]) == (False, None)
    for path in ("999", "-1", "x", "1e3"):
        assert (await server.ask("GET", f"/admin/propagation/{path}")).status == 404


async def test_usage_is_counted_by_outcome_and_unknown_names_are_told(server: Server) -> None:
    await server.put("checkout", enabled=True)
    async with server.client() as flags:
        for _ in range(3):
            flags.is_enabled("checkout", user_id="u1")
            flags.is_enabled("chekout", default=True)
    found = (await server.ask("GET", "/admin/flags/checkout/metrics")).body
    assert (found["total"], found["enabled"], found["enabledPercent"], found["bucketS"]) == (3, 3, 100.0, 60)
    assert found["lastAskedAt"] is not None
    hourly = (await server.ask("GET", "/admin/flags/checkout/metrics?over=30d")).body
    assert (hourly["total"], hourly["bucketS"]) == (3, 3600)
    usage = (await server.ask("GET", "/admin/usage")).body
    (unknown,) = usage["unknown"]
    assert (unknown["name"], unknown["count"], unknown["nearest"]) == ("chekout", 3, ["checkout"])
    assert "wigwag set chekout" in unknown["suggestion"]
    await server.put("chekout")
    assert (await server.ask("GET", "/admin/usage")).body["unknown"] == []


async def test_a_flag_that_nobody_asked_for_has_no_shares(server: Server) -> None:
    await server.put("checkout", enabled=True)
    found = (await server.ask("GET", "/admin/flags/checkout/metrics")).body
    assert (found["total"], found["enabledPercent"], found["lastAskedAt"], found["buckets"]) == (0, None, None, [])
    assert (await server.ask("GET", "/admin/flags/chekout/metrics")).body["nearest"] == ["checkout"]
    for over in ("0h", "61d", "x", "25", "1w"):
        assert (await server.ask("GET", f"/admin/flags/checkout/metrics?over={over}")).status == 422


async def test_a_batch_that_is_sent_again_counts_once(server: Server) -> None:
    await server.put("checkout", enabled=True)
    rows = [{"flag": "checkout", "enabled": True, "reason": "STATIC", "count": 5}]
    together = await asyncio.gather(*(report(server, batch=1, usage=rows) for _ in range(5)))
    assert {answer.status for answer in together} == {204}
    assert (await report(server, batch=1, usage=rows)).status == 204
    assert (await server.ask("GET", "/admin/flags/checkout/metrics")).body["total"] == 5
    assert (await report(server, batch=2, usage=rows)).status == 204
    assert (await server.ask("GET", "/admin/flags/checkout/metrics")).body["total"] == 10


async def test_outcomes_are_kept_by_on_and_off(server: Server) -> None:
    await server.put("checkout", enabled=True)
    rows = [
        {"flag": "checkout", "enabled": True, "calls": 4, "errors": 1, "durationMs": 40},
        {"flag": "checkout", "enabled": False, "calls": 2},
    ]
    assert (await report(server, batch=1, outcomes=rows)).status == 204
    found = (await server.ask("GET", "/admin/flags/checkout/metrics")).body["outcomes"]
    assert found["on"] == {"calls": 4, "errors": 1, "errorPercent": 25.0, "meanMs": 10.0}
    assert found["off"] == {"calls": 2, "errors": 0, "errorPercent": 0.0, "meanMs": 0.0}


async def test_a_report_out_of_bounds_is_refused_and_says_why(server: Server) -> None:
    many = [{"flag": "f", "enabled": True, "reason": "STATIC", "count": 1}] * 1001
    answer = await report(server, batch=1, usage=many)
    assert answer.status == 422
    assert "usage" in answer.body["detail"]
    assert (await server.ask("POST", "/v1/telemetry", token=server.key, data=b"{")).status == 422
    assert (await server.ask("POST", "/v1/telemetry", token=None, json={})).status == 401


async def test_who_closes_has_left_and_keeps_nobody_waiting(server: Server) -> None:
    await server.put("checkout", enabled=True)
    async with server.stream(**{INSTANCE_HEADER: "id=instance1"}):
        await until_async(lambda: _there(server, "stream", 1), "the seat")
        revision = (await server.kill("checkout"))["revision"]
        assert not (await propagation(server, revision))["complete"]
        assert (await report(server, closing=True)).status == 204
        await until_async(lambda: _complete(server, revision), "the leaving")
    found = await propagation(server, revision)
    assert (found["counts"]["left"], found["counts"]["lost"], found["instances"]) == (1, 0, 0)


async def test_instances_are_listed_by_state_and_up_to_a_limit(server: Server) -> None:
    rarely: dict[str, Any] = {"report_every_s": 3600}
    async with server.client(label="one", **rarely), server.client(label="two", **rarely):
        await until_async(lambda: _there(server, "stream", 2), "both")
        (first,) = (await instances(server, "?limit=1"))["instances"]
        assert first["name"].startswith("one@")
        some = await instances(server, "?limit=1")
        assert (some["total"], sum(some["sdks"].values())) == (2, 2), "they are counted beyond the limit"
        await server.put("checkout")
        assert (await instances(server, "?limit=1"))["behind"] == 2
        assert (await instances(server, "?state=lost"))["instances"] == []
        (seen,) = (await instances(server))["servers"]
        assert (seen["alive"], seen["anonymousStreams"]) == (True, 0)
    for query in ("?limit=0", "?limit=x", "?state=asleep"):
        assert (await server.ask("GET", f"/admin/instances{query}")).status == 422


class SlowRoster:
    """A roster behind a slow link: what is written about seats waits until the link lets it through."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self.through = asyncio.Event()
        self.waiting = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._roster, name)

    async def update(self, *words: Any) -> bool:
        self.waiting += 1
        await self.through.wait()
        return await self._roster.update(*words)


async def test_who_starts_while_the_roster_is_slow_is_known_to_be_current(server: Server) -> None:
    await server.put("checkout", enabled=True)
    presence = server.services.instances.of("production")
    await until_async(lambda: _servers(server, 1), "the first sign of life")
    presence._roster = slow = SlowRoster(presence._roster)
    await until(lambda: slow.waiting == 1, "seats to be on their way")
    async with server.client(report_every_s=3600):  # so that what it has is known from its stream alone
        await until(lambda: presence.streams == 1, "its stream, which says what it has")
        slow.through.set()

        async def current() -> bool:
            return [each["current"] for each in (await instances(server))["instances"]] == [True]

        await until_async(current, "it to be current")


async def _servers(server: Server, number: int) -> bool:
    return len((await instances(server))["servers"]) == number


async def test_more_instances_than_the_limit_are_streams_without_a_name(store_url: str, tmp_path: Path) -> None:
    async with running(store_url, data_dir=tmp_path / "data", limits=Limits(instances=1)) as server:
        async with server.client(), server.client(), server.client():
            await server.put("checkout", enabled=True)
            proof = (await server.ask("POST", "/admin/flags/checkout/kill?wait=10s")).body["propagation"]
        assert (proof["instances"], proof["complete"]) == (1, True)


async def _there(server: Server, state: str, number: int) -> bool:
    found: int = (await instances(server))["counts"][state]
    return found == number


async def _complete(server: Server, revision: int) -> bool:
    return bool((await propagation(server, revision))["complete"])


async def _confirmed(server: Server, revision: int, number: int) -> bool:
    found: int = (await propagation(server, revision))["counts"]["confirmed"]
    return found == number


async def test_operators_see_at_once_where_a_circuit_has_tripped(server: Server) -> None:
    await server.put("f", enabled=True)

    async def told(wanted: dict[str, int]) -> Any:
        seen: Any = None

        async def so() -> bool:
            nonlocal seen
            seen = await instances(server)
            return bool(seen["tripped"] == wanted)

        await until_async(so, f"{wanted} to be listed")
        return seen["instances"]

    circuit = Circuit(errors=3, cool_down_s=0)
    async with server.client(report_every_s=3600.0, label="shop") as flags:
        await until(lambda: flags.is_enabled("f"), "the flag")
        for _ in range(3):
            with suppress(ZeroDivisionError), flags.guard("f", trip=circuit):
                raise ZeroDivisionError
        (instance,) = await told({"f": 1})
        assert [(each["flag"], each["sinceAgoMs"] >= 0) for each in instance["tripped"]] == [("f", True)]
        with flags.guard("f", trip=circuit):
            pass
        (instance,) = await told({})
        assert instance["tripped"] == []
