"""`wigwag mcp`: an assistant that speaks to the real command, which speaks to a real server."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters

from tests.client.cli.conftest import Wigwag
from tests.support.processes import BIN, ServerProcess


@asynccontextmanager
async def assistant(server: ServerProcess, token: str, folder: Path) -> AsyncIterator[Client]:
    """Connect to `wigwag mcp` with a token."""
    environment = {**os.environ, "WIGWAG_URL": server.url, "WIGWAG_TOKEN": token}
    command = StdioServerParameters(command=str(BIN / "wigwag"), args=["mcp"], env=environment, cwd=folder)
    async with Client(command) as client:
        yield client


def text(result: Any) -> str:
    return " ".join(each.text for each in result.content)


def test_an_assistant_can_do_what_its_token_may(
    wigwag: Wigwag, cli_server: ServerProcess, key: str, tmp_path: Path
) -> None:
    assert wigwag("set", key, "--on").code == 0
    viewer = wigwag("keys", "create", "admin", "--name", "looker", "--role", "viewer").out.strip()
    operator = wigwag("keys", "create", "admin", "--name", "killer", "--role", "operator").out.strip()
    (tmp_path / "app.py").write_text(f'flags.is_enabled("{key}")\nflags.is_enabled("{key}x")\n')
    asyncio.run(look(cli_server, viewer, key, tmp_path))
    asyncio.run(kill(cli_server, operator, key, tmp_path))
    assert "payments fail" in wigwag("show", key).out


async def look(server: ServerProcess, token: str, key: str, folder: Path) -> None:
    """Do all that a viewer may, and try to kill."""
    async with assistant(server, token, folder) as client:
        listed = await client.call_tool("list_flags", {"search": key})
        assert key in text(listed)
        explained = await client.call_tool("explain_flag", {"key": key, "context": {"userId": "ann"}})
        assert "STATIC" in text(explained)
        assert not (await client.call_tool("stale_flags", {})).is_error
        assert "there is no such flag" in text(await client.call_tool("scan_code", {}))
        assert (await client.call_tool("scan_code", {"path": "/etc"})).is_error
        refused = await client.call_tool("kill_flag", {"key": key, "reason": "because"})
        assert refused.is_error
        assert "operator" in text(refused)


async def kill(server: ServerProcess, token: str, key: str, folder: Path) -> None:
    """Kill, with a reason alone."""
    async with assistant(server, token, folder) as client:
        assert (await client.call_tool("kill_flag", {"key": key, "reason": " "})).is_error
        assert (await client.call_tool("kill_flag", {"key": "../keys", "reason": "x"})).is_error
        killed = await client.call_tool("kill_flag", {"key": key, "reason": "payments fail"})
        assert not killed.is_error, text(killed)
