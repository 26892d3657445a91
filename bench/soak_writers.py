"""The operators of the soak: they edit, kill and revive, through random servers, and keep what they were told."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import aiohttp

from bench.propagation_load import BenchFailed
from tests.support.server import ADMIN_TOKEN

CURSOR_HEADER = "Wigwag-Cursor"
ANSWER_S = 8.0
FIRST_EDITS_S = 30.0
MARKER = "marker"
OPERATORS = 3
FLAGS_EACH = 4


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A change that a server said is made: an edit with a serial number, a kill or a revival."""

    flag: str
    what: str
    cursor: str
    serial: str = ""


@dataclass(slots=True)
class Kill:
    """A kill that was acknowledged (monotonic ns); `cursor` is None for an emergency. It holds until `revived_ns`."""

    flag: str
    cursor: str | None
    acked_ns: int
    revived_ns: int | None = None


@dataclass(slots=True)
class Books:
    """What was asked for and what was answered."""

    acknowledged: list[Acknowledged] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    asked_for: dict[str, set[str]] = field(default_factory=dict)
    emergencies: int = 0
    uncertain: int = 0
    refused: int = 0

    def in_force(self) -> set[str]:
        """Return the flags whose kill was acknowledged and that nobody has asked to revive since."""
        return {kill.flag for kill in self.kills if kill.revived_ns is None}


class Writers:
    """A few operators, each with flags of its own, so that it is certain what every flag should be."""

    def __init__(self, urls: Sequence[str], rng: Random, session: aiohttp.ClientSession) -> None:
        self.books = Books()
        self._urls = urls
        self._rng = rng
        self._session = session
        self._may_write = asyncio.Event()
        self._writing = 0
        self._nobody_writes = asyncio.Event()
        self._nobody_writes.set()
        self._serial = 0

    async def first_edits(self) -> None:
        """Create every flag. Raises BenchFailed."""
        flags = [MARKER, *(flag for operator in range(OPERATORS) for flag in _flags(operator))]
        for flag in flags:
            if await self.edit_until_made(flag, FIRST_EDITS_S) is None:
                raise BenchFailed("no server takes the first edits")

    async def run(self) -> None:
        """Work until cancelled."""
        self._may_write.set()
        async with asyncio.TaskGroup() as group:
            for operator in range(OPERATORS):
                group.create_task(self._operate(_flags(operator), Random(self._rng.random())))

    async def edit_until_made(self, flag: str, timeout_s: float) -> str | None:
        """Edit until a server says that it is made; returns the cursor, or None when none does in time."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if (cursor := await self._edit(flag, self._rng)) is not None:
                return cursor
            await asyncio.sleep(0.02)
        return None

    @asynccontextmanager
    async def paused(self) -> AsyncGenerator[None]:
        """Have nobody write."""
        self._may_write.clear()
        await self._nobody_writes.wait()
        try:
            yield
        finally:
            self._may_write.set()

    async def _operate(self, flags: Sequence[str], rng: Random) -> None:
        while True:
            await self._may_write.wait()
            self._writing += 1
            self._nobody_writes.clear()
            try:
                await self._change(rng.choice(flags), rng)
            finally:
                self._writing -= 1
                if not self._writing:
                    self._nobody_writes.set()
            await asyncio.sleep(rng.uniform(0.05, 0.7))

    async def _change(self, flag: str, rng: Random) -> None:
        if rng.random() < 0.5:
            await self._edit(flag, rng)
        elif flag in self.books.in_force():
            await self._revive(flag, rng)
        else:
            await self._kill(flag, rng)

    async def _edit(self, flag: str, rng: Random) -> str | None:
        self._serial += 1
        serial = str(self._serial)
        self.books.asked_for.setdefault(flag, set()).add(serial)
        status, cursor = await self._ask(f"/admin/flags/{flag}", rng, {"enabled": True, "description": serial})
        if status not in (200, 201):
            return None
        self.books.acknowledged.append(Acknowledged(flag, "edit", cursor, serial))
        return cursor

    async def _kill(self, flag: str, rng: Random) -> None:
        status, cursor = await self._ask(f"/admin/flags/{flag}/kill", rng)
        if status not in (200, 202):
            return
        self.books.kills.append(Kill(flag, cursor if status == 200 else None, time.monotonic_ns()))
        if status == 200:
            self.books.acknowledged.append(Acknowledged(flag, "kill", cursor))
        else:
            self.books.emergencies += 1

    async def _revive(self, flag: str, rng: Random) -> None:
        now = time.monotonic_ns()
        for kill in self.books.kills:
            if kill.flag == flag and kill.revived_ns is None:
                kill.revived_ns = now
        status, cursor = await self._ask(f"/admin/flags/{flag}/revive", rng)
        if status == 200:
            self.books.acknowledged.append(Acknowledged(flag, "revival", cursor))

    async def _ask(self, path: str, rng: Random, body: Any = None) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        timeout = aiohttp.ClientTimeout(ANSWER_S)
        try:
            async with self._session.post(
                rng.choice(self._urls) + path, json=body, headers=headers, timeout=timeout
            ) as response:
                await response.read()
        except (aiohttp.ClientError, TimeoutError):
            self.books.uncertain += 1
            return 0, ""
        if response.status >= 400:
            self.books.refused += 1
        return response.status, response.headers.get(CURSOR_HEADER, "")


def _flags(operator: int) -> list[str]:
    return [f"flag-{operator}-{number}" for number in range(FLAGS_EACH)]
