"""The processes with the clients, as the soak sees them."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from bench.harness import ROOT
from bench.propagation_load import BenchFailed, ended, tail
from bench.soak_clients import Orders, Question
from wigwag_proto.codec import decode

ANSWER_S = 30.0
START_S = 90.0
LONGEST_LINE = 16 * 1024 * 1024


@dataclass(slots=True)
class Census:
    """Where all clients are: how many are at which cursor, hold which flags, and take each flag for killed."""

    connected: int = 0
    cursors: Counter[str] = field(default_factory=Counter)
    contents: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)

    def add(self, part: dict[str, Any]) -> None:
        """Add the clients of one more process."""
        self.connected += part["connected"]
        self.cursors.update(part["cursors"])
        self.contents.update(part["contents"])
        self.killed.update(part["killed"])


class Process:
    """One process full of clients."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    async def ask(self, question: Question) -> dict[str, Any]:
        """Ask it something. Raises BenchFailed."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(question) + b"\n")
        return await self.answer(ANSWER_S)

    async def answer(self, timeout_s: float) -> dict[str, Any]:
        """Return the next answer. Raises BenchFailed."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(timeout_s):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise BenchFailed(f"the clients did not answer within {timeout_s:g} s{tail(self._log)}") from None
        if not line:
            raise BenchFailed(f"the clients' process ended{tail(self._log)}")
        answer: dict[str, Any] = decode(line)
        return answer


class Crowd:
    """All clients."""

    def __init__(self, clients: int, processes: list[Process], folder: Path) -> None:
        self.clients = clients
        self._processes = processes
        self._folder = folder

    async def reached(self, cursor: str) -> tuple[int, Counter[str]]:
        """Say how many clients hold everything up to the cursor, and what the others go by."""
        answers = await self._ask(Question("reached", cursor=cursor))
        behind: Counter[str] = Counter()
        for answer in answers:
            behind.update(answer["behind"])
        return sum(answer["reached"] for answer in answers), behind

    async def census(self) -> Census:
        """Look where everyone is."""
        census = Census()
        for answer in await self._ask(Question("census")):
            census.add(answer)
        return census

    async def histories(self) -> list[dict[str, Any]]:
        """Return what every client went through, one document a process."""
        found = []
        for number, process in enumerate(self._processes):
            file = self._folder / f"history-{number}.json"
            await process.ask(Question("history", file=str(file)))
            found.append(decode(await asyncio.to_thread(file.read_bytes)))
        return found

    async def _ask(self, question: Question) -> list[dict[str, Any]]:
        return list(await asyncio.gather(*(process.ask(question) for process in self._processes)))


@asynccontextmanager
async def crowded(clients: int, urls: tuple[str, ...], key: str, folder: Path) -> AsyncGenerator[Crowd]:
    """Run the clients, in two processes where there are many, until the context is left. Raises BenchFailed."""
    shares = [clients] if clients < 20 else [clients // 2, clients - clients // 2]
    async with AsyncExitStack() as stack:
        processes = [
            await stack.enter_async_context(_process(Orders(urls, key, share), folder / f"clients-{number}.log"))
            for number, share in enumerate(shares)
        ]
        await asyncio.gather(*(process.answer(START_S) for process in processes))
        yield Crowd(clients, processes, folder)


@asynccontextmanager
async def _process(orders: Orders, log: Path) -> AsyncGenerator[Process]:
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.soak_clients"),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            limit=LONGEST_LINE,
        )
    assert process.stdin is not None
    try:
        process.stdin.write(msgspec.json.encode(orders) + b"\n")
        yield Process(process, log)
    finally:
        process.stdin.close()
        await ended(process)
