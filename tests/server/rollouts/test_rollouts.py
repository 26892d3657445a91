"""Rollouts, guards and schedules over HTTP, on each store."""

import time
from typing import Any

from tests.server.rollouts.conftest import Report
from tests.support.server import Server
from tests.support.waiting import until_async
from wigwag_proto.commit import Change

GUARD = {"maxErrorIncrease": 0.0, "minSamples": 100}


async def start(server: Server, **body: Any) -> Any:
    answer = await server.ask(
        "POST", "/admin/flags/checkout/rollout", json={"stages": [1, 10, 100], "interval": "1s", **body}
    )
    assert answer.status == 201, answer
    return answer.body


async def rollout(server: Server) -> Any:
    answer = await server.ask("GET", "/admin/flags/checkout/rollout")
    assert answer.status == 200, answer
    return answer.body


async def flag(server: Server) -> Any:
    return (await server.ask("GET", "/admin/flags/checkout")).body


async def becomes(server: Server, **wanted: Any) -> Any:
    """Wait until the rollout is so, and return it."""
    seen: Any = None

    async def so() -> bool:
        nonlocal seen
        seen = await rollout(server)
        return all(seen[name] == value for name, value in wanted.items())

    await until_async(so, f"a rollout with {wanted}, last {seen}")
    return seen


async def log(server: Server, action: str) -> list[Any]:
    return list(reversed((await server.ask("GET", f"/admin/audit?action={action}")).body["entries"]))


async def test_a_ramp_goes_through_each_stage_once_and_touches_nothing_else(server: Server) -> None:
    await server.put("checkout", enabled=True, rolloutPercentage=0, whitelist=["ann"], description="pays")
    before = await flag(server)
    await start(server)
    await becomes(server, status="done")
    entries = await log(server, "rollout.advance")
    assert [each["by"] for each in entries] == ["wigwag"] * 3
    after = await flag(server)
    assert after["rolloutPercentage"] == 100
    moving = ("rolloutPercentage", "updatedAt", "revision")
    assert {k: v for k, v in after.items() if k not in moving} == {k: v for k, v in before.items() if k not in moving}
    history = (await server.ask("GET", "/admin/flags/checkout/history")).body["history"]
    steps = [item["changes"][0]["after"] for item in history if item["action"] == "rollout.advance"]
    assert steps == [100, 10, 1]


async def test_apps_are_not_sent_what_only_servers_need(server: Server) -> None:
    await server.put("checkout", enabled=True, rolloutPercentage=0)
    async with server.client() as client:
        await start(server, interval="1h")
        await becomes(server, stage=0)
        flags = (await server.ask("GET", "/v1/snapshot", token=server.key)).body
        assert "rollouts" not in flags
        await until_async(lambda: _has(client, 1), "the first stage in the app")


async def _has(client: Any, percentage: float) -> bool:
    found = client.bind().flag("checkout")
    return found is not None and found.rollout_percentage == percentage


async def test_an_edit_by_hand_and_a_kill_pause_it_and_it_is_resumed_from_there(server: Server) -> None:
    await server.put("checkout", enabled=True, rolloutPercentage=0)
    await start(server, interval="1h")
    await becomes(server, stage=0)
    await server.ask("PATCH", "/admin/flags/checkout", json={"rolloutPercentage": 30})
    seen = await becomes(server, status="paused")
    assert seen["reason"] == "the percentage was changed by hand from 1 to 30"
    assert (await server.ask("POST", "/admin/flags/checkout/rollout/resume")).body["status"] == "running"
    seen = await becomes(server, stage=1)
    assert (await flag(server))["rolloutPercentage"] == 30
    await server.kill("checkout")
    seen = await becomes(server, status="paused")
    assert "was killed by" in seen["reason"]
    refused = await server.ask("POST", "/admin/flags/checkout/rollout/resume")
    assert refused.status == 409
    await server.revive("checkout")
    assert (await rollout(server))["status"] == "paused"
    aborted = await server.ask("POST", "/admin/flags/checkout/rollout/abort", json={"comment": "enough"})
    assert aborted.body["status"] == "aborted"
    assert (await server.ask("POST", "/admin/flags/checkout/rollout/resume")).status == 409


