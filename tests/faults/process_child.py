"""Run as a process by test_client_process: a client in a process that forks, is blocked or has a full disk.

Arguments: what to do, the server's URL, a server key, and a folder for the snapshot. Prints what it sees, line by line.
"""

import asyncio
import gc
import os
import resource
import sys
import threading
import time
from pathlib import Path

from wigwag import FlagClient, Settings, Source

LOOK_EVERY_S = 0.01


def say(*words: object) -> None:
    os.write(1, (" ".join(str(word) for word in words) + "\n").encode())


def threads() -> int:
    return sum(thread.name == "wigwag feed" for thread in threading.enumerate())


def wait_for_kill(flags: FlagClient) -> None:
    while flags.is_enabled("checkout"):
        time.sleep(LOOK_EVERY_S)


async def see_kill(who: str, flags: FlagClient) -> None:
    while flags.is_enabled("checkout"):
        await asyncio.sleep(LOOK_EVERY_S)
    say(who, "killed", flags.status.source)


async def own_loop(flags: FlagClient) -> None:
    where: list[bool] = []
    async with flags:
        flags.on_change(lambda _: where.append(threading.current_thread() is threading.main_thread()))
        while threads():  # the one that followed until now ends by itself
            await asyncio.sleep(LOOK_EVERY_S)
        say("child", "follows", flags.status.source, threads())
        await see_kill("child", flags)
    say("child", "closed", flags.status.source, all(where) and bool(where))


def child(how: str, flags: FlagClient) -> None:
    """Do what a child does. The parent's objects are collected on purpose."""
    gc.collect()
    say("child", "begins", flags.status.source, threads(), flags.status.age_s is not None)
    if how == "loop":
        asyncio.run(own_loop(flags))
        return
    seen: list[str] = []
    say("child", "says", flags.is_enabled("checkout"), threads())
    flags.on_change(lambda change: seen.append(f"{change.what} {threading.current_thread().name}"))
    while flags.status.source is not Source.STREAM:
        time.sleep(LOOK_EVERY_S)
    if how == "takeover":
        asyncio.run(own_loop(flags))
        while threads():
            time.sleep(LOOK_EVERY_S)
    elif how == "grandchild":
        if os.fork() == 0:
            child("thread", flags)
            os._exit(0)
        os.wait()
    wait_for_kill(flags)
    if how == "thread":
        while not seen:
            time.sleep(LOOK_EVERY_S)
        say("child", "killed", flags.status.source, *seen)


async def forks_in_a_loop(how: str, flags: FlagClient) -> None:
    async with flags:
        pid = os.fork()
        if pid == 0:
            try:
                child(how, flags)
            finally:
                os._exit(0)
        await see_kill("parent", flags)
        _, status = await asyncio.to_thread(os.waitpid, pid, 0)
        while not flags.is_enabled("checkout"):
            await asyncio.sleep(LOOK_EVERY_S)
        say("parent", "revived", flags.status.source, status)


def forks_beside_a_loop(how: str, flags: FlagClient) -> None:
    """Fork as a preloading web server does, while a thread runs the loop; the child ends as processes usually do."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(flags.start(), loop).result()
    pid = os.fork()
    if pid == 0:
        child(how, flags)
        sys.exit(0)
    wait_for_kill(flags)
    say("parent", "killed", flags.status.source)
    _, status = os.waitpid(pid, 0)
    while not flags.is_enabled("checkout"):
        time.sleep(LOOK_EVERY_S)
    say("parent", "revived", flags.status.source, status)
    asyncio.run_coroutine_threadsafe(flags.close(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def is_blocked(flags: FlagClient) -> None:
    async with flags:
        say("ready", flags.status.connected)
        time.sleep(1.2)  # noqa: ASYNC251  # the fault
        say("blocked", flags.explain("guarded").reason)
        lost = False
        while flags.is_enabled("checkout") or not flags.is_enabled("guarded"):
            lost = lost or not flags.status.connected
            await asyncio.sleep(0)
        say("after", flags.explain("guarded").reason, lost)


async def fills_its_disk(flags: FlagClient) -> None:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    async with flags:
        while not disk_well(flags) or not any(flags_files(flags)):
            await asyncio.sleep(LOOK_EVERY_S)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        say("ready")
        while disk_well(flags) or flags.is_enabled("checkout"):
            await asyncio.sleep(LOOK_EVERY_S)
        say("full", flags.status.connected)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        while not disk_well(flags):
            await asyncio.sleep(LOOK_EVERY_S)
        say("well")
    say("left", *(b'"kill":{' in path.read_bytes() for path in flags_files(flags)))


def disk_well(flags: FlagClient) -> bool:
    return flags.status.disk_error is None


def flags_files(flags: FlagClient) -> list[Path]:
    assert flags._settings.cache_dir is not None
    return list(flags._settings.cache_dir.glob("*"))  # also where there is no such folder yet


def main(what: str, url: str, key: str, cache: str) -> None:
    flags = FlagClient(url, key, settings=Settings(cache_dir=Path(cache), save_spacing_s=0.02))
    what, _, how = what.partition(":")
    if what == "in-loop":
        asyncio.run(forks_in_a_loop(how, flags))
    elif what == "preload":
        forks_beside_a_loop(how, flags)
    elif what == "blocked":
        asyncio.run(is_blocked(flags))
    elif what == "full-disk":
        asyncio.run(fills_its_disk(flags))


if __name__ == "__main__":
    main(*sys.argv[1:])
