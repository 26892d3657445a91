"""What was scheduled for a time at which no server ran is skipped or done late, as it says."""

import time
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.processes import ServerProcess, server_process
from tests.support.waiting import until, until_async


async def ask(server: ServerProcess, method: str, path: str, body: Any = None) -> Any:
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {server.admin_token}"}) as session,
        session.request(method, server.url + path, json=body) as answer,
    ):
        assert answer.status < 300, await answer.text()
        return await answer.json()


async def test_what_was_due_while_no_server_ran_is_skipped_or_done_late_once(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        began = time.time()
        for key in ("skipped", "late"):
            await ask(server, "POST", f"/admin/flags/{key}", {"enabled": True})
        # As far ahead as a machine that is as busy as now needs, so that the server is gone by then.
        due = round((time.time() + 1 + 10 * (time.time() - began)) * 1000)
        for key, missed in (("skipped", "skip"), ("late", "do")):
            body = {"flag": key, "what": "kill", "at": due, "grace": "1s", "missed": missed, "comment": "maintenance"}
            await ask(server, "POST", "/admin/schedules", body)
        server.process.kill()
        server.process.wait()
    await until(lambda: time.time() * 1000 > due + 1000, "the time to be over", timeout_s=60)
    with server_process(tmp_path) as server:

        async def over() -> bool:
            listed = (await ask(server, "GET", "/admin/schedules"))["schedules"]
            return all(each["status"] != "pending" for each in listed)

        await until_async(over, "both to be looked at")
        listed = {each["flag"]: each for each in (await ask(server, "GET", "/admin/schedules"))["schedules"]}
        assert (listed["skipped"]["status"], listed["late"]["status"]) == ("skipped", "done")
        assert listed["skipped"]["detail"] == "no server could act at that time"
        assert (await ask(server, "GET", "/admin/flags/skipped"))["kill"] is None
        killed = (await ask(server, "GET", "/admin/flags/late"))["kill"]
        assert killed["reason"] == "maintenance"
        assert killed["at"] > due
        actions = [each["action"] for each in (await ask(server, "GET", "/admin/audit"))["entries"]]
        assert (actions.count("schedule.skipped"), actions.count("schedule.done")) == (1, 1)
    with server_process(tmp_path) as server:
        assert (await ask(server, "GET", "/admin/flags/late"))["kill"] == killed
