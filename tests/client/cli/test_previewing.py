"""`wigwag set --preview`: what a change would do, told and not done."""

import asyncio
import json

from tests.client.cli.conftest import Wigwag
from tests.support.processes import ServerProcess
from tests.support.waiting import until_async
from wigwag import FlagClient, Settings


def test_a_preview_counts_sampled_contexts_and_changes_nothing(
    wigwag: Wigwag, key: str, cli_server: ServerProcess
) -> None:
    assert wigwag("set", key, "--on", "--rollout", "0").code == 0
    nothing = wigwag("set", key, "--rollout", "50", "--preview")
    assert nothing.code == 0
    assert nothing.out.startswith("There are no samples: production takes none.")
    assert nothing.out.endswith("may let it: wigwag environments edit production --samples\n")
    assert wigwag("environments", "edit", "production", "--samples").code == 0
    settings = Settings(cache_dir=None, report_every_s=0.02, sample_contexts=True)

    async def enough() -> bool:
        for number in range(50):
            flags.is_enabled(key, user_id=f"u{number}")
        # In a thread, since the command has an event loop of its own.
        ran = await asyncio.to_thread(wigwag, "set", key, "--rollout", "50", "--preview", "--json")
        return int(json.loads(ran.out)["contexts"]) >= 10

    async def main() -> None:
        async with flags:
            await until_async(enough, "samples of contexts")

    flags = FlagClient(cli_server.url, cli_server.server_key, settings=settings)
    asyncio.run(main())
    ran = wigwag("set", key, "--rollout", "100", "--preview")
    lines = ran.out.splitlines()
    count = lines[0].split()[0]
    assert lines[0] == f"{count} of {count} sampled contexts would get another answer: {count} from off to on."
    assert lines[1].split() == ["CONTEXTS", "NOW", "THEN"]
    assert lines[2].split() == [count, "off", "on", "-"]
    assert ran.err.endswith("Nothing was changed.\n")
    assert json.loads(wigwag("--json", "show", key).out)["rolloutPercentage"] == 0
    assert wigwag("environments", "edit", "production", "--no-samples").code == 0