async def test_a_bug_is_found_and_rolled_back_with_the_reason_in_the_log(server: Server, report: Report) -> None:
    await server.put("checkout", enabled=True, rolloutPercentage=0)
    await report(server, "checkout", (1000, 900), (1000, 0))  # of a former try: it does not count
    await start(server, stages=[10, 100], interval="1h", guard=GUARD)
    await becomes(server, stage=0)
    await report(server, "checkout", (1000, 50), (9000, 90))
    seen = await becomes(server, status="rolledBack")
    assert seen["reason"] == "50 of 1,000 runs (5.00%) failed with the flag on, 90 of 9,000 runs (1.00%) with it off"
    assert (await flag(server))["rolloutPercentage"] == 0
    (entry,) = await log(server, "rollout.rollback")
    assert (entry["by"], entry["comment"]) == ("wigwag", seen["reason"])


async def test_it_waits_for_enough_runs_and_says_so(server: Server, report: Report) -> None:
    await server.put("checkout", enabled=True, rolloutPercentage=0)
    await start(server, stages=[10, 100], guard=GUARD)
    seen = await becomes(server, stage=0, nextInMs=0)
    assert seen["waitsFor"] == "0 of 100 runs with the flag on"
    await report(server, "checkout", (150, 1), (1000, 10))
    seen = await becomes(server, stage=1)
    assert seen["measured"]["on"]["runs"] == 0


async def test_what_cannot_begin_is_refused(server: Server) -> None:
    async def refused(status: int, **body: Any) -> str:
        answer = await server.ask("POST", "/admin/flags/checkout/rollout", json=body)
        assert answer.status == status, answer
        return str(answer.body)

    plan: dict[str, Any] = {"stages": [1, 100], "interval": "1h"}
    await refused(404, **plan)
    await server.put("checkout", enabled=False, rolloutPercentage=0)
    assert "is off" in await refused(409, **plan)
    await server.put("checkout", enabled=True, rolloutPercentage=50)
    assert "would take it from users" in await refused(409, **plan)
    await server.put("checkout", enabled=True, rolloutPercentage=0)
    for wrong in (
        {"stages": [], "interval": "1h"},
        {"stages": [5, 5], "interval": "1h"},
        {"stages": [1, 101], "interval": "1h"},
        {"stages": [1], "interval": "soon"},
        {"stages": [1]},
        {**plan, "guard": {}},
        {**plan, "guard": {"maxErrorRate": 2}},
        {**plan, "guard": {**GUARD, "onBreach": "panic"}},
        {**plan, "gaurd": GUARD},
    ):
        await refused(422, **wrong)
    await start(server)
    assert "is running already" in await refused(409, **plan)


async def test_an_operator_may_stop_it_and_not_start_it(server: Server) -> None:
    await server.put("checkout", enabled=True, rolloutPercentage=0)
    made = await server.ask("POST", "/admin/keys", json={"kind": "admin", "role": "operator", "name": "ann"})
    plan = {"stages": [1, 100], "interval": "1h"}
    path = "/admin/flags/checkout/rollout"
    assert (await server.ask("POST", path, json=plan, token=made.body["key"])).status == 403
    await start(server, interval="1h")
    paused = await server.ask("POST", f"{path}/pause", token=made.body["key"])
    assert (paused.status, paused.body["reason"]) == (200, "paused by ann")
    assert (await server.ask("POST", f"{path}/resume", token=made.body["key"])).status == 403


async def test_a_deleted_flag_takes_its_rollout_with_it(server: Server) -> None:
    await server.put("checkout", enabled=True, rolloutPercentage=0)
    await start(server, interval="1h")
    await server.ask("DELETE", "/admin/flags/checkout?confirm=checkout")
    records = server.services.environments["production"].replica.records
    await until_async(lambda: _gone(records), "the end of its record")


