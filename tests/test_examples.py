"""Each example is started as its first lines say, and a flag is flipped under it."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.support.processes import PATIENCE_S, ServerProcess, server_process
from tests.support.redis_server import free_port
from tests.support.waiting import until_async

ROOT = Path(__file__).parent.parent
PREMIUM = {"attribute": "plan", "operator": "equals", "value": "premium"}
APPS = {
    "aiohttp_app": ("examples.aiohttp_app",),
    "starlette_app": ("uvicorn", "--factory", "examples.starlette_app:build_app"),
    "fastapi_app": ("uvicorn", "--factory", "examples.fastapi_app:build_app"),
    "django_app": ("uvicorn", "--factory", "examples.django_app:build_app"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with server_process(tmp_path_factory.mktemp("examples")) as server:
        yield server


async def ask(server: ServerProcess, path: str, **body: object) -> None:
    headers = {"Authorization": f"Bearer {server.admin_token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(server.url + path, json=body, headers=headers) as answer,
    ):
        assert answer.status in (200, 201), await answer.text()


@asynccontextmanager
async def process(server: ServerProcess, *words: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    environ = {**os.environ, "WIGWAG_URL": server.url, "WIGWAG_KEY": server.server_key, "PYTHONPATH": str(ROOT)}
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *words), env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.terminate()
        await asyncio.wait_for(started.wait(), PATIENCE_S)


@pytest.mark.parametrize("name", APPS)
async def test_an_app_shows_a_kill_and_opens_a_gate(name: str, server: ServerProcess) -> None:
    await ask(server, "/admin/flags/new_checkout", enabled=True)
    await ask(server, "/admin/flags/beta", enabled=True, rules=[PREMIUM])
    url = f"http://127.0.0.1:{free_port()}"
    async with aiohttp.ClientSession() as session:

        async def gets(path: str, expected: object, **headers: str) -> bool:
            try:
                async with session.get(
                    url + path, headers={k.replace("_", "-"): v for k, v in headers.items()}
                ) as answer:
                    return expected in (answer.status, await answer.json(content_type=None))
            except (aiohttp.ClientConnectorError, json.JSONDecodeError):
                return False

        async with process(server, *APPS[name], "--port", url.rpartition(":")[2]) as app:
            await until_async(lambda: gets("/", {"new_checkout": True}), f"{name} to start")
            await ask(server, "/admin/flags/new_checkout/kill")
            await until_async(lambda: gets("/", {"new_checkout": False}), "the kill")
            await ask(server, "/admin/flags/new_checkout/revive")
            await until_async(lambda: gets("/", {"new_checkout": True}), "the revival")
            assert await gets("/beta", {"welcome": "ann"}, X_User="ann", X_Plan="premium")
            async with session.get(f"{url}/beta", headers={"X-User": "bob"}) as answer:
                assert answer.status == 404
        assert app.returncode in (0, -15)


async def test_a_worker_does_each_job_by_the_flags_of_its_moment(server: ServerProcess) -> None:
    await ask(server, "/admin/flags/new_checkout", enabled=True, rules=[PREMIUM])
    async with process(server, "examples.worker") as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        stdin, stdout = worker.stdin, worker.stdout

        async def does(order: int, user: str, plan: str) -> str:
            stdin.write(json.dumps({"user": user, "order": order, "plan": plan}).encode() + b"\n")
            return (await stdout.readline()).decode().strip()

        assert await does(1, "ann", "premium") == "order 1: the new way"
        assert await does(2, "bob", "free") == "order 2: the old way"
        await ask(server, "/admin/flags/new_checkout/kill")

        async def killed() -> bool:
            return await does(3, "ann", "premium") == "order 3: the old way"

        await until_async(killed, "the kill")
        stdin.write(b'{"no": "user"}\n')
        assert await does(4, "ann", "premium") == "order 4: the old way"
        stdin.close()
        assert await asyncio.wait_for(worker.wait(), PATIENCE_S) == 0
    await ask(server, "/admin/flags/new_checkout/revive")
