"""Run as a process by host_processes: a real client that tells, whenever that changes, what it goes by.

Arguments: the server's URL and a server key.
"""

import asyncio
import json
import sys

from wigwag import FlagClient, Settings

LOOK_EVERY_S = 0.005


async def main(url: str, key: str) -> None:
    """Tell until the process ends."""
    before = None
    async with FlagClient(url, key, settings=Settings(cache_dir=None)) as flags:
        while True:
            killed = sorted(name for name in flags.all() if flags.explain(name).reason == "KILLED")
            now = {"source": flags.status.source, "cursor": flags.status.cursor, "killed": killed}
            if now != before:
                print(json.dumps(now), flush=True)
                before = now
            await asyncio.sleep(LOOK_EVERY_S)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
