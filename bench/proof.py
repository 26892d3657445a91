"""What it takes to prove that a kill is in force everywhere, and what the proof says when it is not.

    python -m bench.proof                       1,000 instances: 20 processes of 50, over two servers on one Redis
    python -m bench.proof --cost --clients 10000    the CPU time of confirmations, per kill

Everything is on loopback and on one machine, also the clients.
"""

import argparse
import asyncio
import json
import os
import secrets
import signal
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console

from bench.harness import ROOT, print_table, report, show, summary
from bench.loads.load import Orders
from bench.propagation_load import BenchFailed, Load, running_load
from bench.propagation_phases import ARRIVAL_S, KILLED_FLAG, START_S
from bench.propagation_server import Operator, running_server
from bench.propagation_store import opened
from bench.session import allow_open_files
from tests.support.redis_server import RedisServer

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
WINDOW_S = 12.0
SETTLED_S = 5.0  # until the seats are written
PROCESSES, EACH, SUSPENDED, KILLS = 20, 50, 2, 5


async def show_case(folder: Path) -> dict[str, Any]:
    """Kill with everybody there; then with some processes suspended; then let these go on."""
    token = f"ww_admin_{secrets.token_urlsafe(32)}"
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened("redis", folder))
        servers: list[Operator] = []
        for name in ("one", "two"):
            (folder / name).mkdir()
            servers.append(await stack.enter_async_context(running_server(store.url, folder / name, token=token)))
        one, two = servers
        await one.put(KILLED_FLAG, enabled=True)
        key = await one.new_key()
        loads = []
        for number in range(PROCESSES):
            orders = Orders(url=servers[number % 2].url, key=key, flag=KILLED_FLAG, clients=EACH)
            (folder / f"load{number}").mkdir()
            load = await stack.enter_async_context(running_load("push_clients", orders, folder / f"load{number}"))
            loads.append(load)
        for load in loads:
            await load.report(START_S)
        together = [await _proven_kill(one, loads, PROCESSES * EACH) for _ in range(KILLS)]
        suspended = loads[:SUSPENDED]
        for load in suspended:
            os.kill(load.pid, signal.SIGSTOP)
        said = await _wigwag_kill(one.url, token, "3s")
        named = {each["pid"] for each in said["json"]["propagation"]["pending"]}
        if said["code"] != 6 or named != {load.pid for load in suspended}:
            raise BenchFailed(f"the suspended processes are not those that were named: {said}")
        for load in suspended:
            os.kill(load.pid, signal.SIGCONT)
        await two.proven(said["json"]["revision"], PROCESSES * EACH, ARRIVAL_S)
    return {
        "instances": PROCESSES * EACH,
        "lastPatchedMs": summary([each["lastPatchedMs"] for each in together]),
        "confirmedMs": summary([each["confirmedMs"] for each in together]),
        "provenMs": summary([each["provenMs"] for each in together]),
        "suspended": {"processes": SUSPENDED, "counts": said["json"]["propagation"]["counts"], "text": said["text"]},
    }


async def cost(folder: Path, clients: int) -> dict[str, Any]:
    """Measure the CPU time of server and Redis for a kill that is confirmed, and for one that nobody confirms."""
    found: dict[str, Any] = {"clients": clients, "windowS": WINDOW_S}
    for name, confirm in (("unconfirmed", False), ("confirmed", True)):
        (folder / name).mkdir()
        # Each on a store of its own: who has just gone would be missed by the next kill.
        async with (
            opened("redis", folder / name) as store,
            running_server(store.url, folder / name) as operator,
        ):
            await operator.put(KILLED_FLAG, enabled=True)
            key = await operator.new_key()
            orders = Orders(url=operator.url, key=key, flag=KILLED_FLAG, clients=clients, confirm=confirm)
            async with running_load("confirmers", orders, folder) as load:
                await load.report(START_S)
                await asyncio.sleep(SETTLED_S)
                pids = operator.pid, await _redis_pid(store.url)
                idle = await _cpu_of_nothing(pids)
                found[name] = await _cpu_of_kill(operator, load, pids, clients, confirm=confirm)
                found[name]["idle"] = idle
    found["perKillS"] = {
        name: {who: round(found[name][who] - found[name]["idle"][who], 2) for who in ("serverS", "redisS")}
        for name in ("unconfirmed", "confirmed")
    }
    return found


