"""Guards and a real client: what an app counts reaches the server, and what that does reaches the app."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from tests.server.rollouts.test_rollouts import becomes, flag, log, start
from tests.support.receiver import receiving
from tests.support.server import Server, running
from tests.support.waiting import until, until_async
from wigwag import FlagClient
from wigwag_proto.tasks_io import Tasks

GUARD: dict[str, Any] = {"maxErrorIncrease": 0.0, "minSamples": 50}
OF_FLEET: dict[str, Any] = {"stages": [20, 60, 100], "interval": "1s"}


class Broken(Exception):
    """What the bug raises."""


class App:
    """Answers requests of many users with the new code where the flag is on, and with the old one elsewhere."""

    def __init__(self, flags: FlagClient) -> None:
        self.flags = flags
        self.bug_from = 100.0  # per cent
        self.slow = False

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            for number in range(50):
                with suppress(Broken):
                    self.answer(f"user-{number}")
            await asyncio.sleep(0.01)

    def answer(self, user: str) -> None:
        bound = self.flags.bind(user_id=user)
        known = bound.flag("checkout")
        with bound.guard("checkout") as run:
            if run.enabled and known is not None and known.rollout_percentage >= self.bug_from:
                raise Broken
        if self.slow:
            bound.track("checkout", duration_s=2.0 if run.enabled else 0.02)


@asynccontextmanager
async def app(server: Server) -> AsyncIterator[App]:
    """Run an app that reports often."""
    await server.put("checkout", enabled=True, rolloutPercentage=0)
    tasks = Tasks()
    async with server.client(report_every_s=0.1) as flags:
        await until(lambda: flags.bind().flag("checkout") is not None, "the flag in the app")
        made = App(flags)
        tasks.start("requests", made.run())
        try:
            yield made
        finally:
            await tasks.close()


async def test_a_breach_goes_back_by_one_stage_and_the_app_follows(embedded: Server) -> None:
    async with app(embedded) as running_app:
        running_app.bug_from = 60
        await start(embedded, **OF_FLEET, guard={**GUARD, "onBreach": "rollback", "rollbackTo": "previous"})
        seen = await becomes(embedded, status="rolledBack")
        assert (seen["stage"], seen["percentage"]) == (0, 20)
        assert "failed with the flag on" in seen["reason"]
        assert (await flag(embedded))["rolloutPercentage"] == 20
        await until(lambda: _percentage(running_app) == 20, "the rollback in the app")
    stages = [(await embedded.ask("GET", f"/admin/audit?action={name}")).body["entries"] for name in STEPS]
    assert [len(each) for each in stages] == [2, 1, 0]


STEPS = ("rollout.advance", "rollout.rollback", "rollout.done")


def _percentage(app: App) -> float | None:
    found = app.flags.bind().flag("checkout")
    return None if found is None else found.rollout_percentage


async def test_a_breach_kills_in_the_app_and_is_told(store_url: str, tmp_path: Any) -> None:
    async with (
        receiving() as receiver,
        running(store_url, data_dir=tmp_path / "data", webhook_allow_private=True) as server,
        app(server) as running_app,
    ):
        hook = {"url": receiver.url, "events": ["guardrail", "kill"]}
        assert (await server.ask("POST", "/admin/webhooks", json=hook)).status == 201
        running_app.bug_from = 20
        await start(server, **OF_FLEET, guard={**GUARD, "onBreach": "kill"})
        seen = await becomes(server, status="killed")
        await until(lambda: running_app.flags.explain("checkout").reason == "KILLED", "the kill in the app")
        killed = await flag(server)
        assert (killed["kill"]["by"], killed["kill"]["reason"], killed["rolloutPercentage"]) == (
            "wigwag",
            seen["reason"],
            20,
        )
        await until(lambda: len(receiver.got) == 2, "two events")
        assert {each["type"]: each.get("detail") for each in receiver.events()} == {
            "guardrail": {"did": "killed"},
            "kill": None,
        }
        await server.revive("checkout")
        resumed = await server.ask("POST", "/admin/flags/checkout/rollout/resume")
        assert resumed.body["status"] == "running"  # a person has looked at it


async def test_a_breach_that_pauses_leaves_the_flag_as_it_is_and_is_told(embedded: Server) -> None:
    async with app(embedded) as running_app:
        running_app.bug_from = 20
        await start(embedded, **OF_FLEET, guard={**GUARD, "onBreach": "pause"})
        seen = await becomes(embedded, status="paused")
        assert "failed with the flag on" in seen["reason"]
        assert ((await flag(embedded))["rolloutPercentage"], (await flag(embedded))["kill"]) == (20, None)
        (entry,) = await log(embedded, "rollout.breach")
        assert entry["comment"] == seen["reason"]


async def test_slower_code_is_found_from_what_the_app_has_measured(embedded: Server) -> None:
    async with app(embedded) as running_app:
        running_app.slow = True
        await start(embedded, stages=[50, 100], interval="1h", guard={"maxP95Increase": 0.5, "minSamples": 50})
        seen = await becomes(embedded, status="rolledBack")
    assert seen["reason"].startswith("the 95th percentile of the duration is above")
    measured = (await embedded.ask("GET", "/admin/flags/checkout/results")).body["outcomes"]
    assert measured["on"]["p95Ms"] > 1000
    assert measured["off"]["p95Ms"] < 100


async def test_apps_get_neither_rollouts_nor_guards_nor_schedules(embedded: Server) -> None:
    server = embedded
    await server.put("checkout", enabled=True, rolloutPercentage=0)
    async with server.stream() as stream:
        await server.ask("POST", "/admin/flags/checkout/guard", json={"maxErrorRate": 0.5})
        body = {"flag": "checkout", "what": "kill", "at": "2090-01-01T09:00", "comment": "a-secret-plan"}
        assert (await server.ask("POST", "/admin/schedules", json=body)).status == 201
        await start(server, interval="1h")
        await becomes(server, stage=0)
        await server.put("last", enabled=True)
        heard = b""
        while b'"last"' not in heard:
            heard += await stream.content.readline()
    assert b'"rolloutPercentage":1.0,' in heard  # the stage itself was sent
    async with server.session.get(
        server.url + "/v1/snapshot", headers={"Authorization": f"Bearer {server.key}"}
    ) as answer:
        snapshot = await answer.read()
    assert b'"checkout"' in snapshot
    for data in (heard, snapshot):
        for hidden in (b"a-secret-plan", b'"guard"', b'"schedule"', b'"rollout"', b"maxErrorRate", b"intervalMs"):
            assert hidden not in data, hidden


async def test_where_a_second_person_is_asked_for_a_ramp_waits_to_begin_and_never_to_stop(embedded: Server) -> None:
    server = embedded
    path = "/admin/flags/checkout/rollout"
    tokens = {}
    await server.put("checkout", enabled=True, rolloutPercentage=0)
    for name, role in (("ann", "editor"), ("bob", "editor"), ("olga", "operator")):
        made = await server.ask("POST", "/admin/keys", json={"kind": "admin", "role": role, "name": name})
        tokens[name] = made.body["key"]
    await server.ask("PATCH", "/admin/environments/production", json={"approvals": True})

    async def waits(path: str, **body: Any) -> None:
        """Have ann ask for something, see that nothing has happened, and have it approved by bob alone."""
        answer = await server.ask("POST", path, token=tokens["ann"], json=body)
        assert answer.status == 202, answer
        approve = f"/admin/approvals/{answer.body['approval']['id']}/approve"
        for name, status in (("ann", 403), ("olga", 403), ("bob", 200)):
            assert (await server.ask("POST", approve, token=tokens[name])).status == status

    await waits(path, stages=[5, 50], interval="1s", guard={"maxErrorRate": 0.5, "minSamples": 1_000_000})
    await becomes(server, status="running", stage=0, nextInMs=0)  # steps wait for nobody
    (entry,) = await log(server, "rollout.start")
    assert (entry["by"], entry["approvedBy"]) == ("ann", "bob")
    paused = await server.ask("POST", f"{path}/pause", token=tokens["olga"])
    assert (paused.status, paused.body["status"]) == (200, "paused")
    await waits(f"{path}/resume")
    await becomes(server, status="running")
    assert (await server.ask("POST", f"{path}/abort", token=tokens["olga"])).body["status"] == "aborted"
    await waits("/admin/flags/checkout/guard", maxErrorRate=0.5)
    await waits("/admin/schedules", flag="checkout", what="kill", at="2090-01-01T09:00")

    async def scheduled() -> bool:
        return len((await server.ask("GET", "/admin/schedules")).body["schedules"]) == 1

    await until_async(scheduled, "the schedule")
