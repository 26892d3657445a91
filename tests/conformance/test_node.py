"""A client in another language, which shares no code with this one: it passes the vectors, and follows a server.

It shows that docs/protocol.md and docs/model.md say all that is needed. When a test here fails after a change
of the protocol, change the documents first, and the client by what they say.
"""

import asyncio
import json
import shutil
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import ServerProcess, run_command, server_process

HERE = Path(__file__).parent
VECTORS = HERE.parents[1] / "proto" / "vectors"
NODE = shutil.which("node")

pytestmark = pytest.mark.skipif(NODE is None, reason="there is no node on this machine")


async def node(*words: str) -> Process:
    assert NODE is not None
    return await asyncio.create_subprocess_exec(NODE, *words, cwd=HERE, stdout=PIPE, stderr=PIPE)


async def test_it_passes_all_vectors() -> None:
    process = await node("vectors.mjs", str(VECTORS))
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    result = json.loads(out)
    assert result["failed"] == []
    there = {path.stem: len(json.loads(path.read_text())["cases"]) for path in VECTORS.glob("*.json")}
    assert result["passed"] == there


async def test_it_follows_a_server_and_resumes(tmp_path: Path) -> None:
    process = None
    try:
        with server_process(tmp_path) as server:
            wigwag(server, "set", "checkout", "--on")
            process = await node("follow.mjs", server.url, server.server_key, "checkout", "ann")
            await said(process, reason="STATIC")
            wigwag(server, "kill", "checkout")
            killed = await said(process, reason="KILLED")
            assert killed["by"] == "patch"
        with server_process(tmp_path, listen=server.url.removeprefix("http://")) as server:
            again = await said(process, outcome="hello")
            assert again["by"] == "current"
            assert again["cursor"] == killed["cursor"]
            wigwag(server, "revive", "checkout")
            wigwag(server, "set", "checkout", "--deny", "ann")
            assert (await said(process, reason="BLACKLISTED"))["by"] == "patch"
    finally:
        if process is not None:
            process.kill()
            await process.wait()


def wigwag(server: ServerProcess, *words: str) -> None:
    done = run_command("wigwag", *words, folder=server.folder)
    assert done.returncode == 0, done.stderr


async def said(process: Process, **wanted: Any) -> dict[str, Any]:
    """Read on to a line with these members."""
    assert process.stdout is not None
    async with asyncio.timeout(20):
        async for line in process.stdout:
            told: dict[str, Any] = json.loads(line)
            if wanted.items() <= told.items():
                return told
    raise AssertionError("the client ended")
