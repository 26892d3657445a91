"""The blocks of code in the documentation, and running them as a reader would: a page from top to bottom.

A line directly above a block says what is special about it:

    <!-- not run: why -->              it is shown only
    <!-- exits: 22 -->                 a shell block that ends with this status
    <!-- runs on, and prints: text --> a block that ends only when it is stopped; the following ones run beside it
    <!-- the answer -->                JSON of the same shape as what the shell block before it has printed
"""

import ast
import asyncio
import inspect
import json
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.processes import BIN, ServerProcess
from tests.support.waiting import until, until_async
from wigwag import FlagClient, Settings

FENCE = re.compile(r"```(\w*)$")
MARK = re.compile(r"<!-- (.+) -->$")
NOT_RUN = "not run: "
EXITS = "exits: "
RUNS_ON = "runs on, and prints: "
THE_ANSWER = "the answer"
GIVES = re.compile(r"  # → (.+)$")
PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block. `mark` is what the comment above it says, "" where there is none."""

    page: Path
    line: int
    language: str
    text: str
    mark: str

    def __str__(self) -> str:
        """Say where it is."""
        return f"{self.page.name}:{self.line}"

    def after(self, mark: str) -> str | None:
        """Return what follows in a mark that begins so."""
        return self.mark.removeprefix(mark) if self.mark.startswith(mark) else None


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page, in order."""
    found, opened, inside = [], -1, False
    lines = page.read_text(encoding="utf-8").splitlines()
    for index, line in enumerate(lines):
        if inside and line == "```":
            fence = FENCE.match(lines[opened])
            mark = MARK.match(lines[opened - 1]) if opened else None
            text = "\n".join(lines[opened + 1 : index]) + "\n"
            found.append(Block(page, opened + 1, fence[1] if fence else "", text, mark[1] if mark else ""))
            inside = False
        elif not inside and line.startswith("```"):
            assert FENCE.match(line), f"{page.name}:{index + 1}: {line!r} is not a fence with one word"
            opened, inside = index, True
    assert not inside, f"{page.name}:{opened + 1}: a block without an end"
    return found


