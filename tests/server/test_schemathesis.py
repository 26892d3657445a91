"""schemathesis asks a server for everything that /openapi.json promises, and for much that it does not."""

import asyncio
import os
from pathlib import Path

from tests.support.processes import BIN
from tests.support.server import ADMIN_TOKEN, Server, running
from wigwag_server.settings import Limits

# A body can be of its type and be refused all the same: references to nothing, a key twice, a condition that is not
# met. Those answers are correct, so they count as expected for what is valid.
# A condition is mostly not met, and then nothing is learnt of the body beside it: conditions have tests of their own.
SETTINGS = """
[parameters]
"header.If-Match" = "*"

[auth.openapi.adminToken]
bearer = "${ADMIN_TOKEN}"

[auth.openapi.serverKey]
bearer = "${SERVER_KEY}"

[auth.openapi.clientKey]
bearer = "${SERVER_KEY}"

[auth.openapi.hookKey]
bearer = "${HOOK_KEY}"

[checks.positive_data_acceptance]
expected-statuses = ["2xx", 304, 401, 403, 404, 409, 412, 422]

[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 412, 413, 415, 422]
"""


# What would take the token of the run away, or have every later change wait for a second person: looked at last.
LAST = ("revoke_key", "edit_environment")
# A run sends wrong keys on purpose, and more than anybody writes.
PATIENT = Limits(failed_keys=1_000_000, writes=1_000_000)


async def examined(server: Server, folder: Path, *options: str) -> None:
    """Run schemathesis on a server, with every check that it has. The stream never ends, so it has its own tests."""
    asked = {"kind": "hook", "flags": ["checkout"], "name": "alerts"}
    hook = (await server.ask("POST", "/admin/keys", json=asked)).body["key"]
    first = [word for each in LAST for word in ("--exclude-operation-id", each)]
    # A test of a webhook waits for a host that is not there, and for its name.
    without = [word for path in ("/v1/stream", "/admin/webhooks/{id}/test") for word in ("--exclude-path", path)]
    await _run(server, folder, hook, *without, *first, *options)
    last = [word for each in LAST for word in ("--include-operation-id", each)]
    await _run(server, folder, hook, "--phases", "examples,coverage,fuzzing", *last, *options)


async def _run(server: Server, folder: Path, hook: str, *options: str) -> None:
    (folder / "schemathesis.toml").write_text(SETTINGS)
    process = await asyncio.create_subprocess_exec(
        BIN / "st",
        # How long an answer takes says something about the machine, not about the API.
        *("run", f"{server.url}/openapi.json", "--checks", "all", "--request-timeout", "60", *options),
        cwd=folder,
        env={**os.environ, "ADMIN_TOKEN": ADMIN_TOKEN, "SERVER_KEY": server.key, "HOOK_KEY": hook, "NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    assert b"No checks were performed" not in said


async def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path / 'flags.db'}", limits=PATIENT) as server:
        await examined(server, tmp_path, "--max-examples", "8", "--seed", "1")