async def _gone(records: Any) -> bool:
    return not records.get("rollout")


async def test_a_standing_guard_kills_and_in_a_dry_run_only_says_so(server: Server, report: Report) -> None:
    await server.put("checkout", enabled=True)
    answer = await server.ask("POST", "/admin/flags/checkout/guard", json={"maxErrorRate": 0.02, "dryRun": True})
    assert answer.status == 200, answer
    # What was counted in the minute of its setting does not count, so it is set back.
    await set_back(server)
    await report(server, "checkout", (1000, 100), (0, 0))

    async def acted() -> bool:
        return (await server.ask("GET", "/admin/flags/checkout/guard")).body["actedAt"] is not None

    await until_async(acted, "the guard to say something")
    assert (await flag(server))["kill"] is None
    assert (await log(server, "guard.would-kill"))[0]["comment"].startswith("100 of 1,000 runs (10.00%) failed")
    await server.ask("POST", "/admin/flags/checkout/guard", json={"maxErrorRate": 0.02})
    await set_back(server)

    async def killed() -> bool:
        return (await flag(server))["kill"] is not None

    await until_async(killed, "the kill")
    assert (await flag(server))["kill"]["by"] == "wigwag"
    assert (await server.ask("DELETE", "/admin/flags/checkout/guard")).status == 204
    assert (await server.ask("GET", "/admin/flags/checkout/guard")).status == 404


async def set_back(server: Server) -> None:
    """Make the guard as old as a guard that has been there for an hour."""
    environment = server.services.environments["production"]

    class SetBack:
        action = "test.set-back"

        def __call__(self, records: Any, revision: int, at: int) -> Any:  # noqa: ARG002
            record = records["guard"]["checkout"]
            return [Change("guard", "checkout", {**record, "setAt": at - 3_600_000})]

    await environment.commit(SetBack())


async def test_what_cannot_be_gone_on_with_holds_up_nothing_else(server: Server) -> None:
    for key in ("a-first", "checkout"):
        await server.put(key, enabled=True, rolloutPercentage=0)
    await server.ask("POST", "/admin/flags/a-first/rollout", json={"stages": [1, 100], "interval": "1h"})

    class Spoil:
        action = "test.spoil"

        def __call__(self, records: Any, revision: int, at: int) -> Any:  # noqa: ARG002
            return [Change("flag", "a-first", {**records["flag"]["a-first"], "rolloutPercentage": {}})]

    await server.services.environments["production"].commit(Spoil())
    await start(server)
    soon = round(time.time() * 1000) + 500
    kill = await server.ask("POST", "/admin/schedules", json={"flag": "checkout", "what": "kill", "at": soon})
    assert kill.status == 201, kill
    await becomes(server, status="paused")
    assert (await flag(server))["kill"] is not None
    assert not server.services.tasks.failures


async def test_what_is_scheduled_is_done_once_at_its_time(server: Server) -> None:
    await server.put("checkout", enabled=True)

    async def add(**body: Any) -> Any:
        return await server.ask("POST", "/admin/schedules", json={"flag": "checkout", **body})

    soon = round(time.time() * 1000) + 700
    change = await add(what="change", at=soon, patch={"rolloutPercentage": 30})
    kill = await add(what="kill", at=soon + 300, comment="maintenance")
    later = await add(what="revive", at="2090-01-01T09:00", timeZone="Europe/Berlin")
    assert (change.status, kill.status, later.status) == (201, 201, 201), (change, kill, later)

    async def done() -> bool:
        listed = (await server.ask("GET", "/admin/schedules?status=done")).body["schedules"]
        return len(listed) == 2

    await until_async(done, "both")
    now = await flag(server)
    assert (now["rolloutPercentage"], now["kill"]["reason"]) == (30, "maintenance")
    assert len(await log(server, "schedule.done")) == 2
    assert (await server.ask("DELETE", f"/admin/schedules/{later.body['id']}")).status == 204
    assert (await server.ask("DELETE", f"/admin/schedules/{later.body['id']}")).status == 409
    (cancelled,) = (await server.ask("GET", "/admin/schedules?status=cancelled")).body["schedules"]
    assert cancelled["detail"].startswith("cancelled by")


