"""Run as a process by test_fail_safe: prints the reason of the first decision after it was suspended, then later ones.

Arguments: the server's URL and a server key.
"""

import asyncio
import sys
import time

from wigwag import FlagClient, Reason, Settings


async def main(url: str, key: str) -> None:
    async with FlagClient(url, key, settings=Settings(cache_dir=None)) as flags:
        last = time.monotonic()
        print(flags.explain("guarded").reason, flush=True)
        while time.monotonic() - last < 1.0:
            last = time.monotonic()
            await asyncio.sleep(0.01)
        print(flags.explain("guarded").reason, flush=True)
        while flags.explain("guarded").reason is Reason.FAIL_SAFE:
            await asyncio.sleep(0.01)
        print(flags.explain("guarded").reason, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
