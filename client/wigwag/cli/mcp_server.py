"""The tools of `wigwag mcp`. Each is one request, so that the server holds the token to its role."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from wigwag.cli.admin_client import AdminClient
from wigwag.cli.exits import Stop
from wigwag.scan.findings import faults, nested
from wigwag.scan.project import scan as scan_paths
from wigwag_proto.validate import check_key

Plain = dict[str, Any]

# What an assistant can read; more is cut, and said to be.
MOST_FLAGS = 200
MOST_REFERENCES = 500


def build(admin: AdminClient) -> MCPServer:
    """Return a server of tools that speak to one environment."""
    server = MCPServer(
        "wigwag", instructions=f"Feature flags of {admin.environment}. Killing a flag turns it off for all."
    )
    tools = Tools(admin)
    for tool in (
        tools.list_flags,
        tools.explain_flag,
        tools.kill_flag,
        tools.stale_flags,
        tools.flag_references,
        tools.scan_code,
    ):
        server.tool()(tool)
    return server


class Tools:
    """What an assistant may do. What the wigwag server refuses becomes an error that says why."""

    def __init__(self, admin: AdminClient) -> None:
        self._admin = admin

    async def list_flags(self, search: str = "") -> Plain:
        """List the flags of the environment, or those with all these words in them."""
        query = [("q", search)] if search else []
        try:
            found = await self._admin.flags(query, MOST_FLAGS)
        except Stop as stop:
            raise ToolError(str(stop)) from None
        return {"environment": self._admin.environment, "flags": found, "cut": len(found) == MOST_FLAGS}

    async def explain_flag(self, key: str, context: Plain) -> Plain:
        """Say whether a flag is on for a context, such as {"userId": "ann"}, and why, step by step."""
        return await self._post(key, "explain", {"context": context})

    async def kill_flag(self, key: str, reason: str) -> Plain:
        """Turn a flag off for everyone, now. The reason is shown to whoever looks, and must say something."""
        if not reason.strip():
            raise ToolError("A kill needs a reason here: people will ask why it was killed. Ask the person for it.")
        return await self._post(key, "kill", {"reason": reason})

    async def stale_flags(self) -> Plain:
        """List the flags that should go away, with the reasons and the next step."""
        return await self._get("stale")

    async def flag_references(self, key: str) -> Plain:
        """Show where code asks for a flag, as the last scans have uploaded it."""
        _check(key)
        return await self._get("flags", key, "references")

    async def scan_code(self, path: str = ".") -> Plain:
        """Find where code asks for flags, below the folder that this was started in, and what is wrong there."""
        here, target = Path.cwd(), Path(path)
        folder = await asyncio.to_thread((here / target).resolve)
        if not folder.is_relative_to(here):
            raise ToolError(f"Only code below {here} is scanned.")
        lives = await self._get("stale", query=[("all", "true")])
        states = {each["key"]: each["state"] for each in lives["flags"]}
        found = await asyncio.to_thread(scan_paths, [folder], states)
        findings = [*nested(found.references), *faults(found.references, states)]
        return {
            "files": found.files,
            "references": msgspec.to_builtins(found.references[:MOST_REFERENCES]),
            "findings": msgspec.to_builtins(findings[:MOST_REFERENCES]),
            "cut": max(len(found.references), len(findings)) > MOST_REFERENCES,
        }

    async def _get(self, *path: str, query: Any = ()) -> Plain:
        try:
            return await self._admin.get(*path, query=query)
        except Stop as stop:
            raise ToolError(str(stop)) from None

    async def _post(self, key: str, what: str, body: Plain) -> Plain:
        _check(key)
        try:
            return await self._admin.post("flags", key, what, body=body)
        except Stop as stop:
            raise ToolError(str(stop)) from None


def _check(key: str) -> None:
    if (wrong := check_key(key)) is not None:
        raise ToolError(wrong)