async def _proven_kill(operator: Operator, loads: list[Load], clients: int) -> dict[str, float]:
    flip = await operator.flip(KILLED_FLAG, kill=True)
    proof = await operator.proven(flip.revision, clients, ARRIVAL_S)
    reports = [await load.arrivals(flip.revision, ARRIVAL_S) for load in loads]
    revived = await operator.flip(KILLED_FLAG, kill=False)
    await operator.proven(revived.revision, clients, ARRIVAL_S)
    return {
        "lastPatchedMs": (max(at for each in reports for at in each["atNs"]) - flip.sent_ns) / 1e6,
        "confirmedMs": proof.slowest_ms,
        "provenMs": (proof.seen_ns - flip.sent_ns) / 1e6,
    }


async def _wigwag_kill(url: str, token: str, patience: str) -> dict[str, Any]:
    """Do what an operator does; the text is that of the second kill, which finds the same processes suspended."""
    ran = []
    for more in ("--json", "--wait"):
        process = await asyncio.create_subprocess_exec(
            *(Path(sys.executable).parent / "wigwag", "kill", KILLED_FLAG, "--timeout", patience, more),
            cwd=ROOT,
            env={**os.environ, "WIGWAG_URL": url, "WIGWAG_TOKEN": token},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        ran.append((process.returncode, output.decode(), errors.decode()))
    (code, output_json, _), (_, text, errors_text) = ran
    return {"code": code, "json": json.loads(output_json), "text": text + errors_text}


async def _cpu_of_nothing(pids: tuple[int, int]) -> dict[str, float]:
    """Return what heartbeats cost in a window."""
    before = [_cpu_s(pid) for pid in pids]
    await asyncio.sleep(WINDOW_S)
    return _used(before, pids)


async def _cpu_of_kill(
    operator: Operator, load: Load, pids: tuple[int, int], clients: int, *, confirm: bool
) -> dict[str, Any]:
    before = [_cpu_s(pid) for pid in pids]
    begun = time.monotonic()
    flip = await operator.flip(KILLED_FLAG, kill=True)
    told = await load.arrivals(flip.revision, ARRIVAL_S)
    patched_ms = (told["atNs"][0] - flip.sent_ns) / 1e6
    found: dict[str, Any] = {"lastPatchedMs": round(patched_ms, 1), "spreadMs": told["spreadMs"]}
    if confirm:
        await load.report(ARRIVAL_S)
        proof = await operator.proven(flip.revision, clients, ARRIVAL_S)
        found |= {"confirmedMs": proof.slowest_ms, "provenMs": round((proof.seen_ns - flip.sent_ns) / 1e6, 1)}
    await asyncio.sleep(max(0.0, begun + WINDOW_S - time.monotonic()))
    return {**found, **_used(before, pids)}


def _used(before: list[float], pids: tuple[int, int]) -> dict[str, float]:
    server, redis = (round(_cpu_s(pid) - then, 2) for pid, then in zip(pids, before, strict=True))
    return {"serverS": server, "redisS": redis}


async def _redis_pid(url: str) -> int:
    server = RedisServer(Path())
    server.port = int(url.rpartition(":")[2].partition("/")[0])
    async with server.connection() as redis:
        return int((await redis.info("server"))["process_id"])


def _cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used, as Linux tells it."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m bench.proof", description="Measure the proof of a kill.")
    parser.add_argument("--cost", action="store_true", help="the CPU time of confirmations instead")
    parser.add_argument("--clients", type=int, default=10_000, help="with --cost, how many [%(default)s]")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    given = parser.parse_args()
    allow_open_files()
    with tempfile.TemporaryDirectory(prefix="wigwag-bench-") as folder:
        work = cost(Path(folder), given.clients) if given.cost else show_case(Path(folder))
        try:
            found = uvloop.run(work)
        except BenchFailed as error:
            sys.exit(f"bench.proof: {error}")
    show(report("proof", **{"cost" if given.cost else "showCase": found}), as_json=given.json, tables=[])
    if given.json:
        return
    if given.cost:
        Console().print_json(json.dumps(found))
        return
    rows = [
        (name, *(found[name][point] for point in ("p50", "max")))
        for name in ("lastPatchedMs", "confirmedMs", "provenMs")
    ]
    print_table(f"Kill → {found['instances']} instances on two servers (ms)", ("", "p50", "max"), rows)
    print(found["suspended"]["text"])


if __name__ == "__main__":
    main()