async def test_what_cannot_be_done_by_then_has_failed_and_says_why(server: Server) -> None:
    await server.put("checkout", enabled=True)
    soon = round(time.time() * 1000) + 700
    await server.ask("POST", "/admin/schedules", json={"flag": "checkout", "what": "kill", "at": soon})
    await server.ask("DELETE", "/admin/flags/checkout?confirm=checkout")

    async def failed() -> bool:
        listed = (await server.ask("GET", "/admin/schedules")).body["schedules"]
        return [(each["status"], "There is no flag" in each["detail"]) for each in listed] == [("failed", True)]

    await until_async(failed, "the failure")


async def test_a_schedule_that_makes_no_sense_is_refused(server: Server) -> None:
    await server.put("checkout", enabled=True)
    good = {"flag": "checkout", "what": "kill", "at": "2090-01-01T09:00"}
    for wrong, status in (
        ({"at": "2020-01-01T09:00"}, 422),
        ({"timeZone": "Mars/Base"}, 422),
        ({"what": "explode"}, 422),
        ({"what": "change"}, 422),
        ({"what": "change", "patch": {"rolloutPercentage": 300}}, 422),
        ({"what": "change", "patch": {"kill": None, "killSwitch": True}}, 422),
        ({"flag": "nothing"}, 404),
    ):
        answer = await server.ask("POST", "/admin/schedules", json={**good, **wrong})
        assert answer.status == status, (wrong, answer)


async def test_results_say_plainly_when_there_is_too_little(server: Server, report: Report) -> None:
    await server.put("checkout", enabled=True, rolloutPercentage=50)
    path = "/admin/flags/checkout/results"
    assert "Too little data" in (await server.ask("GET", path)).body["verdict"]
    await report(server, "checkout", (1000, 100), (1000, 10))
    found = (await server.ask("GET", path)).body
    assert found["verdict"] == "More fails with the flag on than with it off."
    low, high = found["outcomes"]["on"]["errorRateBetween"]
    assert 0.05 < low < 0.1 < high < 0.2


async def test_results_tell_how_each_variant_fared(server: Server) -> None:
    variants = [{"name": name, "weight": 1} for name in ("blue", "red", "grey")]
    await server.put("checkout", enabled=True, variants=variants)
    path = "/admin/flags/checkout/results"
    known = {each["variant"]: each for each in (await server.ask("GET", path)).body["variants"]}
    assert set(known) == {"blue", "red", "grey"}
    assert known["grey"]["verdict"] == "Too little data: 0 runs, and at least 100 are needed."
    assert (known["grey"]["errorRate"], known["grey"]["errorRateBetween"], known["grey"]["p95Ms"]) == (None, None, None)
    async with server.client(report_every_s=0.1) as flags:
        for name, errors in (("blue", 10), ("red", 200), ("gone", 1)):
            for number in range(1000):
                flags.track("checkout", error=number < errors, duration_s=0.004, variant=name)
        flags.track("checkout", duration_s=0.004)

        async def counted() -> bool:
            return bool((await server.ask("GET", path)).body["outcomes"]["on"]["runs"] == 3001)

        await until_async(counted, "the runs")
    found = (await server.ask("GET", path)).body
    known = {each["variant"]: each for each in found["variants"]}
    assert set(known) == {"blue", "red", "grey", "<others>"}
    assert (known["blue"]["runs"], known["blue"]["errors"], known["red"]["errorRate"]) == (1000, 10, 0.2)
    assert known["red"]["verdict"] == "More fails than with the other variants."
    assert known["blue"]["verdict"] == "Less fails than with the other variants."
    low, high = known["red"]["errorRateBetween"]
    assert 0.1 < low < 0.2 < high < 0.3
    assert 2.5 < known["blue"]["p95Ms"] <= 5
    assert found["outcomes"]["on"]["errors"] == 211
    assert "confidence sequences" in found["method"]
