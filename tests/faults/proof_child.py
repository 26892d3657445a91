"""Run as a process by test_proof: clients in a process that is suspended, killed, closed, or forks.

Arguments: the server's URL, a server key, a label, how many clients, and perhaps "forks". Ends with its input.
"""

import asyncio
import os
import sys

from wigwag import FlagClient, Settings
from wigwag_proto.supervisor import Patience

LOOK_EVERY_S = 0.01


async def follow(url: str, key: str, label: str, count: int) -> None:
    patience = Patience(heartbeat_s=1.0)
    settings = Settings(cache_dir=None, label=label, patience=patience)
    clients = [FlagClient(url, key, settings=settings) for _ in range(count)]
    for client in clients:
        await client.start()
    while not all(client.status.connected for client in clients):
        await asyncio.sleep(LOOK_EVERY_S)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for client in clients:
        await client.close()


async def fork(url: str, key: str, label: str) -> None:
    async with FlagClient(url, key, settings=Settings(cache_dir=None, label=label)) as flags:
        parent = os.getpid()
        for _ in range(7):
            flags.is_enabled("checkout")
        if os.fork() == 0:
            asyncio.run(follow_in_child(flags, parent))
            os._exit(0)
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def follow_in_child(flags: FlagClient, parent: int) -> None:
    async with flags:
        while not flags.status.connected:
            await asyncio.sleep(LOOK_EVERY_S)
        print("child ready", flush=True)
        while os.getppid() == parent:
            await asyncio.sleep(LOOK_EVERY_S)


def main(url: str, key: str, label: str, count: str, how: str = "") -> None:
    asyncio.run(fork(url, key, label) if how == "forks" else follow(url, key, label, int(count)))


if __name__ == "__main__":
    main(*sys.argv[1:])
