"""Several people set the same flag at once."""

import asyncio
from pathlib import Path

from tests.support.processes import run_command, server_process


async def test_edits_of_one_flag_at_once_are_all_kept(tmp_path: Path) -> None:
    with server_process(tmp_path):

        def allow(user: str) -> int:
            return run_command("wigwag", "set", "checkout", "--allow", user, folder=tmp_path).returncode

        users = [f"user_{number}" for number in range(4)]
        codes = await asyncio.gather(*(asyncio.to_thread(allow, user) for user in users))
        shown = run_command("wigwag", "show", "checkout", "--json", folder=tmp_path).stdout
    assert codes == [0, 0, 0, 0]
    assert all(user in shown for user in users)
