"""A rollout goes through each of its stages once, whatever dies meanwhile."""

import time
from contextlib import ExitStack
from math import ceil
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.processes import ServerProcess, server_process
from tests.support.redis_server import RedisServer
from tests.support.waiting import until_async

STAGES = [1, 5, 25, 50, 100]


class Fleet:
    """Servers on one store, of which the one that acted last can be found and killed."""

    def __init__(self, folder: Path, store: str, stack: ExitStack) -> None:
        self._folder, self._store, self._stack = folder, store, stack
        self._number = 0
        self.killed = 0
        self._started: list[ServerProcess] = []
        self.alive: list[ServerProcess] = []
        self.took_s = 0.0  # to start one

    def add(self) -> ServerProcess:
        """Start one more."""
        self._number += 1
        folder = self._folder / f"server-{self._number}"
        folder.mkdir()
        began = time.monotonic()
        server = self._stack.enter_context(server_process(folder, store=self._store))
        self.took_s = time.monotonic() - began
        self._started.append(server)
        self.alive.append(server)
        return server

    async def kill_the_maker(self, revision: int) -> None:
        """Kill the server that made a revision, without a word; it may be dead already, having made the one before."""

        async def found() -> bool:
            return any(_made(each, revision) for each in self._started)

        await until_async(found, f"a server that says that it made revision {revision}")
        (maker,) = [each for each in self._started if _made(each, revision)]
        if maker in self.alive:
            maker.process.kill()
            maker.process.wait()
            self.alive.remove(maker)
            self.killed += 1


def _made(server: ServerProcess, revision: int) -> bool:
    lines = [line for line in server.output.splitlines() if "rollout.advance in production" in line]
    return any(f":{revision}:" in line for line in lines)


async def test_with_the_acting_server_killed_at_each_stage_every_stage_happens_once(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        fleet = Fleet(tmp_path, redis_server.url, stack)
        token = fleet.add().admin_token
        fleet.add()
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:

            async def ask(method: str, path: str, body: Any = None) -> Any:
                async with session.request(method, fleet.alive[0].url + path, json=body) as answer:
                    assert answer.status < 300, await answer.text()
                    return await answer.json()

            async def made() -> list[tuple[int, Any]]:
                """Return the stages that there were, each with its revision."""
                history = (await ask("GET", "/admin/flags/checkout/history"))["history"]
                steps = [each for each in reversed(history) if each["action"] == "rollout.advance"]
                return [(each["revision"], each["changes"][0]["after"]) for each in steps]

            await ask("POST", "/admin/flags/checkout", {"enabled": True, "rolloutPercentage": 0})
            # A stage lasts at least as long as it takes to start a server, on a machine that is as busy as now.
            interval = f"{ceil(fleet.took_s)}s"
            await ask("POST", "/admin/flags/checkout/rollout", {"stages": STAGES, "interval": interval})
            for number in range(1, len(STAGES) + 1):

                async def reached(number: int = number) -> bool:
                    return len(await made()) >= number

                await until_async(reached, f"stage {number}")
                await fleet.kill_the_maker((await made())[number - 1][0])
                if len(fleet.alive) < 2:
                    fleet.add()

            async def done() -> bool:
                return bool((await ask("GET", "/admin/flags/checkout/rollout"))["status"] == "done")

            await until_async(done, "its end")
            assert fleet.killed >= 2
            assert [percentage for _, percentage in await made()] == STAGES
            assert (await ask("GET", "/admin/flags/checkout"))["rolloutPercentage"] == 100