@dataclass(slots=True)
class Reader:
    """Somebody who types all that a page shows, in the folder of a fresh server."""

    server: ServerProcess
    home: Path
    ran: list[Block] = field(default_factory=list)
    printed: str = ""  # by the last shell block

    def environ(self) -> dict[str, str]:
        """Return the environment: the commands are on the PATH, and curl fails where the answer is an error."""
        (self.home / ".curlrc").write_text("silent\nshow-error\nfail-with-body\n")
        server = self.server
        return {
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "CURL_HOME": str(self.home),
            "PYTHONUNBUFFERED": "1",
            "WIGWAG_URL": server.url,
            "WIGWAG_TOKEN": server.admin_token,
            "WIGWAG_KEY": server.server_key,
            "WIGWAG_CLIENT_KEY": server.client_key,
        }

    def filled_in(self, text: str) -> str:
        """Put the server's address and keys where the page has placeholders."""
        server = self.server
        for placeholder, value in (
            ("http://127.0.0.1:8420", server.url),
            ("ww_admin_…", server.admin_token),
            ("ww_server_…", server.server_key),
            ("ww_client_…", server.client_key),
        ):
            text = text.replace(placeholder, value)
        return text

    async def read(self, page: list[Block]) -> None:
        """Run the blocks of a page in order. What runs on is stopped at the end, and must have printed its text."""
        if not page:
            return
        block, rest = page[0], page[1:]
        said = block.after(RUNS_ON)
        if said is not None and block.language in ("sh", "python"):
            async with self.beside(block, said):
                await self.read(rest)
        else:
            await self.run(block)
            await self.read(rest)

    async def run(self, block: Block) -> None:
        """Run one block to its end, or check what it shows."""
        if block.after(NOT_RUN) is not None:
            return
        if block.language == "sh":
            await self.run_shell(block)
        elif block.language == "python":
            await self.run_python(block)
        elif block.mark == THE_ANSWER:
            assert shape(json.loads(block.text)) == shape(json.loads(self.printed)), f"{block}: it is {self.printed}"
        else:
            return
        self.ran.append(block)

    async def run_shell(self, block: Block) -> None:
        """Run a shell block, which must end with the status that its mark says."""
        process = await self.started("bash", "-euo", "pipefail", "-c", self.filled_in(block.text), apart=True)
        async with asyncio.timeout(PATIENCE_S):
            out, err = await process.communicate()
        self.printed = out.decode()
        wanted = int(block.after(EXITS) or 0)
        assert process.returncode == wanted, f"{block}: status {process.returncode}\n{self.printed}{err.decode()}"

    async def run_python(self, block: Block) -> None:
        """Run a whole program, or lines that ask `flags`; each line with `# →` must give that."""
        text = self.filled_in(block.text)
        if "asyncio.run(" in text:
            process = await self.started(sys.executable, "-c", text)
            async with asyncio.timeout(PATIENCE_S):
                out, _ = await process.communicate()
            assert process.returncode == 0, f"{block}: {out.decode()}"
            return
        async with FlagClient(self.server.url, self.server.server_key, settings=Settings(cache_dir=None)) as flags:
            await _run_lines(block, text, {"flags": flags})

    @asynccontextmanager
    async def beside(self, block: Block, said: str) -> AsyncGenerator[None]:
        """Run a block beside the following ones, from when it has printed `said` or has opened a stream."""
        text = self.filled_in(block.text)
        words = ["bash", "-euo", "pipefail", "-c", text] if block.language == "sh" else [sys.executable, "-c", text]
        streams = await self.streams()
        process = await self.started(*words)
        printed: list[str] = []
        listening = asyncio.create_task(_collect(process, printed))
        try:
            async with asyncio.timeout(PATIENCE_S):
                while said not in "".join(printed) and await self.streams() <= streams:
                    assert not listening.done(), f"{block}: it ended, and printed {''.join(printed)!r}"
                    await asyncio.sleep(0.02)
            yield
            await until(lambda: said in "".join(printed), f"{block} to print {said!r}; it printed {printed}", 5.0)
            self.ran.append(block)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
            await listening
            await process.wait()
        await until_async(self._is_left, "the stream to be gone")

    async def streams(self) -> int:
        """Return how many streams the server has open."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.server.url}/readyz") as response:
            count: int = (await response.json())["environments"]["production"]["streams"]
            return count

    async def _is_left(self) -> bool:
        return await self.streams() == 0

    async def started(self, *words: str, apart: bool = False) -> asyncio.subprocess.Process:
        """Start a command; `apart` keeps what it prints as an error from what it prints."""
        return await asyncio.create_subprocess_exec(
            *words,
            cwd=self.server.folder,
            env=self.environ(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE if apart else asyncio.subprocess.STDOUT,
            start_new_session=True,
        )


def shape(value: Any) -> Any:
    """Return JSON without what differs from one run to the next: the names of fields, and the types of values."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "number"
    return type(value).__name__


async def _collect(process: asyncio.subprocess.Process, printed: list[str]) -> None:
    assert process.stdout is not None
    while chunk := await process.stdout.read(4096):
        printed.append(chunk.decode(errors="replace"))


async def _run_lines(block: Block, text: str, names: dict[str, Any]) -> None:
    lines = text.splitlines()
    for node in ast.parse(text).body:
        gives = GIVES.search(lines[(node.end_lineno or 1) - 1])
        if gives is None:
            await _evaluated(ast.Module([node], []), "exec", names)
            continue
        assert isinstance(node, ast.Expr), f"{block}: {gives[0]!r} stands behind something that gives nothing"
        found = await _evaluated(ast.Expression(node.value), "eval", names)
        assert repr(found) == gives[1], f"{block}: {ast.unparse(node)} gives {found!r}"


async def _evaluated(tree: ast.Module | ast.Expression, mode: str, names: dict[str, Any]) -> Any:
    code = compile(tree, "<docs>", mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, names)
    return await result if code.co_flags & inspect.CO_COROUTINE else result
